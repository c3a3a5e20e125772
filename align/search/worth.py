"""What a map is worth to a search: what is found with it, without it, and with what may stand in its place.

The measure is the share of the documents that would be found after all had been embedded again by the new encoder.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import ml_dtypes
import numpy as np

from align.arrays import checks, inputs
from align.maps import AffineMap
from align.search import bootstrap
from align.search.documents import Best, as_good, look_together, unit

# Ways to search without embedding all documents again, but for the first, which does.
AGAIN, OLD, NO_MAP, INDEX, QUERIES = "re-embedding", "old encoder", "no map", "mapped index", "inverted queries"
CANDIDATES = (10, 20, 50, 100, 200, 500)
_ENOUGH = 0.9


class Found(NamedTuple):
    """What was found, for each query.

    ways: shares `[queries]` found by name of a way. re_ranked: shares `[queries]` by the number of candidates of the
    mapped index that the new encoder embeds for a query and puts in order; old_re_ranked: the same of candidates that
    the old encoder finds. documents: how many there were.
    """

    ways: dict[str, np.ndarray]
    re_ranked: dict[int, np.ndarray]
    old_re_ranked: dict[int, np.ndarray]
    documents: int


def found(
    fitted: AffineMap,
    old_queries: np.ndarray,
    new_queries: np.ndarray,
    corpus: Iterable[tuple[np.ndarray, np.ndarray]],
    *,
    top: int = 10,
    candidates: tuple[int, ...] = CANDIDATES,
) -> Found:
    """Search in every way for the `top` documents that are nearest to each query by cosine after re-embedding.

    A document found counts where it is as near as the last of those, so that copies stand for one another.
    old_queries `[q, d_source]`, new_queries `[q, d_target]`: the same queries by both encoders. corpus: blocks of
    documents by both encoders, `[n, d_source]` and `[n, d_target]`. "inverted queries" go through the map's inverse;
    `AffineMap.queries` finds what the mapped index does. One query is enough, but no verdict can be had of fewer than
    six. ValueError for no more documents than are to be found, for a `top` or `candidates` that are no
    counts, and for queries or blocks that are not of the map's dimensions, do not correspond or are not finite, for
    queries of zero and for a map that is no number.
    """
    checks.check_counts(top=top)
    candidates = _counts(candidates)
    if not isinstance(fitted, AffineMap) or fitted.weight.ndim != 2:
        came = f"of weight {fitted.weight.shape}" if isinstance(fitted, AffineMap) else f"{type(fitted).__name__}"
        raise ValueError(f"fitted must be one AffineMap; it is {came}")
    if not isinstance(corpus, Iterable):
        raise ValueError(f"corpus must be blocks (old, new), as in [(old, new)]; it is {corpus!r}")
    dimensions = fitted.weight.shape
    if not (np.isfinite(fitted.weight).all() and np.isfinite(fitted.bias).all()):
        raise ValueError("fitted is a map of NaN or infinity")
    old_queries, raw = (
        _numbers(name, each) for name, each in (("old_queries", old_queries), ("new_queries", new_queries))
    )
    old_queries, new_queries = _queries(old_queries, raw, dimensions)
    many = max((top, *candidates))
    searches = {AGAIN: Best(new_queries, top), OLD: Best(old_queries, many), INDEX: Best(new_queries, many)}
    searches[QUERIES] = Best(unit(np.asarray(fitted.inverse()(raw))), top)
    if old_queries.shape[1] == new_queries.shape[1]:
        searches[NO_MAP] = Best(new_queries, top)
    come = 0
    for old, new in _documents(corpus, dimensions):
        documents = {AGAIN: unit(new), INDEX: unit(np.asarray(fitted(old)))}
        old = unit(old)
        look_together(list(searches.values()), [documents.get(way, old) for way in searches])
        come += len(old)
    if come <= top:
        raise ValueError(f"{come} documents; expected more than the {top} that are to be found")
    judged = {way: search.as_judged() for way, search in searches.items()}

    def first(way, count):
        return as_good(judged[way][:, :count], judged[AGAIN], new_queries.dtype)

    def again(way):
        return {n: first(way, n) for n in sorted(candidates) if top <= n < come}

    order = [way for way in (AGAIN, OLD, NO_MAP, QUERIES, INDEX) if way in judged]
    return Found(
        {way: first(way, top) for way in order},
        again(INDEX),
        again(OLD),
        come,
    )


def _documents(corpus, dimensions):
    """Yield the blocks of a corpus as arrays of real numbers; ValueError for one that does not fit the map."""
    for number, block in enumerate(corpus):
        if not isinstance(block, tuple | list) or len(block) != 2:
            raise ValueError(f"corpus must be blocks (old, new), as in [(old, new)]; one is {type(block).__name__}")
        shapes = tuple(map(np.shape, block))
        if shapes != tuple((*shapes[0][:1], d) for d in dimensions):
            raise ValueError(
                f"corpus must be blocks [n, {dimensions[0]}] and [n, {dimensions[1]}] of the same documents; "
                f"one is {shapes[0]} and {shapes[1]}"
            )
        old, new = (_numbers("corpus", each) for each in block)
        for side, each in (("old", old), ("new", new)):
            if not np.isfinite(each).all():
                raise ValueError(f"corpus holds NaN or infinity in the {side} documents of block {number}")
        yield old, new


def _counts(candidates):
    """Return numbers of candidates; ValueError where they are none."""
    if isinstance(candidates, Iterable):
        counts = tuple(candidates)
        if all(checks.is_whole(count) for count in counts):
            return counts
    raise ValueError(f"candidates must be whole numbers, at least 1, as in (10, 20); they are {candidates!r}")


def _numbers(name, value):
    """Return a value as NumPy's array; ValueError where it is masked, or of anything but real numbers."""
    try:
        array = np.asarray(inputs.as_numpy(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of real numbers; it is {type(value).__name__} ({error})") from error
    if array.dtype.kind not in "iuf" and array.dtype != ml_dtypes.bfloat16:
        raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}")
    return array


def _queries(old, new, dimensions):
    """Return the queries of both encoders at unit length."""
    rows = {"old_queries": old, "new_queries": new}
    for (name, each), d in zip(rows.items(), dimensions, strict=True):
        if each.ndim != 2 or each.shape[1] != d or not len(each):
            raise ValueError(f"{name} must be [queries, {d}], at least one; it is {each.shape}")
        if not np.isfinite(each).all():
            raise ValueError(f"{name} holds NaN or infinity")
        if not each.any(1).all():
            raise ValueError(f"{name} holds a row of zeros, which is similar to no document; leave the query out")
    shapes = [each.shape for each in rows.values()]
    if shapes[0][0] != shapes[1][0]:
        raise ValueError(f"old_queries and new_queries must be the same queries; they are {shapes[0]} and {shapes[1]}")
    return [unit(each) for each in rows.values()]


def verdict(measured: Found) -> tuple[bool | None, str]:
    """Return whether the mapped index finds more than what needs no map, None where that is open, and why in words.

    It is open of fewer than six queries, whatever they found (see `bootstrap.estimate`), and where fewer than six of
    them find another share with the map than without (`bootstrap.tell`).
    """
    if not isinstance(measured, Found):
        raise ValueError(f"measured must be what `found` returns; it is {type(measured).__name__}")
    ways = measured.ways
    other = max((way for way in (OLD, NO_MAP) if way in ways), key=lambda way: float(ways[way].mean()))
    name = {OLD: "the old encoder, kept,", NO_MAP: "no map at all"}[other]
    gain = ways[INDEX] - ways[other]
    by_map, without = float(ways[INDEX].mean()), float(ways[other].mean())
    rest = _with_candidates(measured)
    seen = f"the mapped index finds {by_map:.3f} of what re-embedding finds, {name} {without:.3f}"
    if len(gain) < bootstrap.FEWEST:
        return None, f"open: {seen}; too few queries to tell: {len(gain)}{rest}"
    difference = bootstrap.estimate(gain)
    between = f"95 % interval of the difference {difference.low:+.3f} to {difference.high:+.3f}"
    apart = difference.low > 0 or difference.high < 0
    if apart and not bootstrap.tell(gain):
        return None, f"open: {seen} ({between}; the shares of too few queries differ to tell){rest}"
    if difference.low > 0:
        return True, f"worth it: {seen} ({between}){rest}"
    if difference.high < 0:
        return False, f"not worth it: {seen} ({between}){rest}"
    if difference.low == difference.high:
        return None, f"open: {seen}, the same for every query{rest}"
    # More queries must shorten the arm towards zero to the mean; of skewed values it is not half of the interval.
    arm = difference.mean - difference.low if difference.mean > 0 else difference.high - difference.mean
    needed = len(gain) * (arm / difference.mean) ** 2 if difference.mean else math.inf
    more = f"; some {_rounded(needed)} queries would tell" if needed < 1e6 else ""
    return None, f"open: {seen} ({between}){more}{rest}"


def _with_candidates(measured):
    """Say how many candidates the new encoder must embed for a query to find nearly all."""
    means = {n: float(shares.mean()) for n, shares in measured.re_ranked.items()}
    if not means:
        return ""
    few = next((n for n, mean in means.items() if mean >= _ENOUGH), None)
    n = few or max(means)
    old = f", of the old encoder's {measured.old_re_ranked[n].mean():.3f}" if n in measured.old_re_ranked else ""
    return f"; embedding the first {n} of a query again finds {means[n]:.3f}{old}"


def _rounded(count):
    """Return a number to its first two digits, upwards."""
    unit_of = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return f"{math.ceil(count / unit_of) * unit_of:,}"
