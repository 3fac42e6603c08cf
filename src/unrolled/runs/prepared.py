"""A text ready for training: its tokens, and the baselines that other figures are read by."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..models.ngram import NgramModel
from ..ngram.counts import count_ngrams
from ..ngram.kneser_ney import estimate
from ..results.run import UNIGRAM
from ..settings.data import DataConfig
from ..system.files import remove_left_behind
from ..text.prepare import prepare
from ..text.store import INDEX, TOKEN_BYTES, TOKENIZER, TokenStore
from ..text.tokenizers import BOUNDARY_ID, Tokenizer, load_tokenizer

TOKENS, BASELINES = "tokens", "baselines"
IDS = ("train.ids", "valid.ids", "test.ids")
BASELINE_ORDERS = {UNIGRAM: 1, "5-gram": 5}
BASELINE_TOKENS = 2_000_000
"""Training tokens that the baselines count, from the beginning."""


@dataclass(frozen=True)
class PreparedText:
    """A folder with tokens/ and baselines/; `compare` shares one among its models."""

    folder: Path
    tokenizer: Tokenizer
    store: TokenStore

    @classmethod
    def prepare(
        cls, data: DataConfig, folder: Path, tokenizer: Tokenizer | None = None
    ) -> "PreparedText":
        """Encodes a text and counts its baselines.

        Args:
            tokenizer: Default: trained on the training split.

        Raises:
            UnrolledError: a text cannot be read, or is too short for its splits.
        """
        new = [path for path in (folder / TOKENS, folder / BASELINES, folder) if not path.exists()]
        try:
            tokenizer, store = prepare(data, folder / TOKENS, tokenizer)
            for name, order in BASELINE_ORDERS.items():
                model, _ = count_model(store, order, BASELINE_TOKENS)
                model.save(_path(folder, name))
        except BaseException:  # nothing of it stays, so that the corrected command begins anew
            for path in new:
                shutil.rmtree(path, ignore_errors=True)
            raise
        return cls(folder, tokenizer, store)

    @classmethod
    def open(cls, folder: Path) -> "PreparedText":
        """Opens what `prepare` left in a folder.

        Raises:
            CheckpointError: it is missing, damaged or incomplete.
        """
        tokenizer = load_tokenizer(folder / TOKENS / TOKENIZER)
        for name in BASELINE_ORDERS:
            if not _path(folder, name).is_file():
                raise CheckpointError(folder, f"has no {name} baseline", "Start it again.")
        return cls(folder, tokenizer, TokenStore.open(folder / TOKENS, tokenizer))

    def unigram(self) -> Tensor:
        """Log-probabilities of the tokens on their own, `(V,)`."""
        model = NgramModel.load(_path(self.folder, UNIGRAM))
        start = torch.full((1, 1), BOUNDARY_ID)
        log_probs, _ = model.read(start, model.initial_state(1))
        return log_probs[0, 0]

    def clean_up(self) -> None:
        """See `clean_up`."""
        clean_up(self.folder)

    def remove(self) -> None:
        """Removes the tokens and the baselines."""
        self.clean_up()
        for name in BASELINE_ORDERS:
            _path(self.folder, name).unlink(missing_ok=True)
        with suppress(OSError):
            (self.folder / BASELINES).rmdir()


def clean_up(folder: Path) -> None:
    """Removes the tokens; the baselines stay, for texts that are evaluated later."""
    tokens = folder / TOKENS
    for name in (INDEX, TOKENIZER, TOKEN_BYTES, *IDS):
        (tokens / name).unlink(missing_ok=True)
    remove_left_behind(tokens)
    remove_left_behind(folder / BASELINES)
    with suppress(OSError):  # somebody else's files are there too, or it is gone
        tokens.rmdir()


def count_model(
    store: TokenStore, order: int, max_tokens: int | None = None
) -> tuple[NgramModel, float]:
    """Counts and smooths an n-gram model of the training split; returns it and the seconds."""
    began = time.monotonic()
    tokens = store.tokens("train")[:max_tokens]
    model = NgramModel(estimate(count_ngrams(tokens, order, store.vocab_size)))
    return model, time.monotonic() - began


def _path(folder: Path, name: str) -> Path:
    return folder / BASELINES / f"{name}.safetensors"


def load_baselines(folder: Path) -> dict[str, NgramModel]:
    """The baselines in a folder, by name; empty where it was moved away."""
    paths = sorted((folder / BASELINES).glob("*.safetensors"), reverse=True)
    return {path.stem: NgramModel.load(path) for path in paths}
