"""Rows of two spaces that are related, and the error of leaving them out by hand."""

import numpy as np


def related(rows, d, e, noise=0.3, seed=0):
    """Rows of a space and of a rotation of it with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, d)) + 1
    return x, x @ np.linalg.qr(rng.normal(size=(e, e)))[0][:d] + noise * rng.normal(size=(rows, e)) + 2


def leave_one_out(x, y, strength, towards, folds=None, counts=None):
    """Fit without each row in a loop, everything fitted anew; what to shrink towards without the row's fold."""
    counts = np.ones(len(x)) if counts is None else counts

    def centred(rows):
        mean_x, mean_y = (0 if towards == "origin" else np.average(a[rows], 0, counts[rows]) for a in (x, y))
        return x[rows] - mean_x, y[rows] - mean_y, mean_x, mean_y, counts[rows, None]

    errors, index = 0, np.arange(len(x))
    for i in index:
        start = np.zeros((x.shape[1], y.shape[1]))
        if towards in ("rigid", "similarity"):
            left, right, *_, w = centred(index % (folds or len(x)) != i % (folds or len(x)))
            u, s, vt = np.linalg.svd(left.T @ (w * right), full_matrices=False)
            start = u @ vt * (s.sum() / (w * left**2).sum() if towards == "similarity" else 1)
        left, right, mean_x, mean_y, w = centred(index != i)
        gram = left.T @ (w * left) + strength * np.eye(x.shape[1])
        weight = start + np.linalg.solve(gram, left.T @ (w * (right - left @ start)))
        errors += counts[i] * ((y[i] - mean_y - (x[i] - mean_x) @ weight) ** 2).sum()
    return np.sqrt(errors / (counts[:, None] * (y - np.average(y, 0, counts)) ** 2).sum())
