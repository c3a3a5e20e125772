"""Rigid and similarity maps fitted again without the rows that they are asked about.

A rigid map takes the source to d_source orthonormal axes of the target. Completed to axes of the whole target, they are
the coordinates in which it is diagonal: what it predicts is a row's own coordinates, and costs no product.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.decompositions import polar, reciprocal
from align.linalg.moments import Moments

_MOST_FOLDS, _ENOUGH_FOLDS, _FEWEST_FOLDS = 1_000, 20, 5
# Multiplications that the decompositions may cost, roughly, unless enough folds cost more; and one that is large.
_REFITTING, _LARGE = 2e9, 768**3
# Rows a dimension up to which all of that is spent: with more, what a fold leaves out is missed the less.
_FEW = 2


class Motion(NamedTuple):
    """A rigid map and a similarity of the same rows.

    axes `[d_target, d_target]`, orthonormal rows: the images of the source's axes, and after them any others.
    scale: of the similarity.
    """

    axes: jax.Array
    scale: jax.Array


def number_of_folds(rows: int, d_source: int, d_target: int) -> int:
    """Return how many groups of rows get a fit of their own: one for each row where that is affordable."""
    cost = d_source**2 * d_target
    needed = min(1, _FEW * d_source / rows)
    enough = math.ceil(needed * _ENOUGH_FOLDS) if cost <= _LARGE else _FEWEST_FOLDS
    return min(rows, _MOST_FOLDS, max(_FEWEST_FOLDS, enough, int(needed * _REFITTING / cost)))


def folded(array: jax.Array, folds: int) -> jax.Array:
    """Return rows `[n, ...]` as `[folds, size, ...]`, row i in fold i mod folds, zeros where a fold has one less."""
    size = -(-array.shape[0] // folds)
    padding = ((0, folds * size - array.shape[0]), *[(0, 0)] * (array.ndim - 1))
    return jnp.pad(array, padding).reshape(size, folds, *array.shape[1:]).swapaxes(0, 1)


def motion_without(
    m: Moments, x: jax.Array, y: jax.Array, left_out: jax.Array, vectors: jax.Array, reflection: bool
) -> Motion:
    """Fit the rows of the moments `m` without some of them.

    x `[s, d_source]`, y `[s, d_target]`: these, centred as `m` is, which count `left_out` `[s]` each. vectors
    `[d_source, d_source]`: the axes of the source that the images are asked of.
    """
    # The remaining rows are centred about their own mean, which those left out move.
    weighted, remaining = x * left_out[:, None], m.total - left_out.sum()
    shift_x, shift_y = weighted.sum(0), matmul(left_out, y)
    moved = reciprocal(remaining, remaining > 0)  # of no rows at all there is no mean
    cross = m.cross - matmul(weighted.T, y) - jnp.outer(shift_x, shift_y) * moved
    spread = m.source_squares.sum() - (weighted * x).sum() - (shift_x**2).sum() * moved
    if cross.shape[0] == cross.shape[1]:
        motion, others = polar(cross, reflection=reflection)[0], cross[:0]
    else:
        u, _, vt = lapack.svd_with_all_axes(cross)
        motion, others = matmul(u, vt[: len(u)]), vt[len(u) :]
    axes = jnp.concatenate([matmul(vectors.T, motion), others])
    return Motion(axes, jnp.maximum((motion * cross).sum(), 0) * reciprocal(spread, spread > 0))
