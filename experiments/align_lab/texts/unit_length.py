"""Rows at unit length, to be compared by cosines."""

import numpy as np


def unit(array: np.ndarray) -> np.ndarray:
    """Return the rows `[n, d]` at unit length; a row of zeros stays, and is similar to nothing.

    The library's differs in the last digits, and what fewer pairs than dimensions leave open hangs on them.
    """
    return array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)
