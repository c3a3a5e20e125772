"""Rows so far from the others that a few of them would decide what is made of all."""

import numpy as np

_FAR = 10.0  # times the median distance from the median
_LOOKED_AT, _BLOCK = 500, 4_096  # rows that the median is of, and whose distances are taken at a time


def far_out(rows: np.ndarray, *, most: float) -> np.ndarray:
    """Return which rows `[n, d]` are far from the others, `[n]`; none where they are more than a share `most`."""
    centre = np.median(rows[:: -(-len(rows) // _LOOKED_AT)], 0)
    blocks = (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
    with np.errstate(over="ignore"):  # a square beyond the numbers is far as well
        apart = np.concatenate([np.linalg.norm(block - centre, axis=1) for block in blocks])
    usual = np.median(apart)
    far = apart > _FAR * usual
    return far if usual and far.mean() <= most else np.zeros(len(rows), bool)
