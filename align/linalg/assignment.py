"""Which component of one cloud is which of the other: a quadratic assignment, solved softly."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg.transport import proximal

_CLIP = 8.0  # standard deviations; beyond, single rows would decide
_LEVELS = (0.005, 0.995, 40)


class Traits(NamedTuple):
    """What components have in common across clouds: quantiles `[k, q]`, third and fourth cross-moments `[k, k]`."""

    quantiles: jax.Array
    third: jax.Array
    fourth: jax.Array


def traits(components: jax.Array) -> Traits:
    """Measure components `[n, k]` of unit variance: E[s_i² s_j] and E[(s_i² − 1)(s_j² − 1)], i ≠ j, by signed roots."""
    s = jnp.clip(components, -_CLIP, _CLIP)
    squares, off = s**2, 1 - jnp.eye(s.shape[1], dtype=s.dtype)
    third = matmul(squares.T, s) / s.shape[0] * off
    fourth = matmul((squares - 1).T, squares - 1) / s.shape[0] * off
    roots = [jnp.sign(m) * jnp.sqrt(jnp.abs(m)) for m in (third, fourth)]
    return Traits(jnp.quantile(s, jnp.linspace(*_LEVELS), axis=0).T, *roots)


def assigned(
    key: jax.Array,
    source: Traits,
    target: Traits,
    known: jax.Array | None = None,
    *,
    starts: int = 4,
    step: float = 1.0,
    iterations: int = 80,
) -> jax.Array:
    """Match the components of two clouds: couplings `[starts, k, k]`, near permutations, the first from the quantiles.

    known: `[k, k]`, further evidence for each pair of components, in units of a correlation. The maximum of
    Σ T_ij T'_ab P_ia P_jb + Σ F_ij F'_ab P_ia P_jb + Σ U_ia P_ia over doubly stochastic P, by proximal points.
    """
    k = source.third.shape[0]
    apart = ((source.quantiles[:, None] - target.quantiles[None]) ** 2).mean(-1)
    single = -0.02 * apart / jnp.maximum(jnp.median(apart.min(1)), jnp.finfo(apart.dtype).tiny)
    single = single if known is None else single + known

    def scaled(a, b):
        norm = jnp.sqrt(jnp.linalg.norm(a) * jnp.linalg.norm(b))
        norm = jnp.where(norm > 0, norm, 1)
        return a / norm, b / norm

    (t, u), (f, g) = scaled(source.third, target.third), scaled(source.fourth, target.fourth)

    def cost(coupling):
        p = coupling * k
        third = matmul(matmul(t, p), u.T) + matmul(matmul(t.T, p), u)
        return -(single + k * (third + 2 * matmul(matmul(f, p), g)))

    masses = jnp.full(k, 1 / k, single.dtype)

    def run(key, noise):
        start = jnp.exp(noise * jax.random.normal(key, (k, k), single.dtype)) / k**2
        start = proximal(lambda _: -single, masses, masses, start, step=0.5, iterations=1)
        scale = jnp.abs(cost(start)).mean()
        return proximal(lambda p: cost(p) / scale, masses, masses, start, step=step, iterations=iterations) * k

    noises = jnp.where(jnp.arange(starts) == 0, 0.0, 1.0)
    return jax.vmap(run)(jax.random.split(key, starts), noises)
