"""From blocks of rows to a record, on the host, whose BLAS multiplies a matrix with itself at half the price."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.linalg import blas

from align.streaming.record import BLOCK, Statistics, check_blocks, finished

_BLOCK_BYTES = 1 << 25  # of float32 rows read at a time


def from_blocks(blocks: Iterable[tuple]) -> Statistics:
    """Accumulate an iterator of `(source, target)` or `(source, target, weights)` blocks of corresponding rows.

    source `[rows, d_source]`, target `[rows, d_target]`, weights `[rows]`; the number of rows may differ from block to
    block. A second thread reads and centres the next rows while those before are multiplied. ValueError for shapes that
    do not fit, negative weights, and no rows at all.
    """
    sums: Any = None
    with ThreadPoolExecutor(1) as ahead:
        prepared: Any = None
        for source, target, weights in _parts(blocks):
            if sums is None:
                sums = _Sums(source, target)
            sums.total += len(source) if weights is None else weights.sum()
            coming = ahead.submit(sums.centred, source, target, weights)
            if prepared is not None:
                sums.add(*prepared)
            prepared = coming.result()  # before blocks goes on, which may fill its arrays anew
        if sums is None:
            raise ValueError("blocks must hold at least one row; there was none")
        sums.add(*prepared)
    return finished(sums.shift, sums.total, sums.first, sums.products)


def _parts(blocks):
    """Yield checked parts of blocks, none of more than BLOCK rows, none empty, weights as float64 or None."""
    like = None
    for block in blocks:
        source, target, weights = check_blocks(*block, like=like)
        like = (source.shape[1], target.shape[1]) if len(source) else like
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if (weights < 0).any():
                raise ValueError(f"weights must not be negative; the least is {weights.min():g}")
        for start in range(0, len(source), BLOCK):
            part = slice(start, start + BLOCK)
            yield source[part], target[part], None if weights is None else weights[part]


class _Sums:
    """Sums of rows about a shift, and of their products, with room for two parts at a time."""

    def __init__(self, source, target):
        # Any shift near the mean will do; it keeps the squares from cancelling.
        self.shift = [np.asarray(part).mean(0, dtype=np.float64) for part in (source, target)]
        width = source.shape[1] + target.shape[1]
        self.total = 0.0
        self.first = np.zeros(width)
        self.products = np.zeros((width, width), order="F")  # the upper triangle
        self._rooms = [np.empty((BLOCK, width)) for _ in range(2)]

    @np.errstate(invalid="ignore", over="ignore")  # what is not finite is reported by whoever fits
    def centred(self, source, target, weights):
        """Write rows of both sides about the shift, times the roots of their weights; return them and the roots."""
        self._rooms.reverse()
        rows, d = self._rooms[0][: len(source)], source.shape[1]
        for half, part, shift in zip((rows[:, :d], rows[:, d:]), (source, target), self.shift, strict=True):
            np.subtract(np.asarray(part), shift, out=half, dtype=np.float64, casting="unsafe")
        roots = np.ones(len(rows)) if weights is None else np.sqrt(weights)
        if weights is not None:
            rows *= roots[:, None]
        return rows, roots

    @np.errstate(invalid="ignore", over="ignore")
    def add(self, rows, roots):
        """Add what `centred` gave."""
        self.first += roots @ rows
        self.products = blas.dsyrk(1.0, rows.T, beta=1.0, c=self.products, overwrite_c=1)


def from_arrays(source: Any, target: Any, *, weights: Any = None) -> Statistics:
    """Accumulate source `[n, d_source]` and target `[n, d_target]`, weights `[n]` or None, block by block.

    Whatever slices like an array will do, such as a memory-mapped file: some 32 MiB of it are read at a time.
    """
    if source.ndim != 2 or target.ndim != 2 or source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must be [n, d] with as many rows; they are {source.shape}, {target.shape}")
    if weights is not None and weights.shape != source.shape[:1]:
        raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
    rows = max(1, _BLOCK_BYTES // (4 * BLOCK * (source.shape[1] + target.shape[1]))) * BLOCK

    def blocks():
        for start in range(0, source.shape[0], rows):
            block = slice(start, start + rows)
            yield source[block], target[block], None if weights is None else weights[block]

    return from_blocks(blocks())
