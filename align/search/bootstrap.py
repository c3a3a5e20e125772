"""Intervals of a mean over queries: the studentised bootstrap, which keeps its promise for skewed values too.

Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), section 12.5.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 2000


class Estimate(NamedTuple):
    """A mean over queries, and the ends of its interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate(values: ArrayLike, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Estimate the mean of values `[queries]` over all queries like these, with its interval.

    Resamples of the queries say how far their mean lies from that of all, in units of its own standard error. Values
    that are all the same have an interval of no width. ValueError where there are fewer than two.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must be [queries], at least two; it is {values.shape}")
    n, mean = len(values), float(values.mean())
    if values.min() == values.max():  # their mean may round, and a spread be left
        return Estimate(*[float(values[0])] * 3)
    error = values.std() / n**0.5
    random, off = np.random.default_rng(seed), []
    # About the mean, so that squares do not cancel. Shares of ten documents take few values.
    values, times = np.unique(values - mean, return_counts=True)
    for _ in range(-(-draws // 100)):  # few at a time: a thousand values a hundred times are a megabyte
        counts = random.multinomial(n, times / n, size=100)
        means = counts @ values / n
        spread = np.sqrt(np.maximum(counts @ values**2 / n - means**2, 0) / n)
        # A resample of one value alone has no spread, and says nothing.
        off.append((means / np.where(spread > 0, spread, np.inf))[spread > 0])
    low, high = np.quantile(np.concatenate(off), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(mean, float(mean - high * error), float(mean - low * error))
