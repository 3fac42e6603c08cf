"""What holds in every test: one thread, the same random numbers, nothing uninitialized."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from unrolled.text.store import SplitInfo, TokenStore

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def same_conditions() -> Iterator[None]:
    """A test sees the same numbers whatever ran before it.

    In its deterministic mode torch fills new memory with NaN, so that reading what was never
    written shows.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(1).isnan()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def english() -> str:
    """Path of 25 kB of English prose."""
    return str(DATA / "english.txt")


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., TokenStore]:
    """Makes a store of given ids, one byte each: `make_store(vocab_size, train=ids, valid=ids)`."""

    def make(vocab_size: int, **splits: ArrayLike) -> TokenStore:
        infos = {}
        for name, ids in splits.items():
            num_tokens = np.asarray(ids).size - 1
            infos[name] = SplitInfo(num_tokens, 1, num_tokens, num_tokens, num_tokens // 5, 0, 0.0)
            np.asarray(ids, np.uint16).tofile(tmp_path / f"{name}.ids")
        return TokenStore(tmp_path, vocab_size, "hash", "fingerprint", infos)

    return make
