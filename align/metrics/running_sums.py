"""Measures of a prediction over rows that never stand in memory together, from sums that merge; NumPy float64."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike


class Sums(NamedTuple):
    """Sums over rows of a prediction and of what it predicts.

    rows: how many. error: Σ ‖prediction − target‖². mean `[d]` and spread, Σ ‖target − mean‖²: of the target.
    cosine: Σ of the rows' cosines, over `directed` of them, those whose target has a direction; a prediction without
    one scores 0.
    """

    rows: int
    error: float
    mean: np.ndarray
    spread: float
    cosine: float
    directed: int


def add_up(prediction: ArrayLike, target: ArrayLike) -> Sums:
    """Add up the rows of a prediction `[n, d]` and of its target `[n, d]`, n at least 1."""
    prediction, target = (np.asarray(a, np.float64) for a in (prediction, target))
    centred = target - target[0]  # of a constant, nothing but zeros
    offset = centred.mean(0)
    directed = (target != 0).any(1)
    units = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300) for rows in (prediction, target))
    cosines = np.sum(np.multiply(*units), 1)
    error, spread = np.sum((prediction - target) ** 2), np.sum((centred - offset) ** 2)
    return Sums(len(target), float(error), target[0] + offset, float(spread), float(cosines.sum()), int(directed.sum()))


def merge(a: Sums, b: Sums) -> Sums:
    """Return the sums over the rows of both (Chan, Golub and LeVeque 1979)."""
    rows, apart = a.rows + b.rows, b.mean - a.mean
    return Sums(
        rows,
        a.error + b.error,
        a.mean + apart * b.rows / rows,
        a.spread + b.spread + float(apart @ apart) * a.rows * b.rows / rows,
        a.cosine + b.cosine,
        a.directed + b.directed,
    )


def relative_residual(sums: Sums) -> float:
    """Return ‖prediction − target‖ / ‖target − mean(target)‖; NaN for a constant target."""
    return float(np.sqrt(sums.error / sums.spread)) if sums.spread else float("nan")


def r_squared(sums: Sums) -> float:
    """Return the share of the target's variance that is explained, at most 1."""
    return 1 - relative_residual(sums) ** 2


def mean_cosine(sums: Sums) -> float:
    """Return the mean cosine of the rows where it is defined; NaN where it nowhere is."""
    return sums.cosine / sums.directed if sums.directed else float("nan")
