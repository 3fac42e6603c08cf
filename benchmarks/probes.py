"""What recurrent layers and a Transformer can remember, at 70,000 parameters each.

    python benchmarks/probes.py --work runs/probes [adding|copy|recall|parity|selective-copy ...]

`adding` (T = 600) and `copy` (T = 200) test two claims: gates and cures solve what a plain tanh
RNN does not. The others are tables of score by length, for every layer. Each part has a budget of
its own, see PARTS; `--budget` replaces it. A part that was stopped goes on in the same folder.
"""

import argparse
import json
from pathlib import Path

import torch

from unrolled import kernels
from unrolled.probes.request import ProbeRequest
from unrolled.probes.run import probe
from unrolled.report.probes import score
from unrolled.results.probes import Probes, Trial
from unrolled.settings.training import Budget
from unrolled.system.machine import machine, versions

EVERY = ("rnn", "gru", "lstm", "lstm-chrono", "mingru", "transformer")
PARTS: dict[str, tuple[tuple[str, ...], tuple[int, ...], str]] = {
    "adding": (("rnn", "gru", "lstm-chrono", "lstm"), (600,), "16m"),
    "copy": (("lstm", "lstm-chrono"), (200,), "14m"),
    "recall": (EVERY, (16, 32, 64), "9m"),
    "parity": (EVERY, (10, 20, 50, 100), "9m"),
    "selective-copy": (EVERY, (16, 32, 64), "9m"),
}
"""Models, lengths and wall-clock budget of each task."""


def main() -> None:
    """Runs the parts that are asked for; prints a table for each, then one JSON line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--budget", help="for each part, for example 5m or 2Mtokens a trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{machine()}; {arguments.threads} threads; {kernels.status()}; "
        f"torch {versions()['torch']}; seed {arguments.seed}"
    )
    lines = []
    for part in arguments.parts:
        models, lengths, budget = PARTS[part]
        request = ProbeRequest(
            tasks=(part,),
            models=models,
            lengths=lengths,
            budget=Budget.parse(arguments.budget or budget),
            seed=arguments.seed,
        )
        result = probe(arguments.work / part, request)
        show(part, request, result)
        lines += [json.dumps(trial.to_json()) for trial in result.trials]
    print("\n" + "\n".join(lines))


def show(part: str, request: ProbeRequest, result: Probes) -> None:
    """Prints one part as a markdown table."""
    trials = {(row.model, row.length): row for row in result.trials}
    seconds = sum(row.seconds for row in result.trials)
    chance = {row.length: row.chance for row in result.trials}
    goal = {row.length: row.goal for row in result.trials}
    print(f"\n{part}: {seconds / 60:.1f} minutes in all; solved in bold, else not tried further\n")
    print(
        "| model | parameters | state | " + " | ".join(f"T = {n}" for n in request.lengths) + " |"
    )
    print("|---|---|---|" + "---|" * len(request.lengths))
    for model in request.models:
        rows = [trials.get((model, length)) for length in request.lengths]
        largest = max((row for row in rows if row), key=lambda row: row.length)
        cells = " | ".join(map(cell, rows))
        print(f"| {model} | {largest.num_parameters:,} | {largest.state_size:,} | {cells} |")
    for name, values in (("chance", chance), ("solved from", goal)):
        cells = " | ".join(f"{values[n]:.3g}" if n in values else "" for n in request.lengths)
        print(f"| {name} | | | {cells} |", flush=True)


def cell(row: Trial | None) -> str:
    """Score, steps and seconds of a trial."""
    if row is None:
        return "–"
    text = f"**{score(row)}**" if row.solved else score(row)
    return f"{text} ({row.steps:,} steps, {row.seconds:.0f} s)"


if __name__ == "__main__":
    main()
