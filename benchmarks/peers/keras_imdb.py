"""The article's program in Keras, as written, on IMDB; `benchmarks/imdb_article.py` drives it.

Reads a file of `tokens (N, 500)`, `labels (N,)` for train and test; for every line on standard
input it trains one epoch and answers with one JSON line.
"""

import json
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

THREADS = 2


def main() -> None:
    """Embedding, two LSTM layers and a sigmoid on zeros behind the text, without a mask."""
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    keras.utils.set_random_seed(0)
    data = np.load(sys.argv[1])
    model = keras.Sequential(
        [
            keras.Input((500,), dtype="int32"),
            keras.layers.Embedding(10_000, 128),
            keras.layers.LSTM(64, return_sequences=True),
            keras.layers.LSTM(32),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    for _ in sys.stdin:
        began = time.perf_counter()
        history = model.fit(data["train_tokens"], data["train_labels"], 64, 1, verbose=0).history
        seconds = time.perf_counter() - began
        _, accuracy = model.evaluate(data["test_tokens"], data["test_labels"], 256, verbose=0)
        row = {"seconds": seconds, "loss": history["loss"][0], "train": history["accuracy"][0]}
        print(json.dumps(row | {"test": accuracy, "threads": THREADS}), flush=True)


if __name__ == "__main__":
    main()
