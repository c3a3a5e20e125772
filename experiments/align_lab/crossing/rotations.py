"""What those who refine a rotation between two clouds share: the nearest orthogonal matrix, and means of neighbours."""

import numpy as np

_BLOCK = 2000


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """Return the matrix `[d, e]` of orthonormal rows or columns, whichever are fewer, that is nearest to `[d, e]`."""
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    return (u @ vt).astype(matrix.dtype)


def neighbours_mean(ours: np.ndarray, theirs: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Average values `[m, e]` of those `count` of their rows `[m, k]` that are most alike each of ours `[n, k]`."""
    means = []
    for begin in range(0, len(ours), _BLOCK):
        similarity = ours[begin : begin + _BLOCK] @ theirs.T
        nearest = np.argpartition(-similarity, count, axis=1)[:, :count]
        means.append(values[nearest].mean(1))
    return np.concatenate(means)


def likeness(x: np.ndarray, y: np.ndarray, count: int = 10) -> np.ndarray:
    """Return the cosines `[n, m]` of unit rows, less half the mean of either row's `count` highest (CSLS).

    What is near to everything is a hub, and nobody's match.
    """
    similarity = x @ y.T
    ours = np.partition(similarity, -count, axis=1)[:, -count:].mean(1)
    theirs = np.partition(similarity, -count, axis=0)[-count:].mean(0)
    return similarity - ours[:, None] / 2 - theirs / 2
