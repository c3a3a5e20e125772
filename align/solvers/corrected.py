"""A map between two clouds, corrected by pairs most where the clouds said least."""

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg import lapack
from align.maps import AffineMap

# Strengths that are tried: from that of ten rows to one that all but keeps the map.
_LEAST, _MOST, _STRENGTHS = 10.0, 1e6, 21
# A canonical correlation that is as good as one; standard errors by which a correction must be better than none.
_ONE, _ERRORS = 0.995, 1.5


@jax.jit
def corrected(
    source: jax.Array, target: jax.Array, fitted: AffineMap, x: jax.Array, y: jax.Array
) -> tuple[AffineMap, jax.Array]:
    """Return the map with a correction, and its leave-one-out error over the pairs' spread, as that of `ridge`.

    source `[n, d_source]`, target `[m, d_target]`: the clouds that fitted maps, shrunk to least error.
    x `[p, d_source]`, y `[p, d_target]`: pairs.

    Between whitened clouds the map is U R V', its singular values the canonical correlations that it takes for right.
    Along axis j of the target a variance of q_j² = 1 − r_j² is left, the noise of a regression there, and the more is
    left along axes i and j the less the clouds told of how they go together. So for the correction M, in these axes,
    the a priori variance of M_ij is q_i q_j / strength, and M minimises

        Σ_j (‖(y − fitted(x))_j − x M_j‖² + strength q_j Σ_i M_ij² / q_i),

    with the strength, one for all, of least squares for left-out pairs. Unless these are less by `_ERRORS` standard
    errors than what the map by itself has for the same pairs, it stays. What it makes of the mean always does.
    """
    a, b = coordinates.principal_of_both(source, target, whitening=1.0)
    u, r, vt = lapack.svd(coordinates.express(a, fitted, b).weight * b.spread / a.spread)
    left_over = jnp.sqrt(1 - jnp.minimum(r, _ONE) ** 2)
    up = matmul(vt, b.up) / b.spread
    left = b.spread * matmul(matmul(y - fitted(x), b.down), vt.T)
    down = a.spread * matmul(a.down, u) * jnp.sqrt(left_over)[None]
    rows = matmul(x - a.mean[None], down)
    values, vectors = lapack.eigh(matmul(rows.T, rows))
    values, scores = jnp.maximum(values, 0), matmul(rows, vectors)
    products = matmul(scores.T, left)

    def inverse(strength):
        return 1 / (values[:, None] + strength * left_over[None])

    def left_out(strength):
        share = inverse(strength)
        missed = (left - matmul(scores, share * products)) / (1 - matmul(scores**2, share))
        return (matmul(missed, up) ** 2).sum(1)

    strengths = jnp.geomspace(_LEAST, _MOST, _STRENGTHS, dtype=x.dtype)
    squares = lax.map(left_out, strengths)
    best = jnp.argmin(squares.sum(1))
    kept = (matmul(left, up) ** 2).sum(1)
    gained = kept - squares[best]
    worth_it = gained.mean() * jnp.sqrt(len(x)) > _ERRORS * jnp.std(gained, ddof=1)
    change = matmul(matmul(down, matmul(vectors, inverse(strengths[best]) * products)), up)
    change = jnp.where(worth_it, change, 0)
    error = jnp.where(worth_it, squares[best], kept).sum() / ((y - y.mean(0)[None]) ** 2).sum()
    return AffineMap(fitted.weight + change, fitted.bias - matmul(a.mean, change)), jnp.sqrt(error)
