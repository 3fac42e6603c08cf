"""Training steps of a whole word language model: ours beside the same model of torch's functions.

    UNROLLED_DATA=FOLDER python benchmarks/training.py [--rounds 7] [--steps 3] [--curve 200]
                                                       [--keep-memory]

FOLDER holds ptb/ptb.{train,valid}.txt.zst (Mikolov's preprocessed Penn Treebank). Three models
begin with the same weights, 2 x 512 LSTM with tied embeddings of 512, batch 64 x 70, bfloat16
autocast: ours with the full softmax; ours as `unrolled train` trains a vocabulary of this size,
the softmax estimated from a fifth of it; and one made of torch.lstm, F.linear and F.cross_entropy.
They take turns; printed are tokens/s, ratios, the training loss and the held-out loss (always the
full softmax) after `--curve` steps of AdamW on the same batches, and where the time of our steps
goes.
"""

import argparse
import importlib
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from unrolled import kernels
from unrolled.models.recurrent import RecurrentModel
from unrolled.ops.linear_log_probs import make_sampler
from unrolled.settings.models import RecurrentConfig
from unrolled.system.machine import keep_freed_memory, machine, versions

zstd = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
BATCH_SIZE, LENGTH, WIDTH = 64, 70, 512
VOCABULARY = 10_000
CANDIDATES = VOCABULARY // 5
KINDS = {
    "ours": "ours, full softmax",
    "sampled": "ours, softmax from a fifth",
    "torch": "torch.lstm, full softmax",
}


def main() -> None:
    """Times all three, follows their losses, and prints a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="in a turn")
    parser.add_argument("--curve", type=int, default=200, help="steps before losses are compared")
    parser.add_argument(
        "--keep-memory", action="store_true", help="for all, as unrolled's commands do"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.keep_memory:
        keep_freed_memory()
    print(f"{machine()}; 2 threads; {kernels.status()}; torch {versions()['torch']}\n")
    ids = vocabulary()
    tokens, held_out = words("train", ids), words("valid", ids)
    trainers = {kind: Trainer(kind, tokens) for kind in KINDS}
    for trainer in trainers.values():
        trainer.train(2)
    speeds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(arguments.rounds):
        for kind, trainer in trainers.items():
            speeds[kind].append(trainer.train(arguments.steps))
    print("| model | tokens/s | spread | times torch | training loss | held-out loss |")
    print("|---|---|---|---|---|---|")
    rows = []
    for kind, trainer in trainers.items():
        trainer.train(arguments.curve - trainer.num_steps)
        ratio = median(a / b for a, b in zip(speeds[kind], speeds["torch"], strict=True))
        losses = float(np.mean(trainer.losses[-20:])), trainer.score(held_out)
        rows.append({"model": kind, "tokens_per_second": speeds[kind], "losses": losses})
        print(
            f"| {KINDS[kind]} | {median(speeds[kind]):,.0f} | {min(speeds[kind]):,.0f} to "
            f"{max(speeds[kind]):,.0f} | {ratio:.2f}x | {losses[0]:.3f} | {losses[1]:.3f} |",
            flush=True,
        )
    print(f"\nnats; after {arguments.curve} steps, training of the last 20\n")
    for kind in ("ours", "sampled"):
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            trainers[kind].train(arguments.steps)
        print(KINDS[kind])
        print(profiled.key_averages().table("self_cpu_time_total", row_limit=16))
    print(json.dumps(rows))


def read(split: str) -> list[str]:
    """Words of a PTB file, `<eos>` at the end of lines."""
    path = Path(os.environ["UNROLLED_DATA"], "ptb", f"ptb.{split}.txt.zst")
    return zstd.decompress(path.read_bytes()).decode("utf-8").replace("\n", " <eos> ").split()


def vocabulary() -> dict[str, int]:
    """The id of each word, most frequent first."""
    counts = Counter(read("train")).most_common(VOCABULARY)
    return {word: index for index, (word, _) in enumerate(counts)}


def words(split: str, ids: dict[str, int]) -> Tensor:
    """Word ids of a PTB file, `(B, N)`."""
    stream = torch.tensor([ids[word] for word in read(split)])
    return stream[: len(stream) // BATCH_SIZE * BATCH_SIZE].view(BATCH_SIZE, -1)


class Trainer:
    """One model in training, of a kind of KINDS."""

    def __init__(self, kind: str, tokens: Tensor) -> None:
        torch.manual_seed(0)
        settings = RecurrentConfig(
            kind="lstm", hidden_size=WIDTH, embedding_size=WIDTH, num_layers=2
        )
        self.kind, self.tokens = kind, tokens
        self.model = RecurrentModel(settings, VOCABULARY)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3, fused=True)
        self.state = self.model.initial_state(BATCH_SIZE)
        self.losses: list[float] = []
        counts = tokens.flatten().bincount(minlength=VOCABULARY).clamp(min=1)
        unigram = (counts / counts.sum()).log()
        self.sampler = make_sampler(unigram, CANDIDATES if kind == "sampled" else 0)

    @property
    def num_steps(self) -> int:
        """Steps taken so far."""
        return len(self.losses)

    def train(self, num_steps: int) -> float:
        """Takes steps; returns tokens per second."""
        began = time.perf_counter()
        self.step(num_steps)
        return num_steps * BATCH_SIZE * LENGTH / (time.perf_counter() - began)

    def step(self, num_steps: int) -> None:
        """Forward, backward and AdamW, with the state carried on."""
        for _ in range(num_steps):
            at = self.num_steps * LENGTH % (self.tokens.shape[1] - LENGTH - 1)
            x, targets = self.tokens[:, at : at + LENGTH], self.tokens[:, at + 1 : at + LENGTH + 1]
            with torch.autocast("cpu", torch.bfloat16):
                loss, state = self.loss(x, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.state = tuple(part.detach() for part in state)
            self.losses.append(loss.item())

    def loss(self, x: Tensor, targets: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Mean nats per token, and the next state."""
        if self.kind != "torch":
            candidates = self.sampler.draw() if self.sampler else None
            log_probs, state = self.model.score(x, targets, self.state, candidates)
            return -log_probs.mean(), state
        embedding = self.model.embedding
        y = F.embedding(x, embedding.weight).transpose(0, 1)
        states = []
        for index, layer in enumerate(self.model.stack.layers):
            weights = (layer.weight_ih, layer.weight_hh, layer.bias, torch.zeros_like(layer.bias))
            start = [part[:, index][None].contiguous() for part in self.state]
            y, *last = torch.lstm(y, start, weights, True, 1, 0.0, True, False, False)
            states.append(last)
        logits = F.linear(y.transpose(0, 1), embedding.weight, embedding.bias)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        h, c = (torch.cat(column).transpose(0, 1).float() for column in zip(*states, strict=True))
        return loss, (h, c)

    @torch.no_grad()
    def score(self, tokens: Tensor) -> float:
        """Mean nats per token of other text, with the full softmax in float32."""
        start = self.model.initial_state(len(tokens))
        return -self.model.score(tokens[:, :-1], tokens[:, 1:], start)[0].mean().item()


if __name__ == "__main__":
    main()
