"""Intervals of a mean over queries: the studentised bootstrap, which keeps its promise for skewed values too.

Efron and Tibshirani, *An Introduction to the Bootstrap* (1993), section 12.5. Where nearly all values are the same, its
resamples hold too few of the others to speak of them; the interval of Agresti and Coull (*The American Statistician*
52, 1998), made for shares near 0 and 1, is its least then.
"""

import math
import statistics
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from align.arrays import checks

DRAWS = 2000
FEWEST = 6  # values from which on an interval has ends
_AT_A_TIME = 100_000  # counts of values that are held at a time: a megabyte
_MANY = 10_000  # values from which on resamples are drawn query by query
_FEW = 30  # values that differ from the most common one, up to which resamples say too little of them
# Share of the largest value: what lies closer is one value, as differences of shares are that should be equal.
_SAME = 1e-12


def tell(gains: np.ndarray) -> bool:
    """Say whether enough gains `[queries]`, differences of shares, are not zero to tell on which side their mean is.

    Of five that all point to one side, a sixteenth would by chance; six are the fewest that can tell at 95 %.
    """
    return int((np.abs(gains) > _SAME).sum()) >= FEWEST


class Estimate(NamedTuple):
    """A mean over queries, and the ends of its interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def estimate(values: ArrayLike, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Estimate the mean of values `[queries]` over all queries like these, with its interval.

    Resamples of the queries say how far their mean lies from that of all, in units of its own standard error. Where
    fewer than 30 values differ from the most common one, the interval is no shorter than the normal one of the values
    with two more (at 95 %) of the smallest and two more of the largest. Values that are all the same have an interval
    of no width. Fewer than six say too little of their spread, and have one without ends: of normal values three would
    hold the truth 80 times in a hundred and four 95 times, but of shares of ten documents four some 85 times, five 90
    and six 93 (near 0 or 1, where most are the same, 84). ValueError for fewer than two values,
    masked ones and any that is not real or not finite, a confidence outside (0, 1), and no draws.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"values must be an array of real numbers; it is masked, {values.dtype} {values.shape}")
    values = np.asarray(values)
    if not np.can_cast(values.dtype, np.float64, "same_kind"):
        raise ValueError(f"values must hold real numbers; its dtype is {values.dtype}")
    values = values.astype(np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"values must be [queries], at least two; it is {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values holds NaN or infinity")
    if not checks.is_positive(confidence, most=math.nextafter(1, 0)):
        raise ValueError(f"confidence must be a number between 0 and 1; it is {confidence!r}")
    checks.check_counts(draws=draws)
    if not checks.is_whole(seed, least=0, most=math.inf):
        raise ValueError(f"seed must be a whole number, at least 0; it is {seed!r}")
    n, largest = len(values), float(np.abs(values).max())
    if n >= FEWEST and np.ptp(values / 2) <= _SAME * largest / 2:  # their mean may round, and a spread be left
        return Estimate(*[float(values[0])] * 3)
    # In units of the largest, whatever the scale: squares of values may leave the range of numbers.
    unit = 2.0 ** math.frexp(largest)[1] if largest < 2.0**1023 else 2.0**1023
    values = values / unit
    mean, same = float(values.mean()), _SAME * largest / unit
    if n < FEWEST:
        return Estimate(mean * unit, -math.inf, math.inf)
    error = values.std() / n**0.5
    random, off = np.random.default_rng(seed), []
    # Shares of ten documents take few values.
    values, times = np.unique(values - mean, return_counts=True)
    left, few = -(-draws // 100) * 100, max(1, min(100, _AT_A_TIME // len(values)))
    for size in (min(few, left - start) for start in range(0, left, few)):
        counts = _resamples(random, times, size)
        means = counts @ values / n
        spread = np.sqrt((counts * (values - means[:, None]) ** 2).sum(1)) / n
        # A resample of one value alone has no spread but that of rounding, and says nothing.
        drawn = counts > 0
        varies = values[-1 - drawn[:, ::-1].argmax(1)] - values[drawn.argmax(1)] > same
        off.append(means[varies] / spread[varies])
    low, high = np.quantile(np.concatenate(off), [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = mean - high * error, mean - low * error
    alike = np.flatnonzero(np.diff(values, prepend=-np.inf) > same)  # where another value begins
    if n - np.add.reduceat(times, alike).max() < _FEW:
        squared = statistics.NormalDist().inv_cdf((1 + confidence) / 2) ** 2
        values, times = values[[0, *range(len(values)), -1]], np.array([squared / 2, *times, squared / 2])
        total = n + squared
        middle = times @ values / total
        arm = (squared * (times @ (values - middle) ** 2)) ** 0.5 / total
        low, high = min(low, mean + middle - arm), max(high, mean + middle + arm)
    return Estimate(*(float(end * unit) for end in (mean, low, high)))


def _resamples(random, times, size):
    """Draw how often each value is in a resample `[size, values]`, of values that are there as many times."""
    n = times.sum()
    if len(times) <= _MANY:
        return random.multinomial(n, times / n, size=size)
    which = np.repeat(np.arange(len(times)), times)  # one query after another is faster than one value after another
    drawn = (which[random.integers(n, size=n)] for _ in range(size))
    return np.stack([np.bincount(each, minlength=len(times)) for each in drawn])
