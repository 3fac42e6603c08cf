"""What watching costs: training with and without it, in turns, on the same tokens.

    python benchmarks/watching.py [--seconds 120] [--updates 10] [--threads 2]

A 1 x 512 LSTM reads Shakespeare character by character, batch 64 x 64. Two trainings of the same
seed take turns in one process, so many updates each, the first to go changing from round to round.
Printed are tokens/s of both, the ratio of the whole times (goal: at most 2 % more), the ratio of
processor times, the ratio's quartiles over the rounds, and what the looks took. Both have to end at
the same weights.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import torch

from unrolled import kernels
from unrolled.diagnosis.monitor import GradientMonitor
from unrolled.models.build import build
from unrolled.results.events import Warned
from unrolled.runs.prepared import PreparedText
from unrolled.settings.data import DataConfig
from unrolled.settings.models import RecurrentConfig
from unrolled.settings.training import Budget, TrainConfig
from unrolled.system.machine import machine, versions
from unrolled.training.loop import Monitor, Training
from unrolled.training.trainee import LanguageModelTrainee

TEXT = Path(__file__).parents[1] / "examples" / "shakespeare.txt.gz"
WARM_UP = 5
Times = tuple[float, float]
"""Seconds on the clock, and of the processor."""


def main() -> None:
    """Trains both for the given time and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="for both trainings")
    parser.add_argument("--updates", type=int, default=10, help="in a turn")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden-size", type=int, default=512)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{machine()}; {arguments.threads} threads; {kernels.status()}")
    print(f"torch {versions()['torch']}, {arguments.precision}, width {arguments.hidden_size}\n")
    with tempfile.TemporaryDirectory() as folder:
        text = PreparedText.prepare(DataConfig((str(TEXT),), tokenizer="char"), Path(folder))
        budget = Budget(1e9, "tokens")
        trial = start(text, Path(folder), arguments, budget)
        turn(trial, None, WARM_UP)
        seconds = turn(trial, None, arguments.updates)[0] / arguments.updates
        updates = max(1, round(arguments.seconds / 2 / seconds))
        budget = Budget(updates * trial.progress.tokens / trial.progress.step, "tokens")
        on, off = (start(text, Path(folder), arguments, budget) for _ in range(2))
        watch = GradientMonitor(on)
        rounds = take_turns(on, off, watch, arguments.updates)
    for name, value in on.model.state_dict().items():
        assert torch.equal(value, off.model.state_dict()[name]), f"{name} is another"
    report(on, watch, rounds)


def start(text: PreparedText, run: Path, arguments: argparse.Namespace, budget: Budget) -> Training:
    """The same model at the beginning of the same training."""
    torch.manual_seed(0)
    settings = RecurrentConfig(kind="lstm", hidden_size=arguments.hidden_size)
    model = build(settings, text.store.vocab_size)
    config = TrainConfig(budget=budget, precision=arguments.precision)
    return Training(LanguageModelTrainee(model, text.store, config, text.unigram()), run)


def turn(training: Training, monitor: Monitor | None, updates: int) -> Times:
    """Takes updates as `fit` does."""
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(updates):
        nats, norm = training.update(training.trainee.next_batch())
        training.tick()
        for event in monitor(nats, norm, norm > training.config.clip_norm) if monitor else ():
            if isinstance(event, Warned):
                print(event.text)
    return time.perf_counter() - began, time.process_time() - worked


def take_turns(
    on: Training, off: Training, watch: GradientMonitor, updates: int
) -> list[tuple[Times, Times]]:
    """Trains both to the end of the budget; returns the seconds of each round, with and without."""
    rounds: list[tuple[Times, Times]] = []
    while on.fraction < 1:
        if len(rounds) % 2:
            without = turn(off, None, updates)
            rounds.append((turn(on, watch, updates), without))
        else:
            rounds.append((turn(on, watch, updates), turn(off, None, updates)))
    return rounds


def report(on: Training, watch: GradientMonitor, rounds: list[tuple[Times, Times]]) -> None:
    """Prints the figures and, last, the same as JSON."""
    with_it, without = (sum(times[0] for times in column) for column in zip(*rounds, strict=True))
    work, work_without = (sum(times[1] for times in column) for column in zip(*rounds, strict=True))
    low, middle, high = quantiles((a[0] / b[0] for a, b in rounds), n=4)
    tokens, looks = on.progress.tokens, watch.spent_seconds
    print(f"{tokens:,} tokens each, {on.progress.step} updates, {len(rounds)} rounds")
    print(f"watched {tokens / with_it:,.0f} tokens/s, unwatched {tokens / without:,.0f}")
    print(f"time with / without: {with_it / without:.4f}; processor: {work / work_without:.4f}")
    print(f"of a round: median {middle:.4f}, quartiles {low:.4f} to {high:.4f}")
    print(
        f"looks: {looks:.2f} s in all, {looks / with_it:.2%}, the last {watch.look_seconds:.2f} s"
    )
    figures = {"ratio": with_it / without, "processor_ratio": work / work_without}
    figures |= {"median": middle, "quartiles": [low, high]}
    figures |= {"tokens_per_second": [tokens / with_it, tokens / without]}
    print(json.dumps(figures | {"looks_share": looks / with_it}))


if __name__ == "__main__":
    main()
