"""Rows made up to one of few sizes, so that files of about as many rows share one compiled program."""

import numpy as np

_FEWEST = 1_000  # rows up to which fits look at each on its own, and compile quickly
_STEPS = 8  # sizes from one power of two to the next: at most an eighth of the rows is made up


def made_up(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return x `[n, d_source]`, y `[n, d_target]` and weights `[n]` or None with rows that weigh nothing after them.

    What a fit says of its rows counts weights, so that nothing else changes than the last digits. The rows are copies
    of the last: zeros could lie far from all others. Few rows, beside the dimensions, stay as they are.
    """
    rows = len(x)
    if rows <= max(_FEWEST, 2 * max(x.shape[1], y.shape[1])):
        return x, y, weights
    step = 2 ** (rows.bit_length() - 1) // _STEPS
    missing = -rows % step
    counts = np.ones(rows, np.result_type(x, y)) if weights is None else weights
    x, y = (np.pad(array, ((0, missing), (0, 0)), mode="edge") for array in (x, y))
    return x, y, np.pad(counts, (0, missing))
