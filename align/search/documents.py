"""A search among documents that come block by block: memory for the best of them, not for all."""

from collections.abc import Iterator, Sequence

import numpy as np

# Scores that are held at a time: 32 MiB of float32.
_HELD = 2**23
_ROUNDING = 16  # units in the last place by which scores of equal documents may differ, from product to product


class Best:
    """The documents with the highest inner products for each query, among those that have come.

    scores, places `[q, count]`: of the best so far, in no order; a place is a document's number in the order in which
    they came. judged `[q, count]`: what the first of the searches that looked together gave the same documents.
    """

    def __init__(self, queries: np.ndarray, count: int):
        """Ask with queries `[q, d]` for `count` documents each."""
        self.queries, self.come = queries, 0
        self.places = np.full((len(queries), count), -1, np.int64)
        self.scores = np.full((len(queries), count), -np.inf, queries.dtype)
        self.judged = np.full(self.scores.shape, -np.inf)  # in float64, as the first search may score in it

    def look_among(self, documents: np.ndarray) -> None:
        """Take in the next documents `[n, d]`."""
        look_together([self], [documents])

    def ranked(self) -> np.ndarray:
        """Return the places `[q, count]` of the best documents, best first; no more of them than have come."""
        return np.take_along_axis(self.places, self._order(), 1)

    def as_judged(self) -> np.ndarray:
        """Return `judged` of the best documents, in the order of `ranked`."""
        return np.take_along_axis(self.judged, self._order(), 1)

    def _order(self):
        return np.argsort(-self.scores, axis=1, kind="stable")[:, : self.come]

    def _keep(self, rows, scores, judged, places):
        """Keep the best of what is kept and of new documents, of the queries of a slice."""
        kept = {"scores": scores, "judged": judged, "places": np.broadcast_to(places, scores.shape)}
        both = {name: np.concatenate([getattr(self, name)[rows], new], axis=1) for name, new in kept.items()}
        count = self.places.shape[1]
        best = np.argpartition(-both["scores"], count - 1, axis=1)[:, :count]
        for name, each in both.items():
            getattr(self, name)[rows] = np.take_along_axis(each, best, 1)


def nearest(queries: np.ndarray, documents: np.ndarray, count: int) -> np.ndarray:
    """Return the places `[q, count]` of the documents `[n, d]` with the highest inner products, best first."""
    best = Best(queries, count)
    best.look_among(documents)
    return best.ranked()


def look_together(searches: Sequence[Best], documents: Sequence[np.ndarray]) -> None:
    """Take in the next documents, `[n, d]` as each of the searches has them; the first judges what the others find."""
    first, count = searches[0], len(documents[0])
    step = max(1, _HELD // max(1, count))
    places = first.come + np.arange(count)
    for start in range(0, len(first.queries) if count else 0, step):
        rows, judged = slice(start, start + step), None
        for search, own in zip(searches, documents, strict=True):
            scores = search.queries[rows] @ own.T
            judged = scores if judged is None else judged
            search._keep(rows, scores, judged, places)
    for search in searches:
        search.come += count


def in_blocks(rows: np.ndarray, wide: int) -> Iterator[np.ndarray]:
    """Yield rows `[n, d]` in float64, few enough at a time for `wide` numbers of each to take 32 MiB."""
    step = max(1, _HELD // (2 * wide))
    for start in range(0, len(rows), step):
        yield np.asarray(rows[start : start + step], np.float64)


def as_good(judged: np.ndarray, best: np.ndarray, dtype: np.dtype | None = None) -> np.ndarray:
    """Return for each query `[q]` the share of its best `[q, k]` scores that documents found `[q, m]` come up to.

    Documents with the same score, but for rounding, stand for one another. dtype: of which the rounding is, where
    scores are kept in another than they were computed in.
    """
    least = best.min(1, keepdims=True)
    enough = least - _ROUNDING * np.finfo(best.dtype if dtype is None else dtype).eps * np.maximum(1, np.abs(least))
    return np.minimum((judged >= enough).sum(1), best.shape[1]) / best.shape[1]


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows `[n, d]` at unit length, at least float32; zero stays zero, and is similar to nothing."""
    rows = np.asarray(rows)
    rows = rows.astype(np.promote_types(rows.dtype, np.float32), copy=False)
    rows = rows / np.maximum(np.abs(rows).max(1, keepdims=True), np.finfo(rows.dtype).tiny)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def shares_found(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the share `[q]` of wanted documents `[q, k]` that are among those found `[q, m]`, numbers of documents."""
    return (wanted[:, :, None] == found[:, None, :]).any(2).mean(1)
