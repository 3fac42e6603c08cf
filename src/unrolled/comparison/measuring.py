"""What a finished run costs to use and how it behaves: speeds, loss by position, samples."""

import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..inference.evaluation import loss_by_position, scoring_speed, to_bits_per_byte
from ..inference.generation import SamplingConfig, generate, sample_ids
from ..models.base import LanguageModel
from ..results.comparison import Position
from ..results.run import Measured
from ..runs.config import save_config
from ..runs.folder import load
from ..runs.prepared import PreparedText
from ..text.tokenizers import BOUNDARY_ID

SECONDS = 1.0
"""Time that each speed is measured for."""
SAMPLE_BYTES = 400
NUM_SAMPLES = 3


def measure(run: Path, text: PreparedText) -> None:
    """Measures a finished run and keeps the figures in its config.json, under "measured"."""
    opened = load(run)
    split = opened.results.split
    tokens, info = text.store.tokens(split), text.store.split(split)
    settings = SamplingConfig(
        temperature=0.8, max_tokens=round(SAMPLE_BYTES * info.num_tokens / info.num_bytes)
    )
    measured = Measured(
        score_tokens_per_second=scoring_speed(opened.model, tokens, SECONDS),
        generate_tokens_per_second=generating_speed(opened.model, SECONDS),
        loss_by_position=[
            Position(row.position, to_bits_per_byte(row.nats_per_token, info))
            for row in loss_by_position(opened.model, tokens)
        ],
        samples=generate(opened.model, opened.tokenizer, "", settings, NUM_SAMPLES),
        sampling=asdict(settings),
    )
    save_config(run, replace(opened.config, measured=measured))


@torch.inference_mode()
def generating_speed(model: LanguageModel, seconds: float) -> float:
    """Tokens per second of one text written token by token, measured for about `seconds`."""
    settings = SamplingConfig(max_tokens=1 << 30)
    done, started = 0, time.perf_counter()
    while True:  # a text may end early; then the next one begins
        for _ in sample_ids(model, [BOUNDARY_ID], settings, 1):
            done += 1
            elapsed = time.perf_counter() - started
            if elapsed >= seconds:
                return done / elapsed
