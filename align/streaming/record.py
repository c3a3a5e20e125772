"""The record that streams add up to: counts, means and centred second moments, in float64; it merges."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

BLOCK = 1024  # rows of one product


class Statistics(NamedTuple):
    """Sums over weighted pairs of rows, about the means; NumPy float64.

    total: sum of the weights; source_mean `[d_source]`; target_mean `[d_target]`; source `[d_source, d_source]`,
    cross `[d_source, d_target]` and target `[d_target, d_target]`: sums of outer products. A record made for fits alone
    has the diagonal of the last, `[d_target]`.
    """

    total: np.ndarray
    source_mean: np.ndarray
    target_mean: np.ndarray
    source: np.ndarray
    cross: np.ndarray
    target: np.ndarray


def merge(*parts: Statistics) -> Statistics:
    """Return the record of all the rows behind the parts, at least one (Chan, Golub and LeVeque 1979)."""
    if not parts:
        raise ValueError("parts must be records, at least one; there was none")
    for part in parts:
        if not isinstance(part, Statistics):
            raise ValueError(f"parts must be Statistics, as in merge(*parts); one is {type(part).__name__}")
    return functools.reduce(_merge, parts)


def _merge(a: Statistics, b: Statistics) -> Statistics:
    if a.cross.shape != b.cross.shape:
        raise ValueError(f"parts must share their dimensions; their cross moments are {a.cross.shape}, {b.cross.shape}")
    if a.target.shape != b.target.shape:
        raise ValueError("parts must all be made for fits alone (target_moments=False), or none of them")
    if b.total > a.total:  # the mean is that of the heavier, corrected: of one far off it would be rounded
        a, b = b, a
    total = a.total + b.total
    x, y = b.source_mean - a.source_mean, b.target_mean - a.target_mean
    share, shared = b.total / total, a.total * b.total / total
    return Statistics(
        total,
        a.source_mean + share * x,
        a.target_mean + share * y,
        a.source + b.source + shared * np.outer(x, x),
        a.cross + b.cross + shared * np.outer(x, y),
        a.target + b.target + shared * (np.outer(y, y) if a.target.ndim == 2 else y**2),
    )


def check_blocks(
    source: Any, target: Any, weights: Any = None, *, like: tuple[int, int] | None = None
) -> tuple[Any, Any, Any]:
    """Return a block of rows; ValueError where its parts, or it and the dimensions of blocks before, do not fit.

    Nor may they be masked, as no mask would be heeded, or hold other than real numbers.
    """
    source, target, weights = as_rows(source), as_rows(target), None if weights is None else as_rows(weights)
    if source.ndim != 2 or target.ndim != 2 or source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must be [rows, d], as many rows; they are {source.shape}, {target.shape}")
    if 0 in (source.shape[1], target.shape[1]):
        raise ValueError(f"source and target must have at least one dimension; they are {source.shape}, {target.shape}")
    if weights is not None and weights.shape != source.shape[:1]:
        raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
    if like is not None and (source.shape[1], target.shape[1]) != like:
        raise ValueError(
            f"blocks must share their dimensions; {source.shape} and {target.shape} follow blocks of "
            f"{like[0]} and {like[1]} dimensions"
        )
    for name, array in (("source", source), ("target", target), ("weights", weights)):
        if isinstance(array, np.ma.MaskedArray):
            raise ValueError(f"{name} must be an array of real numbers; it is masked, {array.dtype} {array.shape}")
        if array is not None and not any(jnp.issubdtype(array.dtype, kind) for kind in (jnp.floating, jnp.integer)):
            raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}")
    return source, target, weights


def as_rows(part: Any) -> Any:
    """Return what has a shape as it is, and anything else, such as a list, as an array."""
    return part if hasattr(part, "shape") else np.asanyarray(part)


def finished(
    shift: Sequence[np.ndarray],
    total: float | np.ndarray,
    first: Sequence[np.ndarray],
    source: np.ndarray,
    cross: np.ndarray,
    target: np.ndarray,
) -> Statistics:
    """Return the record of sums about a shift; ValueError where the weights are no weights.

    shift, first: of the source `[d_source]` and of the target `[d_target]`, what was taken from the rows, and their
    sums; total: of the weights; source, cross, target: of products, the upper triangles of the first and the last, or
    of the last its diagonal `[d_target]`.
    """
    total = np.asarray(total, np.float64)
    if not total > 0:
        raise ValueError(f"weights must have a positive sum; it is {total}")
    x, y = first
    return Statistics(
        total,
        shift[0] + x / total,
        shift[1] + y / total,
        _symmetric(source) - np.outer(x, x) / total,
        cross - np.outer(x, y) / total,
        _symmetric(target) - np.outer(y, y) / total if target.ndim == 2 else target - y**2 / total,
    )


def _symmetric(upper):
    return np.triu(upper) + np.triu(upper, 1).T


def target_squares(statistics: Statistics) -> np.ndarray:
    """Return the sums of squares of the target's dimensions about their means, `[d_target]`."""
    return np.diag(statistics.target) if statistics.target.ndim == 2 else statistics.target


def check_statistics(statistics: object) -> None:
    """Raise ValueError for what is no record."""
    if not isinstance(statistics, Statistics):
        raise ValueError(
            f"statistics must be Statistics, as streaming.from_arrays makes them; it is {type(statistics).__name__}"
        )


def checked(statistics: Statistics) -> Statistics:
    """Return a record without the spread that rounding leaves of what is constant.

    ValueError for NaN or infinity, and for what is no record.
    """
    check_statistics(statistics)
    for name, field in statistics._asdict().items():
        if not np.isfinite(field).all():
            raise ValueError(f"statistics must be finite; {name} holds NaN or infinity, and so do the rows")
    x, y = (
        np.sqrt(np.maximum(squares, 0) / statistics.total) > 4 * np.finfo(np.float64).eps * np.abs(mean)
        for squares, mean in (
            (np.diag(statistics.source), statistics.source_mean),
            (target_squares(statistics), statistics.target_mean),
        )
    )
    if x.all() and y.all():
        return statistics
    return statistics._replace(
        source=np.where(np.outer(x, x), statistics.source, 0),
        cross=np.where(np.outer(x, y), statistics.cross, 0),
        target=np.where(np.outer(y, y) if statistics.target.ndim == 2 else y, statistics.target, 0),
    )
