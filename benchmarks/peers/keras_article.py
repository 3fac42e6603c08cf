"""The article's program in Keras on TensorFlow; `protocol.py` says how it is driven.

INTER_OP in the environment is the number of operations that may run side by side, by default 1.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import protocol
import tensorflow as tf


def main() -> None:
    """Trains by the fastest way that Keras has on this processor."""
    precision = protocol.read_precision("float32", "bfloat16")
    tf.config.threading.set_intra_op_parallelism_threads(protocol.THREADS)
    inter_op = int(os.environ.get("INTER_OP", 1))
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    steps = {
        "train_on_batch": train_on_batch(),
        "tf.function": function(jit_compile=False),
        "tf.function with XLA": function(jit_compile=True),
    }
    name = protocol.fastest(steps)
    note = f"{inter_op} inter-op, fastest way: {name}"
    protocol.serve(steps[name], ("keras", "tensorflow-cpu"), note)


def build() -> keras.Model:
    """The article's network."""
    first, second = protocol.HIDDEN_SIZES
    return keras.Sequential(
        [
            keras.Input((protocol.LENGTH,), dtype="int32"),
            keras.layers.Embedding(protocol.VOCAB_SIZE, protocol.EMBEDDING_SIZE),
            keras.layers.LSTM(first, return_sequences=True),
            keras.layers.LSTM(second),
            keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
        ]
    )


def batch() -> tuple[tf.Tensor, tf.Tensor]:
    """Token ids `(B, T)` and labels `(B, 1)`."""
    tokens, labels = protocol.make_batch()
    return tf.constant(tokens, tf.int32), tf.constant(labels, tf.float32)


def train_on_batch() -> protocol.Step:
    """Keras's own step; it chooses by itself whether to use XLA."""
    model = build()
    model.compile(keras.optimizers.Adam(protocol.LEARNING_RATE), "binary_crossentropy")
    tokens, labels = (tensor.numpy() for tensor in batch())

    def step() -> float:
        # Else it would return the mean loss of all steps so far.
        model.reset_metrics()
        return model.train_on_batch(tokens, labels)

    return step


def function(jit_compile: bool) -> protocol.Step:
    """A loop written by hand, compiled to one graph."""
    model = build()
    optimizer = keras.optimizers.Adam(protocol.LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.BinaryCrossentropy()
    tokens, labels = batch()

    @tf.function(jit_compile=jit_compile)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(tokens, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


if __name__ == "__main__":
    main()
