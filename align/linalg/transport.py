"""Optimal transport between two small weighted clouds: by cost, and by the distances within each (Gromov–Wasserstein).

Both by proximal points: entropic transport whose reference is the last coupling, which converges to a solution of the
problem without entropy (Xie et al. 2020; for Gromov–Wasserstein Xu et al. 2019).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul

# Against an entry of the independent coupling: what is smaller is gone, and what is kept of it prevents empty rows.
_LEAST = 1e-12


def proximal(
    cost_of: Callable[[jax.Array], jax.Array],
    rows: jax.Array,
    columns: jax.Array,
    start: jax.Array,
    *,
    step: float,
    iterations: int,
    scalings: int = 20,
) -> jax.Array:
    """Minimise a cost over couplings `[n, m]` with the marginals rows `[n]` and columns `[m]`.

    cost_of: the gradient of the cost, from the coupling; `step` is the scale at which its differences count.
    """
    least = _LEAST * jnp.outer(rows, columns)

    def scale(kernel):
        def balance(_, v):
            u = rows / matmul(kernel, v)
            return columns / matmul(u, kernel)

        v = lax.fori_loop(0, scalings, balance, jnp.ones_like(columns))
        u = rows / matmul(kernel, v)
        return u[:, None] * kernel * v

    def update(_, coupling):
        cost = cost_of(coupling)
        cost = cost - cost.min(1, keepdims=True)
        cost = cost - cost.min(0, keepdims=True)
        return scale(jnp.maximum(coupling, least) * jnp.maximum(jnp.exp(-cost / step), 1e-20))

    return lax.fori_loop(0, iterations, update, start)


def by_profiles(
    source: jax.Array,
    target: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
    *,
    quantiles: int = 64,
    step: float = 0.1,
    iterations: int = 20,
) -> jax.Array:
    """Couple points by how far they are from all others: the third lower bound of Mémoli 2011.

    source `[n, n]`, target `[m, m]`: distances; rows `[n]`, columns `[m]`: weights. The profile of a point is the
    weighted quantile function of its distances; transport between two such on a line is their difference squared.
    """
    levels = (jnp.arange(quantiles, dtype=rows.dtype) + 0.5) / quantiles

    def profile(distances, weights):
        order = jnp.argsort(distances)
        steps = jnp.cumsum(weights[order]) - weights[order] / 2
        return jnp.interp(levels, steps, distances[order])

    x = jax.vmap(profile, in_axes=(0, None))(source, rows)
    y = jax.vmap(profile, in_axes=(0, None))(target, columns)
    cost = ((x[:, None] - y[None]) ** 2).mean(-1)
    middle = jnp.median(cost)
    cost = cost / jnp.where(middle > 0, middle, 1)  # of points that all look alike nothing is left to divide
    return proximal(lambda _: cost, rows, columns, jnp.outer(rows, columns), step=step, iterations=iterations)


def gromov_wasserstein(
    source: jax.Array,
    target: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
    start: jax.Array,
    *,
    step: float = 0.005,
    iterations: int = 100,
) -> tuple[jax.Array, jax.Array]:
    """Couple points such that distances agree, from a first coupling `[n, m]`; a local minimum of the square loss.

    source `[n, n]`, target `[m, m]`: distances, of comparable scale, about 1; rows `[n]`, columns `[m]`: weights.
    Returns the coupling and its loss, the mean squared difference of coupled distances.
    """
    # Σ (D − D')² T T = Σ D² p p + Σ D'² q q − 2 Σ (D T D') T, whose gradient in T is twice this cost.
    constant = matmul(source**2, rows)[:, None] + matmul(target**2, columns)

    def cost(coupling):
        return constant - 2 * matmul(matmul(source, coupling), target)

    coupling = proximal(cost, rows, columns, start, step=step, iterations=iterations)
    return coupling, (cost(coupling) * coupling).sum()
