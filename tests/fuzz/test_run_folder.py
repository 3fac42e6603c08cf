"""Damaged run folders: each file of a network's, an n-gram's and an unfinished run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unrolled.inference.generation import SamplingConfig, generate
from unrolled.inference.next_words import next_tokens
from unrolled.inference.surprisal import score_text
from unrolled.models.build import build
from unrolled.models.ngram import NgramModel
from unrolled.ngram.counts import count_ngrams
from unrolled.ngram.kneser_ney import estimate
from unrolled.results.events import Warned
from unrolled.runs.folder import (
    append_log,
    load,
    load_train_state,
    read_log,
    save_train_state,
)
from unrolled.settings.models import NgramConfig, RecurrentConfig, TransformerConfig
from unrolled.system.files import write_json
from unrolled.text.tokenizers import ByteTokenizer, CharTokenizer, Spelling
from unrolled.text.vocabulary import train_tokenizer

TEXT = "an apple, a pear, an orange and a peach " * 20
TOKENIZERS = {
    "char": CharTokenizer(sorted(set(TEXT)), Spelling([1] * 257)),
    "byte": ByteTokenizer(),
    "bpe": train_tokenizer("bpe", lambda: iter([TEXT]), len(TEXT), 280),
    "word": train_tokenizer("word", lambda: iter([TEXT]), len(TEXT), 12),
}
MODELS = {
    "char": RecurrentConfig("lstm", hidden_size=4, embedding_size=3),
    "byte": TransformerConfig(hidden_size=4, num_layers=1, num_heads=1, context=4),
    "bpe": NgramConfig(order=3),
    "word": RecurrentConfig("mingru", hidden_size=4, embedding_size=4, num_layers=2),
}


@pytest.fixture(scope="module", params=MODELS)
def run(tmp_path_factory, request) -> Path:
    folder, tokenizer = tmp_path_factory.mktemp("run"), TOKENIZERS[request.param]
    config = MODELS[request.param]
    values = {
        "model": config.to_json(),
        "tokenizer": {"kind": tokenizer.kind, "fingerprint": tokenizer.fingerprint},
        "vocab_size": tokenizer.vocab_size,
        "text": ".",
    }
    write_json(folder / "config.json", values)
    tokenizer.save(folder / "tokenizer.json")
    if isinstance(config, NgramConfig):
        tokens = np.concatenate([[0], tokenizer.encode(TEXT), [0]])
        counts = count_ngrams(tokens, config.order, tokenizer.vocab_size)
        NgramModel(estimate(counts)).save(folder / "model.safetensors")
    else:
        torch.manual_seed(0)
        model = build(config, tokenizer.vocab_size)
        save_file(model.state_dict(), folder / "model.safetensors")
    append_log(
        folder,
        Warned(
            step=1, tokens=1, seconds=1.0, fraction=0.5, condition="diverging", text="it diverges"
        ),
    )
    save_train_state(folder, {"w": torch.ones(3)}, {"step": 1, "seconds": 0.5})
    return folder


def use(folder: Path) -> None:
    run = load(folder)
    next_tokens(run.model, run.tokenizer, "an app", 3)
    score = score_text(run.model, run.tokenizer, "a pear")
    assert np.isfinite(score.bits)
    generate(run.model, run.tokenizer, "an", SamplingConfig(max_tokens=3))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_files_of_a_run(run, name, damage):
    damage(run / name, lambda: use(run))


def test_log_and_checkpoint(run, damage):
    damage(run / "log.jsonl", lambda: list(read_log(run)))
    damage(run / "train_state.safetensors", lambda: load_train_state(run))
