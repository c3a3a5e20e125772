"""Rows that are no embeddings: how many of an array are zero, not finite, or there twice."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from align.arrays import inputs
from align.arrays.copies import row_keys


class BadRows(NamedTuple):
    """How many rows of an array are zero, how many hold NaN or infinity, and how many others repeat an earlier one."""

    zero: int
    not_finite: int
    duplicate: int


def bad_rows(x: ArrayLike) -> BadRows:
    """Count the rows of an array that are no embeddings of their own.

    x: `[n, d]`, concrete; a NumPy array in its own precision, whatever JAX computes in. Encoders leave zero rows for
    what they could not embed; a row that is equal to an earlier one is retrieved as often as that one. Metrics count
    such rows as missed or leave them out, as their docstrings say.

    Raises ValueError for what is not an array of rows of real numbers.
    """
    if isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray) and x.dtype.kind in "fiu":
        rows = np.asarray(x)  # in 32 bits, rows that differ would be equal
    else:
        array = inputs.as_array("x", x)
        inputs.float_dtype(x=array)
        rows = np.asarray(array)
    if rows.ndim != 2:
        raise ValueError(f"x has shape {rows.shape}; expected two axes, rows and features")
    finite = np.isfinite(rows).all(1)
    zero = (rows == 0).all(1)
    keys = row_keys(rows[finite & ~zero])
    return BadRows(int(zero.sum()), int((~finite).sum()), len(keys) - len(set(keys)))
