"""What pairs that were left out say of a map, one value a pair, more being better.

The left-out pairs are a small search of their own: their target rows ask, their mapped source rows are the documents.
"""

from collections.abc import Iterable

import numpy as np

from align.search.documents import as_good, unit

NEIGHBOURS = 10
# By how much of a cosine a document counts e times less.
_NEAR = 0.06
# Cosines that differ by less are equal: those of copies do, mapped and multiplied among other rows.
_EQUAL = 1e-9


def similarity_agreement(mapped: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return for each row `[n]` how its similarities to other mapped rows correlate with those to other target rows.

    mapped and target `[n, d]`: pairs, at least 3. The order of a search is made of these similarities; a rank counts
    one document of a small corpus, this counts all of them, the nearer the more, but for a row's own, which every
    family puts first. Zero where all similarities of a row are alike.
    """
    target = unit(target)
    made, true = target @ unit(mapped).T, target @ target.T
    weights = np.exp((true - 1) / _NEAR)
    np.fill_diagonal(weights, 0)
    weights /= np.maximum(weights.sum(1, keepdims=True), np.finfo(weights.dtype).tiny)
    made, true = (each - (weights * each).sum(1, keepdims=True) for each in (made, true))
    product, of_made, of_true = (
        (weights * one * other).sum(1) for one, other in ((made, true), (made, made), (true, true))
    )
    lengths = np.sqrt(of_made * of_true)
    return product / np.where(lengths > 0, lengths, np.inf)


def recall(mapped: np.ndarray, target: np.ndarray, top: int, hubs: np.ndarray | float = 0.0) -> np.ndarray:
    """Return for each row `[n]` the share of its `top` nearest target rows that are found among the mapped rows.

    Of copies one is as good as another; a row of zeros, which is near to none, finds nothing.
    hubs `[n]`: how near each mapped row is to queries in general; half of it is taken from its similarities, as in
    CSLS (Conneau et al. 2018).
    """
    target = unit(target)
    true = target @ target.T
    found, wanted = (np.argpartition(-s, top - 1, axis=1)[:, :top] for s in (_made(mapped, target, hubs), true))
    judged, best = (np.take_along_axis(true, places, 1) for places in (found, wanted))
    return as_good(judged, best) * target.any(1)


def hits(mapped: np.ndarray, target: np.ndarray, others: Iterable[np.ndarray], top: int) -> np.ndarray:
    """Return for each row `[n]` 1 where its own mapped row is among the `top` nearest, or 0.

    others: mapped rows that compete with those of the pairs, in blocks `[b, d]`. A copy of a row is no nearer than it.
    """
    target = unit(target)
    scores = target @ unit(mapped).T
    own = scores.diagonal()[:, None] + _EQUAL
    nearer = (scores > own).sum(1)
    for block in others:
        nearer += (target @ unit(block).T > own).sum(1)
    return (nearer < top).astype(float)


def hubness(mapped: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return the mean similarity `[n]` of mapped rows `[n, d]` to the nearest 10 of the queries `[q, d]`."""
    similarity = unit(mapped) @ unit(queries).T
    count = min(NEIGHBOURS, similarity.shape[1])
    return np.partition(similarity, -count, axis=1)[:, -count:].mean(1)


def _made(mapped, target, hubs):
    return target @ unit(mapped).T - hubs / 2
