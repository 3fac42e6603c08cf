"""Seconds per training step of a common two-layer LSTM classifier, beside other libraries.

    scripts/bench-peers
    python benchmarks/article.py [PEER ...] [--rounds 7] [--keep-memory] [--venvs .venv-peers]

The program: Embedding(10000, 128), LSTM(64), LSTM(32), Dense(1, sigmoid) on the last output; binary
cross-entropy, Adam, batch 64, length 500, 2 threads. `scripts/bench-peers` makes the environments
of the peers; what it could not make is left out. All peers are started and warmed up, then they
take turns of about a second; while one trains, the others wait for their input.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
THREADS = 2
TURN_SECONDS = 1.0
IDLE_SECONDS = 1.0
BASELINE = "fastest Keras float32"
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**33)}
"""Tells the GNU C library not to give back what is freed, as far as all its versions can."""


@dataclass(frozen=True)
class Peer:
    """A program of `benchmarks/peers/`; without `venv` it runs in this environment."""

    name: str
    program: str
    venv: str | None = None
    precision: str = "float32"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and precision."""
        return f"{self.name} {self.precision}"


PEERS = (
    Peer("Keras", "keras_article.py", "keras"),
    Peer("Keras", "keras_article.py", "keras", "bfloat16"),
    Peer("Keras", "keras_article.py", "keras", environment={"INTER_OP": "2"}),
    Peer("JAX", "jax_article.py", "jax"),
    Peer("torch.nn.LSTM", "torch_article.py"),
    Peer("torch.nn.LSTM", "torch_article.py", precision="bfloat16"),
    Peer("Haste", "haste_article.py", "haste"),
    Peer("unrolled", "unrolled_article.py"),
    Peer("unrolled", "unrolled_article.py", precision="bfloat16"),
)


class Runner:
    """A started peer: it trains when asked, and else waits."""

    def __init__(self, peer: Peer, python: str, keep_memory: bool) -> None:
        self.peer = peer
        self.seconds: list[float] = []
        self.loss = float("nan")
        self.num_steps = 1
        environment = os.environ | {
            "OMP_NUM_THREADS": str(THREADS),
            "CUDA_VISIBLE_DEVICES": "",
            "JAX_PLATFORMS": "cpu",
            **(KEEP_MEMORY if keep_memory else {}),
            **peer.environment,
        }
        self.process = subprocess.Popen(
            [python, str(ROOT / "benchmarks" / "peers" / peer.program)]
            + ["--precision", peer.precision],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.about = json.loads(self.read().removeprefix("ready "))
        self.num_steps = max(1, round(TURN_SECONDS / self.turn()))

    def read(self) -> str:
        """The next line that the peer prints; ends the benchmark if the peer ended."""
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return line
        sys.exit(f"error: {self.peer.label} ended; the reason is above.")

    def turn(self) -> float:
        """Trains for a turn; returns seconds per step."""
        assert self.process.stdin
        self.process.stdin.write(f"go {self.num_steps}\n")
        self.process.stdin.flush()
        answer = json.loads(self.read())
        self.loss = answer["loss"]
        return answer["seconds"] / self.num_steps

    def cpu_seconds(self) -> float:
        """Processor time that the peer has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the peer."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    """Starts the peers, lets them take turns, and prints a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = list(dict.fromkeys(peer.name for peer in PEERS))
    parser.add_argument("peers", nargs="*", default=names, metavar="PEER", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--keep-memory", action="store_true", help="for all, as unrolled's commands do"
    )
    parser.add_argument("--venvs", type=Path, default=ROOT / ".venv-peers")
    arguments = parser.parse_args()
    if unknown := set(arguments.peers) - set(names):
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(names)}.")
    bind()
    runners = start(arguments.peers, arguments.venvs, arguments.keep_memory)
    if not runners:
        sys.exit("error: none of these peers is there. Run: scripts/bench-peers")
    idle = idle_share(runners)
    for index in range(arguments.rounds):
        for runner in runners[:: (-1) ** index]:
            runner.seconds.append(runner.turn())
    for runner in runners:
        runner.close()
    report(runners, idle)


def bind() -> None:
    """Leaves this process and the peers two processors: JAX always takes all that there are."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def start(names: list[str], venvs: Path, keep_memory: bool) -> list[Runner]:
    """Starts one peer after the other; says which are absent."""
    runners = []
    for peer in PEERS:
        if peer.name not in names:
            continue
        python = venvs / peer.venv / "bin" / "python" if peer.venv else Path(sys.executable)
        if python.exists():
            runners.append(Runner(peer, str(python), keep_memory))
        else:
            print(f"{peer.label}: absent, there is no {python}; scripts/bench-peers makes it.")
    return runners


def idle_share(runners: list[Runner]) -> float:
    """The largest share of a processor that a waiting peer takes; it has to be close to 0."""
    before = [runner.cpu_seconds() for runner in runners]
    time.sleep(IDLE_SECONDS)
    used = [runner.cpu_seconds() - spent for runner, spent in zip(runners, before, strict=True)]
    return max(used) / IDLE_SECONDS


def report(runners: list[Runner], idle: float) -> None:
    """Prints the conditions, a row for each peer, and all of it as JSON."""
    facts = conditions(runners) | {"idle_processor_share": round(idle, 3)}
    for key, value in facts.items():
        print(f"{key.replace('_', ' ')}: {value}")
    rows = [row(runner) for runner in runners]
    baseline = min((line["seconds"] for line in rows if is_baseline(line)), default=None)
    print(f"\n| peer | precision | s/step | min-max | {BASELINE} takes | loss | how |")
    print("|---|---|---|---|---|---|---|")
    for line in rows:
        line["speed"] = baseline and round(baseline / line["seconds"], 2)
        ratio = f"{line['speed']:.2f} x" if baseline else ""
        print(
            f"| {line['peer']} | {line['precision']} | {line['seconds']:.4f} | "
            f"{line['seconds_min']:.4f}-{line['seconds_max']:.4f} | {ratio} | "
            f"{line['loss']:.3f} | {line['note']} |"
        )
    print(json.dumps({**facts, "peers": rows}))


def is_baseline(line: dict[str, Any]) -> bool:
    """Whether a row is one of those whose fastest the others are compared with."""
    return line["peer"] == "Keras" and line["precision"] == "float32"


def row(runner: Runner) -> dict[str, Any]:
    """What a peer reached."""
    return {
        "peer": runner.peer.name,
        "precision": runner.peer.precision,
        "seconds": median(runner.seconds),
        "seconds_min": min(runner.seconds),
        "seconds_max": max(runner.seconds),
        "steps_per_turn": runner.num_steps,
        "loss": runner.loss,
        "note": runner.about["note"],
    }


def conditions(runners: list[Runner]) -> dict[str, Any]:
    """What a figure depends on."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().split("\n") if "model name" in line
    ]
    versions = {"python": platform.python_version()}
    for runner in runners:
        versions |= runner.about["versions"]
    commit = git("log", "-1", "--format=%h", "--", "src/unrolled")
    changed = git("status", "--porcelain", "--", "src/unrolled")
    return {
        "machine": f"{models[0].partition(':')[2].strip()}, {os.cpu_count()} cores",
        "threads": THREADS,
        "rounds": len(runners[0].seconds),
        "versions": versions,
        "commit": commit + "-dirty" * bool(changed),
    }


def git(*arguments: str) -> str:
    """What a git command prints."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
