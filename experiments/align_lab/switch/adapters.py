"""Adapters that others train or fit from pairs, each `fit(seed, source, target)` to a function of rows.

The low-rank affine map and the residual network are those of Drift-Adapter (Vejendla 2025), which embedding-adapters
trains in much the same way, written from what is said of them: mean squared error of unit vectors, Adam, a tenth of the
pairs to stop by. isotrieve is called as it is installed.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

RANK, HIDDEN, BATCH = 64, 256, 256
LEARNING_RATE, EPOCHS, STEPS, PATIENCE, EVERY = 1e-3, 30, 300, 5, 20


def low_rank(seed: int, source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Train x ↦ x U V + t, U `[d_source, 64]` and V `[64, d_target]`, on pairs `[n, d_source]`, `[n, d_target]`."""
    first, second = jax.random.split(jax.random.key(seed))
    rank = min(RANK, source.shape[1], target.shape[1])
    params = {
        "down": jax.random.normal(first, (source.shape[1], rank)) / source.shape[1] ** 0.5,
        "up": jax.random.normal(second, (rank, target.shape[1])) / rank**0.5,
        "shift": jnp.zeros(target.shape[1]),
    }
    return _trained(_low_rank, params, seed, source, target)


def _low_rank(params, x):
    return x @ params["down"] @ params["up"] + params["shift"]


def residual(seed: int, source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Train x ↦ scale · (x P + gelu(x A + a) B + b): a hidden layer of 256 beside a linear path, P the identity first.

    Where the target has more or fewer dimensions, P begins as the identity padded with zeros, or cut.
    """
    first, second = jax.random.split(jax.random.key(seed))
    d_source, d_target = source.shape[1], target.shape[1]
    params = {
        "path": jnp.eye(d_source, d_target),
        "into": jax.random.normal(first, (d_source, HIDDEN)) / d_source**0.5,
        "into_shift": jnp.zeros(HIDDEN),
        "out": 1e-2 * jax.random.normal(second, (HIDDEN, d_target)) / HIDDEN**0.5,
        "out_shift": jnp.zeros(d_target),
        "scale": jnp.ones(d_target),
    }
    return _trained(_residual, params, seed, source, target)


def _residual(params, x):
    hidden = jax.nn.gelu(x @ params["into"] + params["into_shift"])
    return params["scale"] * (x @ params["path"] + hidden @ params["out"] + params["out_shift"])


def _trained(apply, params, seed, source, target):
    """Train by Adam until the error of a tenth of the pairs has not fallen for a while; return the best function."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(source))
    held, kept = np.split(order, [max(1, len(order) // 10)])
    size = min(BATCH, len(kept))
    steps = max(STEPS, EPOCHS * len(kept) // size)
    optimiser = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps))

    def loss(params, x, y):
        return jnp.mean(jnp.sum((apply(params, x) - y) ** 2, -1))

    @jax.jit
    def step(params, state, x, y):
        updates, state = optimiser.update(jax.grad(loss)(params, x, y), state)
        return optax.apply_updates(params, updates), state

    measure, state = jax.jit(loss), optimiser.init(params)
    best, least, waited = params, np.inf, 0
    for number in range(steps):
        rows = random.choice(kept, size, replace=False)
        params, state = step(params, state, source[rows], target[rows])
        if (number + 1) % EVERY == 0:
            error = float(measure(params, source[held], target[held]))
            best, least, waited = (params, error, 0) if error < least else (best, least, waited + 1)
            if waited > PATIENCE:
                break
    return lambda x: np.asarray(apply(best, x))


def isotrieve_ridge(seed: int, source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit isotrieve's own choice, a ridge without an intercept by generalised cross-validation."""
    from isotrieve.mapping import RidgeMapping

    return RidgeMapping().fit(source, target).transform


PEERS: dict[str, Callable] = {
    "low-rank affine": low_rank,
    "residual network": residual,
    "isotrieve": isotrieve_ridge,
}
