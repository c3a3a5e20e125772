"""Rows so far out that they alone would set the scale and the axes of a cloud."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Times the median distance from the median; of so many rows one may be: where there are more, the cloud is like that.
_FAR, _ROWS_A_FAR_ONE = 10, 100
# Rows below which none is left out, and those that the median is of.
_FEWEST, _LOOKED_AT = 32, 10_000


def which(array: jax.Array | np.ndarray) -> np.ndarray:
    """Return which rows of an array `[n, d]` that is known are far out, `[n]`; none where these are not few."""
    if len(array) < _FEWEST:
        return np.zeros(len(array), bool)
    with jax.ensure_compile_time_eval():  # the cloud is known, though what is asked of it may be traced
        far = np.asarray(_far(array))
    return far & (far.sum() <= -(-len(array) // _ROWS_A_FAR_ONE))


def without(array: jax.Array, labels: Any = None) -> tuple[jax.Array, Any]:
    """Return the rows of array `[n, d]`, and their labels `[n]` or None, but for a few that are far out."""
    if any(isinstance(each, jax.core.Tracer) for each in (array, labels)) or not _as_many(labels, array):
        return array, labels
    far = which(array)
    if not far.any():
        return array, labels
    if labels is not None:
        labels = (labels if np.ma.isMaskedArray(labels) else np.asarray(labels))[~far]
    return array[np.flatnonzero(~far)], labels


def _as_many(labels, array):
    """Say whether there is a label for each row, or none at all; what else there is others refuse."""
    try:
        return labels is None or len(labels) == len(array)
    except TypeError:
        return False


@jax.jit
def _far(array):
    centre = jnp.median(array[:: -(-len(array) // _LOOKED_AT)], 0)
    distances = jnp.linalg.norm(array - centre[None], axis=1)
    usual = jnp.median(distances)
    return (distances > _FAR * usual) & (usual > 0)
