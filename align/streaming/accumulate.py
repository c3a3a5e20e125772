"""From blocks of rows to a record, on the host, whose BLAS multiplies a matrix with itself at half the price."""

import contextlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.linalg import blas

from align.arrays import checks, inputs
from align.streaming.record import BLOCK, Statistics, as_rows, check_blocks, finished, merge

# From this many times the weight of the rows whose mean is the shift, the sums begin again about another: where those
# rows lie far off, no more digits of squares cancel than this has.
_MOST_ABOUT_A_SHIFT = 1e4
_BLOCK_BYTES = 1 << 25  # of float32 rows read at a time


def from_blocks(blocks: Iterable[tuple], *, target_moments: bool = True) -> Statistics:
    """Accumulate an iterator of `(source, target)` or `(source, target, weights)` blocks of corresponding rows.

    source `[rows, d_source]`, target `[rows, d_target]`, weights `[rows]`; the number of rows may differ from block to
    block. target_moments: the target's own second moments too, which measures need and fits do not; without them it
    takes a quarter of the products less, where both sides are as wide. ValueError for shapes that do not fit, arrays
    that are masked or of other than real numbers, negative weights, no dimensions, and no rows at all.
    """
    checks.check_flags(target_moments=target_moments)
    if not isinstance(blocks, Iterable):
        raise ValueError(
            f"blocks must be (source, target) or (source, target, weights), each of rows; it is {blocks!r}"
        )
    sums: Any = None
    for source, target, weights in _parts(blocks):
        if sums is None:
            sums = _Sums(source, target, target_moments)
        sums.add(source, target, weights)
    if sums is None:
        raise ValueError("blocks must hold at least one row; there was none")
    return sums.finished()


def _parts(blocks):
    """Yield checked parts of blocks, none of more than BLOCK rows, none empty, weights as float64 or None."""
    like = None
    for block in blocks:
        if not isinstance(block, Iterable):
            raise ValueError(f"blocks must be (source, target) or (source, target, weights); one is {block!r}")
        parts = [None if part is None else _dense(part) for part in block]
        if len(parts) not in (2, 3):
            raise ValueError(f"blocks must be (source, target) or (source, target, weights); one has {len(parts)}")
        source, target, weights = check_blocks(*parts, like=like)
        like = (source.shape[1], target.shape[1]) if len(source) else like
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if (weights < 0).any():
                raise ValueError(f"weights must not be negative; the least is {weights.min():g}")
        for start in range(0, len(source), BLOCK):
            part = slice(start, start + BLOCK)
            yield source[part], target[part], None if weights is None else weights[part]


def _dense(part):
    """Return a part of a block as NumPy's; ValueError for what NumPy takes for one object, such as a sparse matrix."""
    array = part
    with contextlib.suppress(TypeError):  # text and masks, which are refused by name
        array = inputs.as_numpy(part)
    array = np.asanyarray(array)
    if array.dtype == object and array.ndim == 0:
        shape = f" {part.shape}" if hasattr(part, "shape") else ""
        raise ValueError(f"blocks must hold arrays of real numbers; one has {type(part).__name__}{shape}")
    return array


class _Sums:
    """Sums of rows about a shift, and of their products."""

    def __init__(self, source, target, target_moments):
        d, e = (part.shape[1] for part in (source, target))
        self.total, self.shift, self.shift_weight, self.before = 0.0, [], 0.0, []
        self.first = [np.zeros(d), np.zeros(e)]
        self.source = np.zeros((d, d), order="F")  # the upper triangle
        self.cross = np.zeros((e, d), order="F")
        self.target = np.zeros((e, e), order="F") if target_moments else np.zeros(e)
        self._rooms = [np.empty((BLOCK, width)) for width in (d, e)]

    @np.errstate(invalid="ignore", over="ignore")  # what is not finite is reported by whoever fits
    def add(self, source, target, weights):
        """Add rows, at most BLOCK, both sides about the shift and times the roots of their weights."""
        weight = len(source) if weights is None else weights.sum()
        if self.total and self.total + weight > _MOST_ABOUT_A_SHIFT * self.shift_weight:
            self._begin_again()
        if not self.total:
            # Any shift near the mean of what counts will do; it keeps the squares from cancelling. Rows of weight zero
            # have left the sums zero, about whatever they were taken.
            counts = weights if weights is not None and weights.any() else None
            self.shift = [np.average(np.asarray(part, np.float64), 0, counts) for part in (source, target)]
            self.shift_weight = weight
        x, y = (room[: len(source)] for room in self._rooms)
        roots = np.ones(len(x)) if weights is None else np.sqrt(weights)
        for rows, part, shift, first in zip((x, y), (source, target), self.shift, self.first, strict=True):
            np.subtract(np.asarray(part), shift, out=rows, dtype=np.float64, casting="unsafe")
            if weights is not None:
                rows *= roots[:, None]
            first += roots @ rows
        self.total += weight
        # BLAS has its matrices by columns: what it is given are the transposed rows, and nothing is copied.
        self.source = blas.dsyrk(1.0, x.T, beta=1.0, c=self.source, overwrite_c=1)
        self.cross = blas.dgemm(1.0, y.T, x.T, trans_b=1, beta=1.0, c=self.cross, overwrite_c=1)
        if self.target.ndim == 2:
            self.target = blas.dsyrk(1.0, y.T, beta=1.0, c=self.target, overwrite_c=1)
        else:
            self.target += np.einsum("ri,ri->i", y, y)

    def _begin_again(self):
        self.before = [merge(self._record(), *self.before)]
        self.total = 0.0
        for sums in (*self.first, self.source, self.cross, self.target):
            sums[...] = 0

    def _record(self):
        return finished(self.shift, self.total, self.first, self.source, self.cross.T, self.target)

    def finished(self):
        return merge(self._record(), *self.before)


def from_arrays(source: Any, target: Any, *, weights: Any = None, target_moments: bool = True) -> Statistics:
    """Accumulate source `[n, d_source]` and target `[n, d_target]`, weights `[n]` or None, block by block.

    Whatever slices like an array will do, such as a memory-mapped file: some 32 MiB of it are read at a time. Lists are
    made arrays. The rest is as for `from_blocks`.
    """
    source, target, weights = as_rows(source), as_rows(target), None if weights is None else as_rows(weights)
    if source.ndim != 2 or target.ndim != 2 or source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must be [n, d] with as many rows; they are {source.shape}, {target.shape}")
    if weights is not None and weights.shape != source.shape[:1]:
        raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
    width = max(1, source.shape[1] + target.shape[1])  # of none at all the first block says that it needs one
    rows = max(1, _BLOCK_BYTES // (4 * BLOCK * width)) * BLOCK

    def blocks():
        for start in range(0, source.shape[0], rows):
            block = slice(start, start + rows)
            yield source[block], target[block], None if weights is None else weights[block]

    return from_blocks(blocks(), target_moments=target_moments)
