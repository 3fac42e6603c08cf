"""Small token streams that have tripped n-gram programs."""

import numpy as np


def random_stream(seed: int, length: int, vocab_size: int, boundary: float = 0.1) -> np.ndarray:
    """Random documents over ids 2 to V - 1 and few of them often, as in text."""
    generator = np.random.default_rng(seed)
    ids = 2 + (generator.random(length) ** 3 * (vocab_size - 2)).astype(np.int64)
    ids[generator.random(length) < boundary] = 0
    return np.concatenate([[0], ids, [0]])


STREAMS = {
    "nothing": np.array([0]),
    "one empty document": np.array([0, 0]),
    "empty documents": np.array([0, 0, 0, 4, 0, 0, 0]),
    "one word": np.array([0, 3, 0]),
    "one word, often": np.array([0] + [3, 0] * 9),
    "repeated characters": np.array([0] + [3] * 40 + [0] + [3] * 7 + [0]),
    "no end": np.array([0, 3, 4, 3, 4, 5]),
    "one document": random_stream(1, 200, 7, boundary=0),
    "short documents": random_stream(2, 300, 6, boundary=0.4),
    "text": random_stream(3, 900, 30),
    "long text": random_stream(4, 3000, 12),
}
