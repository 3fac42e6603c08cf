"""Kills real trainings at random moments, resumes them, and compares with one that was left alone.

    python benchmarks/campaign.py --kills 100 --seed 0

Each trial starts a command (`train`, `compare` or `classify train`) with a tiny model, one thread
and a budget in tokens or epochs, ends it by SIGKILL, SIGTERM, SIGINT or SIGHUP at a random moment,
resumes it, and goes on so until it finishes. Then its weights, figures, curves and files have to be
those of the same command undisturbed, to the last bit: none is left over.

Half of the resumptions begin at once, while a worker of the killed command may still run; the
others wait until its last process has ended, and measure how long that takes.

It prints every trial and every signal that was obeyed late, then a table. Any difference is an
error.
"""

import argparse
import json
import math
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import equal

from unrolled.system.machine import machine, versions

TEXT = Path(__file__).parents[1] / "tests" / "data" / "english.txt"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TIDY_SECONDS = 2.0
"""After a signal that can be caught; what takes longer is counted as late, not as wrong."""
MOST_KILLS = 6
"""Of one trial; then it is left alone to finish."""
PATIENCE_SECONDS = 300.0
"""For a command that is left alone to finish, or for its workers to end."""
POLL_SECONDS = 0.05
PACKAGE = "/unrolled/"
STARTING = "in _get_module_details"
"""In tracebacks of ours (PACKAGE): one of Python that still looks for the command (STARTING) is not
our doing."""
BUSY = "is being written by another process"
DIFFERS = {
    *("seconds", "train_seconds", "train_tokens_per_second", "score_tokens_per_second"),
    *("generate_tokens_per_second", "texts_per_second"),
    *("peak_bytes", "date", "others_share", "disturbance"),
}
"""Figures of speed and of the machine, and the date: two undisturbed runs do not share them."""
DIGIT_BYTES = 64
"""A classifier's file holds the seconds of its training: so much may their digits add to it."""


@dataclass(frozen=True)
class Command:
    """A command to kill, and how it is resumed."""

    name: str
    arguments: tuple[str, ...]
    resume: tuple[str, ...]
    refusal: str = ""
    """What it says when it is resumed though it has finished; empty: it only tidies up."""


@dataclass
class Kills:
    """What was done to one command, and how it obeyed."""

    kills: Counter[str] = field(default_factory=Counter)
    identical: int = 0
    different: int = 0
    obeyed: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds from a signal to the end of the process that got it."""
    workers: list[float] = field(default_factory=list)
    """Seconds from the end of that process to the end of the last one that it started."""
    refused: int = 0
    """Resumptions that came too early: a worker was still writing."""

    def row(self, name: str) -> str:
        """A row of the table."""
        signals = [str(self.kills[each.name]) for each in SIGNALS]
        slowest = [f"{max(self.obeyed[each.name], default=0):.2f}" for each in SIGNALS[1:]]
        outcome = [str(self.identical), str(self.different)]
        workers = f"{max(self.workers, default=0):.2f}"
        return f"| {' | '.join([name, *signals, *outcome, *slowest, workers])} |"


def commands(texts: Path) -> list[Command]:
    """Those that train; every one takes some seconds."""
    train = ["train", str(TEXT), "--model=lstm", "--budget=20ktokens", "--batch-size=4"]
    train += ["--sequence-length=16", "--hidden-size=16", "--embedding-size=8"]
    compare = ["compare", str(TEXT), "--models", "ngram", "rnn", "gru", "--size=small"]
    compare += ["--budget=60ktokens", "--threads=1", "--precision=float32"]
    classify = ["classify", "train", str(texts), "--text=text", "--label=label", "--kind=gru"]
    classify += ["--budget=12epochs", "--embedding-size=16", "--hidden-sizes=16", "--batch-size=4"]
    alike = ["--threads=1", "--precision=float32", "--checkpoint-seconds=0.2"]
    return [
        Command("train", (*train, *alike), ("train", "--resume"), "it is finished"),
        Command("compare", tuple(compare), (*compare, "--resume")),
        Command("classify", (*classify, *alike), (*classify, *alike), "already holds a classifier"),
    ]


def write_labelled(path: Path) -> None:
    """Lines of the text, labelled by whether they have a "k"."""
    lines = [line.strip() for line in TEXT.read_text("utf-8").split("\n")]
    rows = [{"text": line, "label": "yn"["k" in line]} for line in lines if len(line) > 20][:400]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


class Process:
    """A command in a session of its own, so that the workers it leaves behind are seen."""

    def __init__(self, arguments: tuple[str, ...], out: Path) -> None:
        self.path = out.with_name("stderr.txt")
        command = [sys.executable, "-m", "unrolled", *arguments, "--out", str(out)]
        with self.path.open("w") as file:
            self.popen = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
            )

    def ends_within(self, seconds: float) -> bool:
        """Waits so long at most."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def wait_for_all(self) -> float:
        """Waits for the command and its workers; returns the seconds that the latter took more."""
        self.popen.wait()
        began = time.monotonic()
        while self._has_workers():
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit(f"a worker of {self.popen.args} does not end")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def _has_workers(self) -> bool:
        rows = subprocess.run(["ps", "-A", "-o", "sess="], capture_output=True, text=True).stdout
        return str(self.popen.pid) in rows.split()

    @property
    def errors(self) -> str:
        """What it has said."""
        return self.path.read_text("utf-8")

    def check(self, allowed: str = "") -> None:
        """Raises SystemExit where it failed in another way than is allowed."""
        failed = self.popen.returncode and not (allowed and allowed in self.errors)
        if failed or "Traceback" in self.errors:
            raise SystemExit(f"{self.popen.args}, {self.popen.returncode}: {self.errors}")


