"""Kills real trainings at random moments, resumes them, and compares with one that was left alone.

    python benchmarks/campaign.py --kills 100 --seed 0

Each trial starts a command (`train`, `compare` or `classify train`) with a tiny model, one thread
and a budget in tokens or epochs, ends it by SIGKILL, SIGTERM, SIGINT or SIGHUP at a random moment,
resumes it, and goes on so until it finishes. Then its weights and figures have to be those of the
same command undisturbed, to the last bit, and no temporary file may be left.

It prints what was killed, a count, and one line of JSON; any difference is an error.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file
from torch import equal

from unrolled.system.machine import machine, versions

TEXT = Path(__file__).parents[1] / "tests" / "data" / "english.txt"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TIDY_SECONDS = 2.0
"""After a signal that can be caught; what takes longer is counted as late, not as wrong."""
DIFFERS = {
    *("seconds", "train_seconds", "peak_bytes", "date", "run", "train_tokens_per_second"),
    *("score_tokens_per_second", "generate_tokens_per_second", "curve", "recommendation"),
}
"""Figures that time or place changes."""


@dataclass(frozen=True)
class Command:
    """A command to kill, and how it is resumed."""

    name: str
    arguments: tuple[str, ...]
    resume: tuple[str, ...]
    results: str
    """File that is written last."""


def commands(texts: Path) -> list[Command]:
    """Those that train; every one takes some seconds."""
    tiny = ["--batch-size=4", "--sequence-length=16", "--threads=1", "--checkpoint-seconds=0.5"]
    small = ["--hidden-size=16", "--embedding-size=8"]
    training = ["train", str(TEXT), "--model=lstm", "--budget=20ktokens", *tiny, *small]
    comparing = ["compare", str(TEXT), "--models", "ngram", "rnn", "--size=small", "--threads=1"]
    comparing += ["--budget=15ktokens"]
    classify = ["classify", "train", str(texts), "--text=text", "--label=label", "--kind=gru"]
    classify += ["--budget=2epochs", "--threads=1", "--checkpoint-seconds=0.5"]
    return [
        Command("train", tuple(training), ("train", "--resume"), "config.json"),
        Command("compare", tuple(comparing), (*comparing, "--resume"), "results.json"),
        Command("classify", tuple(classify), tuple(classify), "config.json"),
    ]


def write_labelled(path: Path) -> None:
    """Lines of the text, labelled by whether they have a "k"."""
    lines = [line.strip() for line in TEXT.read_text("utf-8").split("\n")]
    rows = [{"text": line, "label": "yn"["k" in line]} for line in lines if len(line) > 20][:400]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def start(arguments: tuple[str, ...], out: Path) -> subprocess.Popen[str]:
    """Starts a command that writes to a folder."""
    command = [sys.executable, "-m", "unrolled", *arguments, "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Waits for a command that is left alone."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args} ended with {process.returncode}: {errors}")


def next_start(command: Command, out: Path) -> tuple[str, ...]:
    """How to go on after a kill: resume, or begin anew where nothing was saved."""
    begun = (out / "config.json").is_file() if command.name == "train" else out.exists()
    return command.resume if begun else command.arguments


def is_finished(command: Command, out: Path) -> bool:
    """Whether the results are there."""
    path = out / command.results
    if not path.is_file():
        return False
    return command.name != "train" or "results" in json.loads(path.read_text("utf-8"))


def disturb(
    command: Command, out: Path, seconds: float, kills: Counter[str], rng: random.Random
) -> tuple[int, list[float]]:
    """Kills and resumes until it finishes; returns the kills and the seconds to obey each."""
    number, obeyed = 0, []
    while not is_finished(command, out):
        process = start(next_start(command, out), out)
        try:
            # Some kills come early, others after the rest would have ended: then it is finished.
            process.communicate(timeout=rng.uniform(0, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            name = rng.choice(SIGNALS)
            process.send_signal(name)
            began = time.monotonic()
            _, errors = process.communicate()
            if name != signal.SIGKILL:
                obeyed.append(time.monotonic() - began)
            if "Traceback" in errors:
                raise SystemExit(f"{command.name} after {name.name}: {errors}") from None
            kills[f"{command.name} {name.name}"] += 1
            number += 1
            continue
        if process.returncode and not is_finished(command, out):
            raise SystemExit(f"{process.args} ended with {process.returncode}")
    if command.name != "train":  # what was left after the results were written
        finish(start(command.resume, out))
    return number, obeyed


def differences(left: object, right: object, place: str) -> list[str]:
    """Places where two values of a JSON file are not the same."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted({*left, *right} - DIFFERS)
        pairs = [(left.get(key), right.get(key), f"{place} {key}") for key in keys]
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = [(*two, f"{place} {n}") for n, two in enumerate(zip(left, right, strict=True))]
    else:
        return [] if left == right else [f"{place}: {left}, {right}"]
    return [found for pair in pairs for found in differences(*pair)]


def difference(left: Path, right: Path) -> list[str]:
    """What is not the same in two folders."""
    found = []
    for path in sorted(left.rglob("*.safetensors")):
        ours, theirs = load_file(path), load_file(right / path.relative_to(left))
        if ours.keys() != theirs.keys() or not all(equal(ours[k], theirs[k]) for k in ours):
            found.append(str(path))
    for path in sorted(left.rglob("*.json")):
        texts = (each.read_text("utf-8") for each in (path, right / path.relative_to(left)))
        found += differences(*map(json.loads, texts), str(path.relative_to(left)))
    return found + [f"{path} was left behind" for path in right.rglob(".*")]


def main() -> None:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, kills, obeyed, num_trials = random.Random(options.seed), Counter[str](), [], 0
    print(f"{machine()}; {versions()}", flush=True)
    with TemporaryDirectory(prefix="campaign-") as name:
        folder = Path(name)
        write_labelled(folder / "labelled.jsonl")
        alone = {}
        for command in commands(folder / "labelled.jsonl"):
            began = time.monotonic()
            finish(start(command.arguments, folder / command.name))
            alone[command] = time.monotonic() - began
            print(f"{command.name} alone: {alone[command]:.1f} s", flush=True)
        while kills.total() < options.kills:
            command = list(alone)[num_trials % len(alone)]
            out, num_trials = folder / "disturbed", num_trials + 1
            number, seconds = disturb(command, out, alone[command], kills, rng)
            obeyed += seconds
            if wrong := difference(folder / command.name, out):
                raise SystemExit(f"{command.name} after {number} kills differs: {wrong}")
            print(f"{command.name}: the same after {number} kills ({kills.total()})", flush=True)
            shutil.rmtree(out)
    late = sum(seconds > TIDY_SECONDS for seconds in obeyed)
    print("\n".join(f"{what}: {number}" for what, number in sorted(kills.items())))
    result = {"trials": num_trials, "kills": kills.total(), "different": 0}
    result |= {
        "signals": len(obeyed),
        "later than 2 s": late,
        "slowest": round(max(obeyed, default=0), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
