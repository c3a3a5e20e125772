"""Rows that are no embeddings, and answers that say nothing: counted, left out on request, and said in words."""

import argparse
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from align import files, metrics
from align.arrays import far_rows
from align.command import blocks
from align.maps import AffineMap
from align.solvers import Solver
from align.solvers.polish import Polished

# A residual from here on is that of the mean, for all that a few hundred rows can tell.
_AS_THE_MEAN = 0.99
# Alignment, unbiased, below which two sets of rows look unrelated.
_UNRELATED = 0.05
# A share of rows that are copies of others from which on these are worth a warning.
_MANY_COPIES = 0.05
# Pairs from which on it can be told that some of them are wrong, and a share of these that is worth a warning.
_RANKED, _ASTRAY = 100, 0.05
# By how many deviations the means of classes must differ more than those of rows at random, or labels say nothing; rows
# by which that is told.
_DEVIATIONS, _LOOKED_AT = 4, 10_000
# What solvers that judge by pairs left out call their residual.
_LEFT_OUT = ("leave_one_out", "generalised")


def usable(
    arguments: argparse.Namespace, *arrays: files.Rows, weights: Sequence[files.Rows] = ()
) -> tuple[np.ndarray, dict]:
    """Return the mask `[n]` of rows to use of corresponding arrays, and what is wrong with others, by array.

    Rows that hold NaN or infinity are an error, unless --skip-bad-rows leaves them out, and zero rows with them.
    weights: further files of the same rows, in which zeros and copies are no fault. Duplicates are looked for within a
    block, of 32 MiB.
    """
    sound, faults = np.ones(arrays[0].shape[0], bool), {}
    for place, array in enumerate((*arrays, *weights)):
        counts = np.zeros(3, int)
        for start, end in blocks.ranges(arguments, array):
            rows = array.read(start, end)
            bad = ~np.isfinite(rows).all(1)
            if bad.any() and not arguments.skip_bad_rows:
                row = array.number(start + int(np.argmax(bad)))
                raise ValueError(
                    f"{array.name} holds NaN or infinity, first in row {row}; --skip-bad-rows leaves such rows out"
                )
            if place < len(arrays):
                counts += metrics.bad_rows(rows)
                bad |= (rows == 0).all(1) & arguments.skip_bad_rows
            else:
                counts[1] += bad.sum()
            sound[start:end] &= ~bad
        if counts.any():
            faults[array.name] = dict(zip(("zero", "not_finite", "duplicate"), map(int, counts), strict=True))
    return sound, faults


def ends(rows: np.ndarray) -> np.ndarray:
    """Return the least and the largest value of each column of rows `[n, d]`: `[2, d]`."""
    return np.stack([rows.min(0), rows.max(0)])


def constant(target: np.ndarray, rows: int, rank: jax.Array | None = None) -> str | None:
    """Return in words that a constant does as well as any map; None where nothing speaks for it.

    target: its rows, so many, or the `ends` of their blocks, `[n, d]`; rank: of the fit, where it is known.
    """
    if (target == target[0]).all():
        alike = "there is one row" if rows == 1 else f"the target is the same in all {rows} rows"
        return f"a constant does as well as any map: {alike}"
    if rank is not None and int(rank) == 0:
        return "a constant does as well as the map: the fit has rank 0, as where the source is the same in all rows"
    return None


def far_out(rows: np.ndarray) -> np.ndarray:
    """Return which of the rows `[n, d]` are far out, `[n]`; none where these are not few, as by `align.clouds`."""
    return far_rows.far_out(rows, most=0.01)


def may_decide(far: np.ndarray, name: str, row: int) -> str:
    """Say that rows of a file are far out, by which of them are, `[n]`, and the number of the first."""
    return (
        f"{name} has {far.sum()} of {len(far)} rows that lie more than ten times as far from the others as is usual, "
        f"first row {row}: they may decide the map alone"
    )


def unlabelled(clouds: dict[str, np.ndarray], labels: dict[str, Any]) -> str | None:
    """Return in words that labels `[n]` say nothing of the clouds `[n, d]` of both sides; None where they do."""
    known = [labels[f"{name}_labels"] for name in clouds]
    shared = np.intersect1d(*known)
    if len(shared) < 2:
        return f"source and target labels have {len(shared)} class in common: its mean says where, and nothing else"
    for (name, cloud), own in zip(clouds.items(), known, strict=True):
        (inside,) = np.nonzero(np.isin(own, shared))
        some = np.random.default_rng(0).permutation(inside)[:_LOOKED_AT]
        rows, of_class = cloud[some].astype(np.float64), np.unique(own[some], return_inverse=True)[1]
        sizes = np.bincount(of_class)
        free = len(rows) - len(sizes)
        if free < 1 or len(sizes) < 2:
            continue
        rows -= rows.mean(0)
        sums = np.zeros((len(sizes), rows.shape[1]))
        np.add.at(sums, of_class, rows)
        between, total = (sums**2 / sizes[:, None]).sum(), (rows**2).sum(0)
        ratio = between / (len(sizes) - 1) / max((total.sum() - between) / free, np.finfo(float).tiny)
        # Of labels at random its mean is 1, and its deviation that of a mean of so many squares.
        squares = (len(sizes) - 1) * total.sum() ** 2 / max((total**2).sum(), np.finfo(float).tiny)
        if total.any() and ratio < 1 + _DEVIATIONS * np.sqrt(2 / squares):
            return (
                f"the {name} labels say nothing of the {name} rows: the means of the classes differ no more than those "
                "of rows drawn at random; are they the labels of these rows?"
            )
    return None


