"""Training steps of a whole word language model: ours beside the same model of torch's functions.

    UNROLLED_DATA=FOLDER python benchmarks/training.py [--rounds 7] [--steps 3] [--curve 200]

FOLDER holds ptb/ptb.train.txt.zst (Mikolov's preprocessed Penn Treebank). Two models of the same
weights, 2 x 512 LSTM with tied embeddings of 512, batch 64 x 70, bfloat16 autocast, full softmax;
the other one is made of torch.lstm, F.linear and F.cross_entropy. They take turns; printed are
tokens/s of both, the ratio, the loss of both after `--curve` steps of AdamW on the same batches,
and where the time of our steps goes.
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
from unrolled.config import RecurrentConfig
from unrolled.machine import machine, versions
from unrolled.models.recurrent import RecurrentModel

zstd = importlib.import_module(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
)
BATCH_SIZE, LENGTH, WIDTH = 64, 70, 512
VOCABULARY = 10_000


def main() -> None:
    """Times both, follows both losses, and prints a profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3, help="in a turn")
    parser.add_argument("--curve", type=int, default=200, help="steps before losses are compared")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    print(f"{machine()}; 2 threads; {kernels.status()}; torch {versions()['torch']}\n")
    tokens = words(Path(os.environ["UNROLLED_DATA"], "ptb", "ptb.train.txt.zst"))
    ours, peer = Trainer(tokens), Trainer(tokens, plain=True)
    ours.train(2), peer.train(2)
    speeds: list[tuple[float, float]] = []
    for _ in range(arguments.rounds):
        speeds.append((ours.train(arguments.steps), peer.train(arguments.steps)))
    mine, theirs = (median(column) for column in zip(*speeds, strict=True))
    ratio = median(a / b for a, b in speeds)
    print(f"ours {mine:,.0f} tokens/s, torch.nn.LSTM's {theirs:,.0f}: {ratio:.2f}x\n")
    left = arguments.curve - ours.num_steps
    ours.train(left), peer.train(left)
    losses = [float(np.mean(trainer.losses[-20:])) for trainer in (ours, peer)]
    print(f"mean loss of steps {ours.num_steps - 19}-{ours.num_steps}: {losses} nats\n")
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        ours.train(arguments.steps)
    print(profiled.key_averages().table("self_cpu_time_total", row_limit=16))
    print(json.dumps({"ours": mine, "torch": theirs, "ratio": ratio, "losses": losses}))


def words(path: Path) -> Tensor:
    """Word ids of a PTB file, most frequent first, `<eos>` at the end of lines, `(B, N)`."""
    text = zstd.decompress(path.read_bytes()).decode("utf-8").replace("\n", " <eos> ").split()
    ids = {word: index for index, (word, _) in enumerate(Counter(text).most_common(VOCABULARY))}
    stream = torch.tensor([ids[word] for word in text])
    return stream[: len(stream) // BATCH_SIZE * BATCH_SIZE].view(BATCH_SIZE, -1)


class Trainer:
    """One model in training, on our kernels or on torch's layers."""

    def __init__(self, tokens: Tensor, plain: bool = False) -> None:
        torch.manual_seed(0)
        settings = RecurrentConfig(
            kind="lstm", hidden_size=WIDTH, embedding_size=WIDTH, num_layers=2
        )
        self.tokens, self.plain = tokens, plain
        self.model = RecurrentModel(settings, VOCABULARY)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3, fused=True)
        self.state = self.model.initial_state(BATCH_SIZE)
        self.losses: list[float] = []

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
        if not self.plain:
            log_probs, state = self.model.score(x, targets, self.state)
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


if __name__ == "__main__":
    main()
