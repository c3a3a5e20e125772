"""Anchors that determine an affine fit best: by leverage, and by the determinant of its information."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from align.anchors.latents import check_latents
from align.arrays import checks
from align.arrays.products import matmul
from align.linalg.spectra import axes_of


def leverage(key: jax.Array, latents: ArrayLike, count: int) -> jax.Array:
    """Choose at random without replacement, with probabilities proportional to the leverage.

    The leverage of a sample is the diagonal of the hat matrix of the affine fit (Drineas et al. 2006).
    """
    design = _design(check_latents(key, latents, count))
    # The largest of log-weights plus Gumbel noise are a weighted sample without replacement.
    return lax.top_k(jnp.log((design**2).sum(1)) + jax.random.gumbel(key, design.shape[:1], design.dtype), count)[1]


def d_optimal(key: jax.Array, latents: ArrayLike, count: int, *, prior: float = 1e-3) -> jax.Array:
    """Choose greedily what adds most to the determinant of the affine fit's information matrix.

    prior: information that is there at first, in samples' worth per dimension; it keeps the matrix invertible while
    there are fewer anchors than dimensions. From ε of the dtype to 1 / ε; below √ε rounding has a say in the choice.
    Draws nothing: the key is there for the sake of the contract.
    """
    latents = check_latents(key, latents, count)
    rounding = float(jnp.finfo(latents.dtype).eps)
    checks.check_between(rounding, 1 / rounding, prior=prior)
    design = _design(latents)

    # Adding row x multiplies the determinant by 1 + x' M⁻¹ x, and M⁻¹ loses v v' / (1 + x' M⁻¹ x), v = M⁻¹ x.
    def choose(state, _):
        inverse, gains, taken = state
        gains = jnp.maximum(gains, 0)  # below which only rounding takes them
        index = jnp.argmax(jnp.where(taken, -1, gains))
        direction = matmul(inverse, design[index]) / jnp.sqrt(1 + gains[index])
        gains = gains - matmul(design, direction) ** 2
        return (inverse - jnp.outer(direction, direction), gains, taken.at[index].set(True)), index

    start = (
        jnp.eye(design.shape[1], dtype=design.dtype) / prior,
        (design**2).sum(1) / prior,
        jnp.zeros(len(design), bool),
    )
    return lax.scan(choose, start, length=count)[1]


def _design(latents):
    """Return whitened latents and a column of ones `[n, d + 1]`: information I / n per sample on average."""
    centred = latents - latents[:1]  # about one of them first: what is constant is zero, and not the rounding of a mean
    centred = centred - centred.mean(0, keepdims=True)
    values, keep, vectors = axes_of(centred, matmul(centred.T, centred), (centred == 0).all(0).sum())
    values = values / latents.shape[0]
    keep &= values > (4 * jnp.finfo(latents.dtype).eps) ** 2 * (latents.mean(0) ** 2).sum()  # no rounding of far ones
    white = matmul(centred, vectors * jnp.where(keep, lax.rsqrt(jnp.where(keep, values, 1)), 0)[None])
    return jnp.concatenate([white, jnp.ones_like(white[:, :1])], axis=1)
