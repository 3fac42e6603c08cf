"""Five questions whose answers need memory, each drawn from a random generator without end."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from .request import TaskName

Measure = Literal["loss", "accuracy"]


class Batch(NamedTuple):
    """Sequences to read, and what is asked at some of their steps."""

    inputs: Tensor
    """Symbols `(B, T)` int64, or numbers `(B, T, 2)` float32."""
    targets: Tensor
    """Symbols `(B, T)` int64, or numbers `(B, T)` float32; they count where the mask is True."""
    mask: Tensor
    """`(B, T)` bool; True at as many steps in every batch."""


class Task(Protocol):
    """A probe at one length.

    `batch(rng, B)` draws sequences, a model answers at the N masked steps with
    `outputs (N, vocab_size)` or, where there are no symbols, `(N, 1)`; `loss` is what it
    minimizes and `score` what counts: it has solved the task where `score` is past `goal`.
    """

    @property
    def length(self) -> int:
        """What is asked for on the command line: a delay, or a number of steps."""
        ...

    @property
    def name(self) -> TaskName:
        """As on the command line."""
        ...

    @property
    def vocab_size(self) -> int | None:
        """V, of what is read and answered alike; None: two numbers are read, one is answered."""
        ...

    @property
    def num_steps(self) -> int:
        """T, steps of one sequence."""
        ...

    @property
    def measure(self) -> Measure:
        """Whether the score is a loss, lower is better, or an accuracy, higher is better."""
        ...

    @property
    def chance(self) -> float:
        """Score of the best answer that does not look at the sequence."""
        ...

    @property
    def goal(self) -> float:
        """Score from which the task counts as solved."""
        ...

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Draws B sequences; the same generator state gives the same."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training minimizes, from outputs `(N, K)` and targets `(N,)`."""
        ...

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """What counts, in the unit of `chance` and `goal`."""
        ...


def solved(task: Task, score: float) -> bool:
    """Whether a score is past the goal; one that is not a number is not."""
    return score >= task.goal if task.measure == "accuracy" else score < task.goal


class _Symbols:
    """What tasks with symbols share: cross-entropy, and the share of right answers."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats."""
        return F.cross_entropy(outputs, targets)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Share of the answers that are right."""
        return (outputs.argmax(-1) == targets).float().mean().item()


@dataclass(frozen=True)
class Adding:
    """Adding problem: the sum of two marked numbers among T.

    Reads T pairs (value, marker), value uniform in [0, 1], marker 1 at two different random steps
    and 0 elsewhere; answers at the last step with the sum of the two marked values. Squared error;
    always answering 1 costs the variance of the sum, 2/12. Solved below 0.01.
    Source: Hochreiter & Schmidhuber 1997; in this form Bai et al. 2018.
    """

    length: int
    name: TaskName = "adding"
    vocab_size: None = None
    measure: Measure = "loss"
    chance: float = 1 / 6
    goal: float = 0.01

    @property
    def num_steps(self) -> int:
        """T."""
        return self.length

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Inputs `(B, T, 2)`, targets `(B, T)`."""
        values = torch.rand(batch_size, self.length, generator=rng)
        marked = torch.zeros_like(values).scatter_(1, _places(rng, values.shape, 2), 1.0)
        targets = torch.zeros_like(values)
        targets[:, -1] = (values * marked).sum(1)
        mask = torch.zeros(values.shape, dtype=torch.bool)
        mask[:, -1] = True
        return Batch(torch.stack((values, marked), -1), targets, mask)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error."""
        return F.mse_loss(outputs[:, 0], targets)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Mean squared error."""
        return self.loss(outputs, targets).item()


@dataclass(frozen=True)
class CopyMemory(_Symbols):
    """Copy memory: ten symbols, a long wait, then the same ten symbols.

    Reads 10 symbols of 8, T - 1 blanks, a signal, 10 blanks: T + 20 steps. Answers a blank at the
    first T + 10 steps, then the 10 symbols. Cross-entropy over all steps; who knows when but not
    what pays 10 ln(8) / (T + 20). Solved below a tenth of it.
    Source: Hochreiter & Schmidhuber 1997; in this form Arjovsky et al. 2016, Bai et al. 2018.
    """

    length: int
    """T, the delay."""
    name: TaskName = "copy"
    vocab_size: int = 10
    """Blank 0, symbols 1 to 8, signal 9."""
    measure: Measure = "loss"

    @property
    def num_steps(self) -> int:
        """T + 20."""
        return self.length + 20

    @property
    def chance(self) -> float:
        """Nats per step."""
        return 10 * math.log(8) / self.num_steps

    @property
    def goal(self) -> float:
        """A tenth of chance."""
        return self.chance / 10

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Inputs and targets `(B, T + 20)`."""
        inputs = torch.zeros(batch_size, self.num_steps, dtype=torch.int64)
        inputs[:, :10] = torch.randint(1, 9, (batch_size, 10), generator=rng)
        inputs[:, -11] = 9
        targets = torch.zeros_like(inputs)
        targets[:, -10:] = inputs[:, :10]
        return Batch(inputs, targets, torch.ones_like(inputs, dtype=torch.bool))

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Mean cross-entropy in nats."""
        return self.loss(outputs, targets).item()


