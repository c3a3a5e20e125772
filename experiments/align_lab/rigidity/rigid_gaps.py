"""How much better a linear map is than a rigid one, by variants, and what a factor changes of it, with intervals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from scipy import stats

Pairs = Mapping[tuple[int, int], float]


class Estimate(NamedTuple):
    """A mean over ordered pairs of networks, its standard error, the degrees of freedom of that, and the interval."""

    mean: float
    error: float
    freedom: float

    @property
    def bounds(self) -> tuple[float, float]:
        """Give the interval of 95 % by Student's t."""
        reach = float(stats.t.ppf(0.975, self.freedom)) * self.error
        return self.mean - reach, self.mean + reach

    @property
    def shown(self) -> bool:
        """Say whether the interval leaves zero out."""
        low, high = self.bounds
        return low > 0 or high < 0


def errors(rows: Iterable[dict], method: str, anchors: int | None, measure: str = "test_error") -> dict:
    """Give a measure of a method by ordered pair of seeds."""
    own = (row for row in rows if (row["method"], row["anchors"]) == (method, anchors))
    return {(row["source_seed"], row["target_seed"]): row[measure] for row in own}


def apart(rows: Sequence[dict], first: str, second: str, anchors: int | None, measure: str = "test_error") -> Pairs:
    """Give by how much a measure of one method lies above that of another, by ordered pair of seeds."""
    a, b = (errors(rows, method, anchors, measure) for method in (first, second))
    return {pair: a[pair] - b[pair] for pair in sorted(a.keys() & b.keys())}


def estimate(pairs: Pairs) -> Estimate | None:
    """Give the mean over ordered pairs of three networks or more, None for fewer, with its error over networks.

    Pairs that share a network are not independent, so networks are left out one at a time (the jackknife; Efron and
    Stein 1981), with all their pairs: with n networks n - 1 degrees of freedom.
    """
    seeds = sorted({seed for pair in pairs for seed in pair})
    count = len(seeds)
    if count < 3:
        return None
    without = [fmean(value for pair, value in pairs.items() if seed not in pair) for seed in seeds]
    spread = sum((value - fmean(without)) ** 2 for value in without) * (count - 1) / count
    return Estimate(fmean(pairs.values()), math.sqrt(spread), count - 1)


def change(first: Estimate, second: Estimate) -> Estimate:
    """Give how far the first mean lies above the second, for estimates from networks apart (Welch 1947).

    Networks of one seed begin alike and see their images in one order, where batches and architecture allow it: what
    that makes the two means share is counted as if it were not.
    """
    parts = [(one.error**2, one.freedom) for one in (first, second)]
    spread = sum(part for part, _ in parts)
    freedom = spread**2 / sum(part**2 / own for part, own in parts) if spread else min(own for _, own in parts)
    return Estimate(first.mean - second.mean, math.sqrt(spread), freedom)


def won(pairs: Pairs) -> str:
    """Say on how many pairs the first is above the second."""
    return f"{sum(value > 0 for value in pairs.values())} of {len(pairs)}"


def text(one: Estimate | None) -> str:
    """Say an estimate in thousandths, with its interval; bold where it leaves zero out."""
    if one is None:
        return ""
    low, high = (1e3 * bound for bound in one.bounds)
    mean = f"{1e3 * one.mean:+.1f}"
    return f"{f'**{mean}**' if one.shown else mean} ({low:+.1f} to {high:+.1f})"