def next_start(command: Command, out: Path) -> tuple[str, ...]:
    """How to go on after a kill: resume, or begin anew where nothing was saved."""
    begun = (out / "config.json").is_file() if command.name == "train" else out.exists()
    return command.resume if begun else command.arguments


def disturb(command: Command, out: Path, seconds: float, kills: Kills, rng: random.Random) -> int:
    """Kills and resumes until it finishes; returns the number of kills."""
    number, allowed = 0, ""
    while True:
        process = Process(next_start(command, out), out)
        moment = rng.uniform(0, 0.9) * seconds
        if process.ends_within(moment if number < MOST_KILLS else PATIENCE_SECONDS):
            if process.popen.returncode and BUSY in process.errors:
                kills.refused += 1
                time.sleep(POLL_SECONDS)
                continue
            process.check(allowed)
            process.wait_for_all()
            return number
        name = rng.choice(SIGNALS)
        process.popen.send_signal(name)
        began = time.monotonic()
        process.popen.wait()
        obeyed = time.monotonic() - began
        workers = process.wait_for_all() if rng.random() < 0.5 else 0.0
        if name != signal.SIGKILL:
            kills.obeyed[name.name].append(obeyed)
        kills.workers.append(workers)
        if max(obeyed, workers) > TIDY_SECONDS:
            late = f"{obeyed:.2f} s, its workers {workers:.2f} s more"
            print(f"{command.name}, {name.name} at {moment:.1f} s: {late}", flush=True)
        ours = PACKAGE in process.errors and STARTING not in process.errors
        if "Traceback" in process.errors and ours:
            raise SystemExit(f"{command.name}, {name.name} at {moment:.1f} s: {process.errors}")
        kills.kills[name.name] += 1
        number += 1
        allowed = command.refusal  # the kill may have come between the results and the end


