"""The article's program in JAX, compiled as one step; `protocol.py` says how it is driven.

XLA takes as many threads as there are processors: the driver binds it to the number it is to use.
"""

import jax
import jax.numpy as jnp
import protocol
from jax import Array, lax

Parameters = dict[str, Array]
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def main() -> None:
    """Trains with the number of time steps per turn of the loop that is fastest."""
    steps = {f"lax.scan with unroll={unroll}": make_step(unroll) for unroll in (1, 2)}
    name = protocol.fastest(steps)
    protocol.serve(steps[name], ("jax", "jaxlib"), f"fastest way: {name}")


def make_step(unroll: int) -> protocol.Step:
    """The compiled step on the fixed batch, with parameters that stay in it."""
    tokens, labels = protocol.make_batch()
    tokens, labels = jnp.array(tokens, jnp.int32).T, jnp.array(labels)
    parameters = build(jax.random.key(0))
    moments = [jax.tree.map(jnp.zeros_like, parameters) for _ in BETAS]
    state = parameters, *moments, jnp.zeros(())

    @jax.jit(donate_argnums=0)
    def train(state: tuple, tokens: Array, labels: Array) -> tuple[tuple, Array]:
        loss, gradients = jax.value_and_grad(loss_of)(state[0], tokens, labels, unroll)
        return adam(*state, gradients), loss

    def step() -> Array:
        nonlocal state
        state, loss = train(state, tokens, labels)
        return loss

    return step


def build(key: Array) -> Parameters:
    """The article's parameters."""
    sizes = (protocol.EMBEDDING_SIZE, *protocol.HIDDEN_SIZES)
    shapes = {"embedding": (protocol.VOCAB_SIZE, sizes[0]), "dense": (sizes[-1], 1)}
    for layer, (width, hidden) in enumerate(zip(sizes, sizes[1:], strict=False)):
        shapes[f"weight_ih{layer}"] = (width, 4 * hidden)
        shapes[f"weight_hh{layer}"] = (hidden, 4 * hidden)
    keys = jax.random.split(key, len(shapes))
    draw = jax.nn.initializers.glorot_uniform()
    parameters = {
        name: draw(key, shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    parameters["embedding"] = jax.random.uniform(
        key, shapes["embedding"], minval=-0.05, maxval=0.05
    )
    for layer, hidden in enumerate(sizes[1:]):
        parameters[f"bias{layer}"] = jnp.zeros(4 * hidden).at[hidden : 2 * hidden].set(1)
    return parameters | {"dense_bias": jnp.zeros(1)}


def loss_of(parameters: Parameters, tokens: Array, labels: Array, unroll: int) -> Array:
    """Mean binary cross-entropy of `tokens (T, B)`, `labels (B, 1)`."""
    y = parameters["embedding"][tokens]  # (T, B, E)
    for layer in range(len(protocol.HIDDEN_SIZES)):
        weights = [parameters[f"{name}{layer}"] for name in ("weight_ih", "weight_hh", "bias")]
        y = lstm(y, *weights, unroll)
    logits = y[-1] @ parameters["dense"] + parameters["dense_bias"]
    return jnp.mean(jax.nn.softplus(logits) - labels * logits)


def lstm(x: Array, weight_ih: Array, weight_hh: Array, bias: Array, unroll: int) -> Array:
    """All outputs `(T, B, H)`; the input products of all steps are one product before the loop."""

    def step(state: tuple[Array, Array], inputs: Array) -> tuple[tuple[Array, Array], Array]:
        h, c = state
        i, f, g, o = jnp.split(inputs + h @ weight_hh, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((x.shape[1], weight_hh.shape[0]))
    return lax.scan(step, (zeros, zeros), x @ weight_ih + bias, unroll=unroll)[1]


def adam(
    parameters: Parameters, mean: Parameters, square: Parameters, count: Array, gradient: Parameters
) -> tuple[Parameters, Parameters, Parameters, Array]:
    """Parameters and moments after one step.  Source: Kingma & Ba 2015."""
    count += 1
    mean = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, mean, gradient)
    square = jax.tree.map(lambda s, g: BETAS[1] * s + (1 - BETAS[1]) * g * g, square, gradient)
    rate = protocol.LEARNING_RATE / (1 - BETAS[0] ** count)
    scale = 1 / (1 - BETAS[1] ** count)
    parameters = jax.tree.map(
        lambda p, m, s: p - rate * m / (jnp.sqrt(scale * s) + EPSILON), parameters, mean, square
    )
    return parameters, mean, square, count


if __name__ == "__main__":
    main()
