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
    found = _checked(values, confidence, draws, seed)
    n, largest = len(found), float(np.abs(found).max())
    if n >= FEWEST and np.ptp(found / 2) <= _SAME * largest / 2:  # their mean may round, and a spread be left
        return Estimate(*[float(found[0])] * 3)
    # In units of the largest, whatever the scale: squares of values may leave the range of numbers.
    unit = 2.0 ** math.frexp(largest)[1] if largest < 2.0**1023 else 2.0**1023
    found = found / unit
    mean, same = float(found.mean()), _SAME * largest / unit
    if n < FEWEST:
        return Estimate(mean * unit, -math.inf, math.inf)
    error = found.std() / n**0.5
    # Shares of ten documents take few values.
    found, times = np.unique(found - mean, return_counts=True)
    off = _studentised(np.random.default_rng(seed), found, times, -(-draws // 100) * 100, same)
    low, high = np.quantile(off, [(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = mean - high * error, mean - low * error
    alike = np.flatnonzero(np.diff(found, prepend=-np.inf) > same)  # where another value begins
    if n - np.add.reduceat(times, alike).max() < _FEW:
        least, most = _with_more_at_the_ends(found, times, confidence)
        low, high = min(low, mean + least), max(high, mean + most)
    return Estimate(*(float(end * unit) for end in (mean, low, high)))


def _checked(values: ArrayLike, confidence: float, draws: int, seed: int) -> np.ndarray:
    """Return values as float64; ValueError for what is none of an estimate's arguments."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"values must be an array of real numbers; it is masked, {values.dtype} {values.shape}")
    array = np.asarray(values)
    if not np.can_cast(array.dtype, np.float64, "same_kind"):
        raise ValueError(f"values must hold real numbers; its dtype is {array.dtype}")
    array = array.astype(np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"values must be [queries], at least two; it is {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("values holds NaN or infinity")
    if not checks.is_positive(confidence, most=math.nextafter(1, 0)):
        raise ValueError(f"confidence must be a number between 0 and 1; it is {confidence!r}")
    checks.check_counts(draws=draws)
    if not checks.is_whole(seed, least=0, most=math.inf):
        raise ValueError(f"seed must be a whole number, at least 0; it is {seed!r}")
    return array


def _studentised(random, values, times, draws, same):
    """Return how far means of resamples lie from that of all, zero, in units of their own standard errors.

    values: ascending, each there so many `times`; same: how far apart two may be that are one but for rounding. A
    resample of one value alone has no spread but that, and says nothing.
    """
    n, few, off = times.sum(), max(1, min(100, _AT_A_TIME // len(values))), []
    for size in (min(few, draws - start) for start in range(0, draws, few)):
        counts = _resamples(random, times, size)
        means = counts @ values / n
        spread = np.sqrt((counts * (values - means[:, None]) ** 2).sum(1)) / n
        drawn = counts > 0
        varies = values[-1 - drawn[:, ::-1].argmax(1)] - values[drawn.argmax(1)] > same
        off.append(means[varies] / spread[varies])
    return np.concatenate(off)


def _with_more_at_the_ends(values, times, confidence):
    """Return the ends of the normal interval of values with two more (at 95 %) of the smallest and the largest."""
    squared = statistics.NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    total = times.sum() + squared
    values, times = values[[0, *range(len(values)), -1]], np.array([squared / 2, *times, squared / 2])
    middle = times @ values / total
    arm = (squared * (times @ (values - middle) ** 2)) ** 0.5 / total
    return middle - arm, middle + arm


def _resamples(random, times, size):
    """Draw how often each value is in a resample `[size, values]`, of values that are there as many times."""
    n = times.sum()
    if len(times) <= _MANY:
        return random.multinomial(n, times / n, size=size)
    which = np.repeat(np.arange(len(times)), times)  # one query after another is faster than one value after another
    drawn = (which[random.integers(n, size=n)] for _ in range(size))
    return np.stack([np.bincount(each, minlength=len(times)) for each in drawn])
