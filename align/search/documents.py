"""A search among documents that come block by block: memory for the best of them, not for all."""

import numpy as np

# Scores that are held at a time: 32 MB of float32.
_HELD = 2**23


class Best:
    """The documents with the highest inner products for each query, among those that have come."""

    def __init__(self, queries: np.ndarray, count: int):
        """Ask with queries `[q, d]` for `count` documents each."""
        self._queries, self._count, self._come = queries, count, 0
        self.scores = np.empty((len(queries), 0), queries.dtype)
        self.places = np.empty((len(queries), 0), np.int64)

    def look_among(self, documents: np.ndarray) -> None:
        """Take in the next documents `[n, d]`. `places` are numbers of documents, in the order in which they came."""
        if not len(documents):
            return
        kept = min(self._count, self._come + len(documents))
        scores = np.empty((len(self._queries), kept), self.scores.dtype)
        places = np.empty((len(self._queries), kept), np.int64)
        step = max(1, _HELD // len(documents))
        here = self._come + np.arange(len(documents))
        for first in range(0, len(self._queries), step):
            rows = slice(first, first + step)
            new = self._queries[rows] @ documents.T
            all_scores = np.concatenate([self.scores[rows], new], axis=1)
            all_places = np.concatenate([self.places[rows], np.broadcast_to(here, new.shape)], axis=1)
            best = np.argpartition(-all_scores, kept - 1, axis=1)[:, :kept]
            scores[rows] = np.take_along_axis(all_scores, best, 1)
            places[rows] = np.take_along_axis(all_places, best, 1)
        self.scores, self.places = scores, places
        self._come += len(documents)

    def ranked(self) -> np.ndarray:
        """Return the places `[q, count]` of the best documents, best first."""
        order = np.argsort(-self.scores, axis=1, kind="stable")
        return np.take_along_axis(self.places, order, 1)


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
