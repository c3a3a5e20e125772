"""Rigid and similarity maps fitted again without the rows that they are asked about."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays.products import HIGHEST, matmul
from align.linalg.decompositions import polar, reciprocal
from align.linalg.moments import Moments

_MOST_FOLDS, _FEWEST_FOLDS = 1_000, 20
_REFITTING = 2e9  # multiplications that the decompositions may cost, roughly, unless the fewest folds cost more


def number_of_folds(rows: int, d_source: int, d_target: int) -> int:
    """Return how many groups of rows get a fit of their own: one for each row where that is affordable."""
    affordable = int(_REFITTING / (d_source**2 * d_target))
    return min(rows, _MOST_FOLDS, max(_FEWEST_FOLDS, affordable))


def motions_left_out(
    candidates: Sequence[str],
    reflection: bool,
    m: Moments,
    x: jax.Array,
    y: jax.Array,
    weights: jax.Array | None,
    vectors: jax.Array,
) -> list[Callable[[jax.Array], ArrayLike]]:
    """Return one function per candidate: from `[n, d_source]`, a vector per row, to its image `[n, d_target]`.

    Row i is mapped by the weight, "zero", "rigid" or "similarity", of a fit to the rows outside its fold. x
    `[n, d_source]` and y `[n, d_target]` are the centred rows, m their moments, and the vectors are given in the basis
    `vectors`. Where each row is a fold, one of the rows that its weight counts is left out.
    """
    if tuple(candidates) == ("zero",):
        return [lambda z: 0]
    rows, folds = x.shape[0], number_of_folds(x.shape[0], x.shape[1], y.shape[1])
    size = -(-rows // folds)

    def fold(a):  # row i belongs to fold i mod folds; what is missing at the end counts nothing
        padding = ((0, folds * size - rows), *[(0, 0)] * (a.ndim - 1))
        return jnp.pad(a, padding).reshape(size, folds, *a.shape[1:]).swapaxes(0, 1)

    def refit(x, y, left_out):
        # The remaining rows are centred about their own mean, which the fold's sums move.
        weighted, remaining = x * left_out[:, None], m.total - left_out.sum()
        shift_x, shift_y = weighted.sum(0), matmul(left_out, y)
        cross = m.cross - matmul(weighted.T, y) - jnp.outer(shift_x, shift_y) / remaining
        spread = m.source_squares.sum() - (weighted * x).sum() - (shift_x**2).sum() / remaining
        motion, _ = polar(cross, reflection=reflection)
        return matmul(vectors.T, motion), (motion * cross).sum() * reciprocal(spread, spread > 0)

    left_out = jnp.ones(rows, x.dtype) if weights is None or folds == rows else weights
    motions, scales = jax.vmap(refit)(fold(x), fold(y), fold(left_out))

    def image(motions):
        def apply(z):
            images = jnp.einsum("fsd,fde->fse", fold(z), motions, precision=HIGHEST)
            return images.swapaxes(0, 1).reshape(folds * size, -1)[:rows]

        return apply

    functions = {"zero": lambda z: 0, "rigid": image(motions), "similarity": image(motions * scales[:, None, None])}
    return [functions[name] for name in candidates]
