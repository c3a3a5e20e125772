"""Independent components: axes that a cloud has on its own, whatever its coordinates, up to their order."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul

# Nonlinearities of FastICA and their derivatives. The square finds skewed axes, the others heavy and light tails.
CONTRASTS = {
    "tanh": (jnp.tanh, lambda s: 1 - jnp.tanh(s) ** 2),
    "square": (jnp.square, lambda s: 2 * s),
    "gauss": (lambda s: s * jnp.exp(-(s**2) / 2), lambda s: (1 - s**2) * jnp.exp(-(s**2) / 2)),
}


def nearest_orthogonal(matrix: jax.Array, *, iterations: int = 12) -> jax.Array:
    """Return the orthogonal matrices closest to a batch `[..., k, k]`, by products alone.

    Newton and Schulz's iteration, quintic first: it vectorises where decompositions go one by one. Singular values
    below a thousandth of the norm of the whole do not quite reach 1.
    """
    norm = jnp.linalg.norm(matmul(matrix, matrix.mT), axis=(-2, -1), keepdims=True)
    # The first polynomial lifts small values fast and leaves them about 1; the second brings them there.
    polynomials = [(3.4445, -4.7750, 2.0315)] * (iterations - 6) + [(1.875, -1.25, 0.375)] * min(iterations, 6)

    def step(x, polynomial):  # in a loop, as unrolled it takes XLA seconds to compile
        a, b, c = polynomial
        square = matmul(x, x.mT)
        return a * x + matmul(b * square + c * matmul(square, square), x), None

    start = matrix * lax.rsqrt(norm + jnp.finfo(matrix.dtype).tiny)
    return lax.scan(step, start, jnp.asarray(polynomials, matrix.dtype))[0]


@functools.partial(jax.jit, static_argnames=("contrast", "iterations"))
def independent(keys: jax.Array, white: jax.Array, *, contrast: str = "tanh", iterations: int = 60) -> jax.Array:
    """Find independent components of white rows `[n, k]`, from a random start for each of the keys.

    Symmetric FastICA (Hyvärinen 1999). contrast: one of `CONTRASTS`. Returns axes `[keys, k, k]`, rows, orthogonal,
    skewed to the positive side.
    """
    g, slope = CONTRASTS[contrast]
    rows, k = white.shape

    def update(_, axes):
        s = matmul(white, axes.mT)
        return nearest_orthogonal(matmul(g(s).mT, white) / rows - slope(s).mean(1)[..., None] * axes)

    def run(key):
        start = nearest_orthogonal(jax.random.normal(key, (1, k, k), white.dtype))
        return lax.fori_loop(0, iterations, update, start)[0]

    axes = lax.map(run, keys)  # one at a time: the rows of all of them together leave the cache
    skewness = lax.map(lambda a: (matmul(white, a.T) ** 3).mean(0), axes)
    return axes * jnp.where(skewness < 0, -1, 1)[..., None]
