"""`unrolled generate`: let a model write."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def generate(  # noqa: PLR0913  a parameter is a flag
    run: Path,
    /,
    *,
    prompt: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    repetition_penalty: float = 1.0,
    max_tokens: int = 200,
    stop: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    seed: int = 0,
    num_samples: Annotated[int, Parameter(name=["--num-samples", "-n"])] = 1,
) -> int:
    """Generate text from a model, with or without a prompt.

    Example: unrolled generate runs/a --prompt "Once upon a" --temperature 0.8

    Parameters
    ----------
    run
        Run folder.
    prompt
        Beginning of the text; - reads it from standard input, without the last newline.
    temperature
        Sampling temperature: above 1 more random, below 1 less; 0: greedy.
    top_k
        Sample from the k most likely tokens only; 0: from all.
    top_p
        Sample from the most likely tokens that together have this probability.
    min_p
        Sample tokens with at least this fraction of the largest probability.
    repetition_penalty
        Above 1: make tokens among the last 256 less likely.
    max_tokens
        Largest number of tokens to generate.
    stop
        Text at which to stop; may be given several times.
    seed
        Random seed of sampling.
    num_samples
        Number of texts, separated by lines of dashes.
    """
    from ..inference import generation
    from ..runs.folder import load
    from .rows import input_lines

    config = generation.SamplingConfig(
        repetition_penalty, temperature, top_k, top_p, min_p, max_tokens, stop, seed
    )
    opened = load(run)
    text = "\n".join(input_lines()) if prompt == "-" else prompt
    if num_samples == 1:
        pieces = generation.stream(opened.model, opened.tokenizer, text, config, opened.boundaries)
        sys.stdout.write(text)
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
        print()
    else:
        written = generation.generate(
            opened.model, opened.tokenizer, text, config, num_samples, opened.boundaries
        )
        print(f"\n{'-' * 20}\n".join(text + continuation for continuation in written))
    return 0
