"""Two methods on the same pairs of networks: the mean difference, and an interval over networks."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np

DRAWS = 10_000


class Compared(NamedTuple):
    """What the first method has more than the second: mean over pairs, the bounds of 95 %, and the number of pairs."""

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def verdict(self) -> str:
        """Say which is better, where the interval does not hold zero."""
        if self.low <= 0 <= self.high:
            return "no difference is shown"
        return "the first is better" if self.low > 0 else "the second is better"


def compared(rows: Iterable[dict], first: str, second: str, measure: str = "accuracy") -> Compared | None:
    """Compare a measure of two methods on the pairs of networks that have both; None where there are less than four.

    Pairs that share a network are not independent: networks are drawn with replacement, those that give their codes and
    those that read them apart, and a pair counts as often as both of its ends were drawn (Owen 2007). Rows of a pair in
    different settings are taken together, by their mean.
    """
    found: dict[str, dict[tuple, list[float]]] = {first: {}, second: {}}
    for row in rows:
        if row["method"] in found:
            found[row["method"]].setdefault(_ends(row), []).append(row[measure])
    both = sorted(found[first].keys() & found[second].keys())
    if len(both) < 4:
        return None
    differences = np.array([fmean(found[first][pair]) - fmean(found[second][pair]) for pair in both])
    random = np.random.default_rng(0)
    weights = np.prod([_drawn(random, [pair[end] for pair in both]) for end in (0, 1)], axis=0)
    whole = weights.sum(1) > 0
    means = weights[whole] @ differences / weights[whole].sum(1)
    return Compared(float(differences.mean()), *map(float, np.percentile(means, [2.5, 97.5])), len(both))


def _drawn(random: np.random.Generator, ends: Sequence) -> np.ndarray:
    """Draw networks with replacement: how often that of every pair, `[draws, pairs]`."""
    networks, places = np.unique(np.array([" ".join(map(str, end)) for end in ends]), return_inverse=True)
    return random.multinomial(len(networks), np.full(len(networks), 1 / len(networks)), DRAWS)[:, places]


def _ends(row):
    return (row["source_model"], row["source_seed"]), (row["target_model"], row["target_seed"])