def differences(left: object, right: object, place: str) -> Iterator[str]:
    """Places where two values of a JSON file are not the same."""
    if isinstance(left, dict) and isinstance(right, dict):
        skipped = DIFFERS | (
            {"figure", "rival_figure"} if left.get("purpose") == "speed" else set()
        )
        for key in sorted({*left, *right} - skipped):
            yield from differences(left.get(key), right.get(key), f"{place} {key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, two in enumerate(zip(left, right, strict=True)):
            yield from differences(*two, f"{place} {number}")
    elif place == "results.json file_bytes" and isinstance(left, int) and isinstance(right, int):
        if abs(left - right) > DIGIT_BYTES:
            yield f"{place}: {left}, {right}"
    elif left != right:
        yield f"{place}: {left}, {right}"


def read_json(path: Path, root: Path) -> object:
    """A JSON file, or the losses of a log, without the name of the folder."""
    text = path.read_text("utf-8").replace(str(root), "")
    if path.suffix == ".json":
        return json.loads(text)
    rows = [json.loads(line) for line in text.splitlines()]
    return [row for row in rows if row["kind"] in ("valid", "end")]


def difference(left: Path, right: Path) -> Iterator[str]:
    """What is not the same in two folders."""
    names = [{path.relative_to(root) for path in root.rglob("*")} for root in (left, right)]
    yield from (f"{name} is missing" for name in names[0] - names[1])
    yield from (f"{name} was left behind" for name in names[1] - names[0])
    for name in sorted(names[0] & names[1]):
        if name.suffix == ".safetensors":
            ours, theirs = load_file(left / name), load_file(right / name)
            if ours.keys() != theirs.keys() or not all(equal(ours[k], theirs[k]) for k in ours):
                yield str(name)
        elif name.suffix in (".json", ".jsonl"):
            values = (read_json(root / name, root) for root in (left, right))
            yield from differences(*values, str(name))


def left_alone(command: Command, folder: Path, runs: int) -> float:
    """Runs a command, and again: what differs then no kill has done. Returns the least seconds."""
    whole, again, least = folder / command.name, folder / "again", math.inf
    for out in [whole, again][:runs]:
        began = time.monotonic()
        process = Process(command.arguments, out)
        process.wait_for_all()
        process.check()
        least = min(least, time.monotonic() - began)
    if again.exists() and (wrong := list(difference(whole, again))):
        raise SystemExit(f"{command.name} differs without a kill: {wrong}")
    shutil.rmtree(again, ignore_errors=True)
    print(f"{command.name} alone: {least:.1f} s", flush=True)
    return least


def main() -> None:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=120, help="begin no trial after so many")
    parser.add_argument("--alone", type=int, choices=(1, 2), default=2, help="undisturbed runs")
    parser.add_argument("--commands", nargs="+", default=["train", "compare", "classify"])
    options = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the commands would ignore it too
    rng, began = random.Random(options.seed), time.monotonic()
    kills: dict[str, Kills] = {}
    print(f"{machine()}; {versions()}", flush=True)
    with TemporaryDirectory(prefix="campaign-") as name:
        folder = Path(name)
        write_labelled(folder / "labelled.jsonl")
        chosen = [
            each for each in commands(folder / "labelled.jsonl") if each.name in options.commands
        ]
        alone = {command: left_alone(command, folder, options.alone) for command in chosen}
        while sum(each.kills.total() for each in kills.values()) < options.kills:
            if time.monotonic() - began > 60 * options.minutes:
                break
            # The one that was killed least: a trial of one has more kills than one of another.
            command = min(
                chosen, key=lambda each: kills.setdefault(each.name, Kills()).kills.total()
            )
            out, done = folder / "disturbed", kills[command.name]
            number = disturb(command, out, alone[command], done, rng)
            wrong = list(difference(folder / command.name, out))
            done.identical, done.different = (
                done.identical + (not wrong),
                done.different + bool(wrong),
            )
            outcome = f"DIFFERENT: {wrong}" if wrong else "the same"
            print(f"{command.name}: {outcome} after {number} kills", flush=True)
            shutil.rmtree(out)
    columns = ["command", *(each.name for each in SIGNALS), "identical", "different"]
    columns += [*(f"{each.name}, s" for each in SIGNALS[1:]), "workers, s"]
    print(f"| {' | '.join(columns)} |")
    print("\n".join(each.row(name) for name, each in kills.items()))
    print(f"too early, tried again: {sum(each.refused for each in kills.values())}")
    if any(each.different for each in kills.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