@dataclass(frozen=True)
class SelectiveCopy(_Symbols):
    """Selective copy: 16 symbols scattered among noise, then recalled in order.

    Reads T steps, 16 symbols of 16 at different random steps and noise elsewhere, then 16 signals.
    Answers the symbols in the order of their appearance, at the signals. A guess is right in 1 of
    16 cases; solved from 95 % on. When to remember depends on the content: waiting does not help.
    Source: Jing et al. 2019; Gu & Dao 2023 (arXiv 2312.00752).
    """

    length: int
    name: TaskName = "selective-copy"
    vocab_size: int = 18
    """Noise 0, symbols 1 to 16, signal 17."""
    measure: Measure = "accuracy"
    chance: float = 1 / 16
    goal: float = 0.95

    @property
    def num_steps(self) -> int:
        """T + 16."""
        return self.length + 16

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Inputs and targets `(B, T + 16)`; the mask is True at the signals."""
        symbols = torch.randint(1, 17, (batch_size, 16), generator=rng)
        places = _places(rng, (batch_size, self.length), 16).sort(1).values
        noisy = torch.zeros(batch_size, self.length, dtype=torch.int64).scatter(1, places, symbols)
        inputs = torch.cat((noisy, torch.full_like(symbols, 17)), 1)
        targets = torch.cat((torch.zeros_like(noisy), symbols), 1)
        mask = torch.arange(self.num_steps) >= self.length
        return Batch(inputs, targets, mask.expand(batch_size, -1))


@dataclass(frozen=True)
class Recall(_Symbols):
    """Multi-query associative recall: pairs of key and value, then keys alone.

    Reads T steps: D pairs key, value (T / 8 of them by default), keys and values all different,
    then each key once more, in random order and amid blanks, after a gap g with
    P(g) ~ g^(0.01 - 1). Answers each of these keys with its value. A guess is right in 1 of V/2
    cases; solved from 95 % on. What has to be kept grows with D, so the size of the state decides.
    Source: Arora et al. 2023 (arXiv 2312.04927).
    """

    length: int
    vocab_size: int = 1024
    """V: blank 0, keys below V/2, values from V/2 on."""
    num_pairs: int | None = None
    name: TaskName = "recall"
    measure: Measure = "accuracy"
    goal: float = 0.95

    @property
    def num_steps(self) -> int:
        """T."""
        return self.length

    @property
    def chance(self) -> float:
        """One of the values."""
        return 1 / (self.vocab_size - self.vocab_size // 2)

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Inputs and targets `(B, T)`; the mask is True at the D keys that are asked for."""
        num_pairs, first = self.num_pairs or self.length // 8, self.vocab_size // 2
        keys = 1 + _places(rng, (batch_size, first - 1), num_pairs)
        values = first + _places(rng, (batch_size, self.vocab_size - first), num_pairs)
        pairs = torch.stack((keys, values), -1).flatten(1)  # (B, 2D)
        num_gaps = (self.length - 2 * num_pairs) // 2
        weights = torch.arange(1, num_gaps + 1, dtype=torch.float32) ** (0.01 - 1)
        gaps = torch.multinomial(weights.expand(batch_size, -1), num_pairs, generator=rng)
        asked = 2 * num_pairs + 2 * gaps
        blanks = torch.zeros(batch_size, self.length, dtype=torch.int64)
        inputs = blanks.scatter(1, asked, keys)
        inputs[:, : 2 * num_pairs] = pairs
        targets = blanks.scatter(1, asked, values)
        return Batch(inputs, targets, targets > 0)


@dataclass(frozen=True)
class Parity(_Symbols):
    """Parity: after each of T random bits, whether the number of ones so far is odd.

    y_t = y_{t-1} xor x_t. One bit of state is enough, but it has to be switched: neither a sum nor
    a state in which old things only fade can do that. A guess is right in half of the cases;
    solved from 99 % on.  Source: Minsky & Papert 1969; as a probe Hahn 2020, Beck et al. 2024.
    """

    length: int
    name: TaskName = "parity"
    vocab_size: int = 2
    measure: Measure = "accuracy"
    chance: float = 0.5
    goal: float = 0.99

    @property
    def num_steps(self) -> int:
        """T."""
        return self.length

    def batch(self, rng: Generator, batch_size: int) -> Batch:
        """Inputs and targets `(B, T)`."""
        bits = torch.randint(0, 2, (batch_size, self.length), generator=rng)
        return Batch(bits, bits.cumsum(1) % 2, torch.ones_like(bits, dtype=torch.bool))


def _places(rng: Generator, shape: tuple[int, ...], num_places: int) -> Tensor:
    """Different random indices below N for each row of `shape (B, N)`: `(B, num_places)`."""
    return torch.rand(shape, generator=rng).topk(num_places, 1).indices


BUILDERS: dict[str, Callable[[int], Task]] = {
    "adding": Adding,
    "copy": CopyMemory,
    "selective-copy": SelectiveCopy,
    "recall": Recall,
    "parity": Parity,
}
