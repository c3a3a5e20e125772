"""From blocks of rows to a record, on the host, whose BLAS multiplies a matrix with itself at half the price."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.linalg import blas

from align.streaming.record import BLOCK, Statistics, check_blocks, finished

_BLOCK_BYTES = 1 << 25  # of float32 rows read at a time


def from_blocks(blocks: Iterable[tuple]) -> Statistics:
    """Accumulate an iterator of `(source, target)` or `(source, target, weights)` blocks of corresponding rows.

    source `[rows, d_source]`, target `[rows, d_target]`, weights `[rows]`; the number of rows may differ from block to
    block. ValueError for shapes that do not fit, negative weights, and no rows at all.
    """
    shift, total = None, 0.0
    first: Any = 0.0  # as wide as the first block says
    products: Any = None
    for block in blocks:
        source, target, weights = check_blocks(*block, like=shift)
        if len(source) == 0:
            continue
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if (weights < 0).any():
                raise ValueError(f"weights must not be negative; the least is {weights.min():g}")
        if shift is None:
            # Any shift near the mean will do; it keeps the squares from cancelling.
            shift = [np.asarray(a).mean(0, dtype=np.float64) for a in (source, target)]
            rows = np.empty((BLOCK, source.shape[1] + target.shape[1]))
            products = np.zeros((rows.shape[1], rows.shape[1]), order="F")
        total += len(source) if weights is None else weights.sum()
        for start in range(0, len(source), BLOCK):
            part = slice(start, start + BLOCK)
            weighted, roots = _centred(
                rows, source[part], target[part], None if weights is None else weights[part], shift
            )
            first = first + (weighted.sum(0) if roots is None else roots @ weighted)
            # The upper triangle of weighted' weighted is added where the products are.
            products = blas.dsyrk(1.0, weighted.T, beta=1.0, c=products, overwrite_c=1)
    if shift is None:
        raise ValueError("blocks must hold at least one row; there was none")
    return finished(shift, total, first, products)


@np.errstate(invalid="ignore", over="ignore")  # what is not finite is reported by whoever fits
def _centred(buffer, source, target, weights, shift):
    """Write rows of both sides about the shift into the buffer, times the roots of their weights; return both."""
    rows, d = buffer[: len(source)], source.shape[1]
    for half, array, mean in zip((rows[:, :d], rows[:, d:]), (source, target), shift, strict=True):
        half[...] = array
        half -= mean
    if weights is None:
        return rows, None
    roots = np.sqrt(weights)
    rows *= roots[:, None]
    return rows, roots


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
