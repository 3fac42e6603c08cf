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


def check_pieces(model) -> None:
    """Reading in pieces equals reading the whole, and the past alone decides."""
    tokens = torch.randint(model.vocab_size, (3, 9))
    with torch.no_grad():
        whole, last = model.read(tokens, model.initial_state(3))
        torch.testing.assert_close(whole.exp().sum(-1), torch.ones(3, 9))
        for sizes in ((1,) * 9, (2, 3, 4), (8, 1)):
            state, parts = model.initial_state(3), []
            for piece in tokens.split(sizes, 1):
                log_probs, state = model.read(piece, state)
                parts.append(log_probs)
            torch.testing.assert_close(torch.cat(parts, 1), whole)
            torch.testing.assert_close(state, last)
        scores, state = model.score(tokens, tokens.roll(1, 1), model.initial_state(3))
        expected = whole.gather(2, tokens.roll(1, 1)[:, :, None])[:, :, 0]
        torch.testing.assert_close(scores, expected)
        torch.testing.assert_close(model.advance(tokens, model.initial_state(3)), last)
        other = torch.cat([tokens[:, :5], (tokens[:, 5:] + 1) % model.vocab_size], 1)
        changed, _ = model.read(other, model.initial_state(3))
        assert torch.equal(changed[:, :5], whole[:, :5])
        assert not torch.equal(changed[:, 5:], whole[:, 5:])
