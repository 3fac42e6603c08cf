"""What every model of the protocol has to refuse."""

import pytest
import torch

from unrolled.errors import ShapeError


def check_other_shapes(model, size: tuple[int, ...]) -> None:
    """Tokens of this size are refused by `read`, `advance` and `score`."""
    tokens = torch.zeros(size, dtype=torch.int64)
    for call in (
        lambda: model.read(tokens, model.initial_state(3)),
        lambda: model.advance(tokens, model.initial_state(3)),
        lambda: model.score(tokens, tokens, model.initial_state(3)),
    ):
        with pytest.raises(ShapeError) as caught:
            call()
        assert str(caught.value) == f"tokens must have shape (B, T) with T >= 1, got {size}."
