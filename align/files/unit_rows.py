"""Rows of length one."""

import numpy as np

from align.files.opened import Rows


def to_unit(rows: np.ndarray) -> np.ndarray:
    """Return rows `[n, d]` divided by their lengths; those of length 0 stay so, not finite ones not finite."""
    rows = rows.astype(np.promote_types(rows.dtype, np.float32), copy=False)
    with np.errstate(invalid="ignore"):
        largest = np.abs(rows).max(1, keepdims=True)  # so that no square leaves the range
        rows = rows / np.where(largest > 0, largest, 1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(lengths > 0, lengths, 1)


def unit(rows: Rows) -> Rows:
    """Return rows that are of length one when they are read."""
    take = rows.take
    return rows._replace(
        dtype=rows.float_dtype,
        read=lambda start, stop: to_unit(rows.read(start, stop)),
        take=None if take is None else lambda index: to_unit(take(index)),
    )