def copied(target: np.ndarray) -> str | None:
    """Return in words that many rows `[n, d]`, which are searched for, are copies of others; None where few are."""
    copies = metrics.bad_rows(target).duplicate
    if copies < _MANY_COPIES * len(target):
        return None
    return f"{copies} of the {len(target)} rows searched are copies: they rank among one another, which lowers top_k"


def restless(fitted: AffineMap) -> str | None:
    """Return in words that an iteration did not come to rest, of a map without a verdict that would say so."""
    if fitted.trusted is not None or fitted.converged is None or bool(fitted.converged):
        return None
    if isinstance(fitted.details, Polished):
        return "the rows that come nearest are no matches to learn from; the map is where the search began"
    after = "" if fitted.iterations is None else f" after {int(fitted.iterations)} iterations"
    return f"the map had not come to rest{after}"


def as_the_mean(residual: float, rows: int, alignment: float | None = None) -> str | None:
    """Return in words that a map does no better than the mean of the target; None where it does.

    residual: ‖target − mapped‖ / ‖target − mean‖, of rows that the map has not seen or corrected for those it has;
    alignment: unbiased linear CKA of mapped and target, where it is known.
    """
    if not residual >= _AS_THE_MEAN:
        return None
    text = f"no better than the mean: residual {residual:.3g} on {rows} rows, where predicting the mean has 1"
    if alignment is not None and not unrelated(alignment):
        return text
    related = "" if alignment is None else f" (linear CKA {alignment:.2g}: the rows look unrelated)"
    return f"{text}{related}; are source and target in correspondence?"


def astray(ranks: np.ndarray) -> str | None:
    """Return in words that a part of the pairs is wrong, by the rank `[n]` of each counterpart among n; None if not so.

    What a map errs by makes ranks the rarer the greater they are. Those of wrong pairs are spread evenly: as many in
    the last two quarters as in the second, twice.
    """
    n = len(ranks)
    first, second, last = np.mean(ranks <= n / 10), np.mean((ranks > n / 4) & (ranks <= n / 2)), np.mean(ranks > n / 2)
    if n < _RANKED or 2 * last < _ASTRAY or last < 1.4 * second or first < 0.25:
        return None
    return (
        f"some {200 * last:.0f} % of the rows are mapped no nearer to their counterparts than to any others: wrong "
        "pairs, or codes that say nothing, which the other rows are not told from"
    )


def unrelated(alignment: float) -> bool:
    """Say whether two sets of rows of such an unbiased linear CKA look unrelated."""
    return alignment < _UNRELATED


def unchecked(fitted: AffineMap, rows: float, solver: Solver) -> str | None:
    """Return in words that so many pairs would be fitted as well if they were unrelated; None where that is not so.

    It is where a map has as many directions as rows about their mean: least squares goes through any of them then, and
    a rotation turns any of them nearly onto one another.
    """
    if fitted.rank is None or not math.isnan(_left_out(fitted)):
        return None
    rank = int(fitted.rank)
    if max(solver.numbers(rank), 0 if solver.freedom == "one" else rank) < rows - 1:
        return None
    return (
        f"{round(rows)} pairs leave nothing to judge a map of rank {rank} by, which unrelated pairs would be given as "
        "well; --holdout, or --solver ridge, tells"
    )


def effective(weights: np.ndarray, first: np.ndarray | None = None) -> float:
    """Return how many rows of one weight say as much as rows of weights `[n]`, (Σ w)² / Σ w²: n where all are alike.

    first: the first row that equals each, `[n]`, where some are equal: together they are one row.
    """
    weights = weights if first is None else np.bincount(first, weights)
    relative = weights.astype(np.float64) / weights.max()  # so that no square leaves the range
    return float(relative.sum() ** 2 / (relative**2).sum())


def corrected_residual(fitted: AffineMap, rows: float, solver: Solver) -> float:
    """Return the residual of training rows as that of new ones: left out where a solver says it, else by its freedom.

    rows: how many there were, or the `effective` number of those that have weights. Of unrelated rows a map that fits k
    numbers to each dimension beside its mean leaves 1 − k / (rows − 1) of the variance.
    """
    left_out = _left_out(fitted)
    if not math.isnan(left_out):
        return left_out
    residual = float(fitted.residual)  # type: ignore[arg-type] # every fit measures it
    free = 1 - solver.numbers(0 if fitted.rank is None else int(fitted.rank)) / max(rows - 1, 1)
    # A closed form without freedom to shrink cannot gain by its rank: what is above 1 needs no correction.
    return residual if residual >= 1 or free <= 0 else residual / free**0.5


def _left_out(fitted):
    """Return the residual of rows left out that the solver itself says, NaN where it says none."""
    said = [float(getattr(fitted.details, estimate, math.nan)) for estimate in _LEFT_OUT]
    return next((residual for residual in said if not math.isnan(residual)), math.nan)
