"""Sufficient statistics: fit rows that never fit in memory, from one small record that merges.

    from align.solvers import statistics
    record = statistics.from_arrays(np.load("x.npy", mmap_mode="r"), np.load("y.npy", mmap_mode="r"))
    fitted = statistics.fit(record, "affine")

A record holds counts, means and centred second moments in float64, accumulated in float64 whatever the input: squares
of float32 data of condition 1e4 need the digits. What streams is summed by the host, whose BLAS multiplies a matrix
with itself at half the price; what is sharded, by its devices. The record of several streams, shards or processes is
the merge of theirs. Maps are returned in the default float of JAX.
"""

import dataclasses
import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy.linalg import blas

from align.maps import AffineMap
from align.solvers import inputs
from align.solvers.decompositions import numerical_rank
from align.solvers.moments import HIGHEST, Moments, about_origin
from align.solvers.ridge import TOWARDS, RidgePath, default_strengths, shrinkage
from align.solvers.rigid import procrustes, through_means

try:
    from jax import enable_x64
except ImportError:  # before jax 0.8
    from jax.experimental import enable_x64

_product = functools.partial(jnp.matmul, precision=HIGHEST)
_PROCRUSTES = ("orthogonal", "rigid", "similarity")
_FAMILIES = (*_PROCRUSTES, "linear", "affine")
_BLOCK = 1024  # rows of one product
_BLOCK_BYTES = 1 << 25  # of float32 rows read at a time


class Statistics(NamedTuple):
    """Sums over weighted pairs of rows, about the means; NumPy float64.

    total: sum of the weights; source_mean `[d_source]`; target_mean `[d_target]`; source `[d_source, d_source]`,
    cross `[d_source, d_target]` and target `[d_target, d_target]`: sums of outer products.
    """

    total: np.ndarray
    source_mean: np.ndarray
    target_mean: np.ndarray
    source: np.ndarray
    cross: np.ndarray
    target: np.ndarray


def from_blocks(blocks: Iterable[tuple]) -> Statistics:
    """Accumulate an iterator of `(source, target)` or `(source, target, weights)` blocks of corresponding rows.

    source `[rows, d_source]`, target `[rows, d_target]`, weights `[rows]`; the number of rows may differ from block to
    block. ValueError for shapes that do not fit, negative weights, and no rows at all.
    """
    shift, total, first, products = None, 0.0, 0.0, None
    for block in blocks:
        source, target, weights = _checked(*block, like=shift)
        if len(source) == 0:
            continue
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            if (weights < 0).any():
                raise ValueError(f"weights must not be negative; the least is {weights.min():g}")
        if shift is None:
            # Any shift near the mean will do; it keeps the squares from cancelling.
            shift = [np.asarray(a).mean(0, dtype=np.float64) for a in (source, target)]
            rows = np.empty((_BLOCK, source.shape[1] + target.shape[1]))
            products = np.zeros((rows.shape[1], rows.shape[1]), order="F")
        total += len(source) if weights is None else weights.sum()
        for start in range(0, len(source), _BLOCK):
            part = slice(start, start + _BLOCK)
            weighted, roots = _centred(
                rows, source[part], target[part], None if weights is None else weights[part], shift
            )
            first = first + (weighted.sum(0) if roots is None else roots @ weighted)
            # The upper triangle of weighted' weighted is added where the products are.
            products = blas.dsyrk(1.0, weighted.T, beta=1.0, c=products, overwrite_c=1)
    if shift is None:
        raise ValueError("blocks must hold at least one row; there was none")
    return _finished(*shift, total, first, products)


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


def from_arrays(source, target, *, weights=None) -> Statistics:
    """Accumulate source `[n, d_source]` and target `[n, d_target]`, weights `[n]` or None, block by block.

    Whatever slices like an array will do, such as a memory-mapped file: some 32 MiB of it are read at a time.
    """
    if source.ndim != 2 or target.ndim != 2 or source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must be [n, d] with as many rows; they are {source.shape}, {target.shape}")
    if weights is not None and weights.shape != source.shape[:1]:
        raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
    rows = max(1, _BLOCK_BYTES // (4 * _BLOCK * (source.shape[1] + target.shape[1]))) * _BLOCK

    def blocks():
        for start in range(0, source.shape[0], rows):
            block = slice(start, start + rows)
            yield source[block], target[block], None if weights is None else weights[block]

    return from_blocks(blocks())


def from_sharded(source, target, mesh, *, weights=None, axis=None) -> Statistics:
    """Accumulate arrays whose rows are sharded over a mesh axis (the first unless named); one psum of O(d²) numbers.

    source `[n, d_source]`, target `[n, d_target]` and weights `[n]`, with n a multiple of the axis' size (pad with rows
    of weight zero); over several processes they are global arrays, and every process gets the whole result.
    """
    axis = axis or mesh.axis_names[0]
    rows = jax.sharding.PartitionSpec(axis)
    everywhere = jax.sharding.PartitionSpec()
    source, target, weights = _checked(source, target, weights)
    if source.shape[0] == 0 or source.shape[0] % mesh.shape[axis]:
        raise ValueError(
            f"source must have a positive multiple of {mesh.shape[axis]} rows, the size of mesh axis {axis!r}; "
            f"it is {source.shape}"
        )
    given = (source, target) if weights is None else (source, target, weights)

    def local(source, target, weights=None):
        source, target = source.astype(jnp.float64), target.astype(jnp.float64)
        heavy = jnp.ones(source.shape[0]) if weights is None else weights.astype(jnp.float64)
        total = lax.psum(heavy.sum(), axis)
        shift = [lax.psum(jnp.matmul(heavy, a, precision=HIGHEST), axis) / total for a in (source, target)]
        width = source.shape[1] + target.shape[1]
        zeros = jnp.zeros(width), [jnp.zeros((stop - start, width - start)) for start, stop in _strips(width)]
        sums = _sum_block(zeros, source, target, weights, jnp.concatenate(shift))
        return *shift, total, *lax.psum(sums, axis)

    with enable_x64(True):
        given = jax.device_put(given, jax.sharding.NamedSharding(mesh, rows))  # moves nothing that is sharded so
        out = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=rows, out_specs=everywhere, check_vma=False))(*given)
    *shift, total, first, strips = jax.tree.map(np.asarray, out)
    upper = np.concatenate([np.pad(s, ((0, 0), (first.size - s.shape[1], 0))) for s in strips])
    return _finished(*shift, total, first, upper)


def across_processes(mine: Statistics) -> Statistics:
    """Return the merge of every process' record, on every process (`jax.distributed` must be initialised)."""
    from jax.experimental import multihost_utils

    with enable_x64(True):
        gathered = multihost_utils.process_allgather(mine)
    parts = [Statistics(*(np.asarray(field[k]) for field in gathered)) for k in range(jax.process_count())]
    return merge(*parts)


def merge(*parts: Statistics) -> Statistics:
    """Return the record of all the rows behind the parts (Chan, Golub and LeVeque 1979)."""
    return functools.reduce(_merge, parts)


def _merge(a: Statistics, b: Statistics) -> Statistics:
    if a.cross.shape != b.cross.shape:
        raise ValueError(f"parts must share their dimensions; their cross moments are {a.cross.shape}, {b.cross.shape}")
    total = a.total + b.total
    x, y = b.source_mean - a.source_mean, b.target_mean - a.target_mean
    share, shared = b.total / total, a.total * b.total / total
    return Statistics(
        total,
        a.source_mean + share * x,
        a.target_mean + share * y,
        a.source + b.source + shared * np.outer(x, x),
        a.cross + b.cross + shared * np.outer(x, y),
        a.target + b.target + shared * np.outer(y, y),
    )


def _checked(source, target, weights=None, like=None):
    if source.ndim != 2 or target.ndim != 2 or source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must be [rows, d], as many rows; they are {source.shape}, {target.shape}")
    if weights is not None and weights.shape != source.shape[:1]:
        raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
    if like is not None and (source.shape[1], target.shape[1]) != (like[0].size, like[1].size):
        raise ValueError(
            f"blocks must share their dimensions; {source.shape} and {target.shape} follow blocks of "
            f"{like[0].size} and {like[1].size} dimensions"
        )
    return source, target, weights


def _strips(width):
    # The product is symmetric: strips of its upper triangle save seven sixteenths of the work.
    size = max(64, -(-width // 8))
    return [(start, min(start + size, width)) for start in range(0, width, size)]


def _sum_block(sums, source, target, weights, shift):
    """Add the rows' sum and the strips of their second moments, about the shift, a cache-sized block at a time."""

    def add(sums, start, size):
        rows = [lax.dynamic_slice_in_dim(a, start, size) for a in (source, target)]
        rows = jnp.concatenate([a.astype(jnp.float64) for a in rows], axis=1) - shift
        heavy = rows
        if weights is not None:
            heavy = rows * lax.dynamic_slice_in_dim(weights, start, size).astype(jnp.float64)[:, None]
        first, strips = sums
        products = [
            strip + jnp.matmul(heavy[:, start:stop].T, rows[:, start:], precision=HIGHEST)
            for strip, (start, stop) in zip(strips, _strips(rows.shape[1]), strict=True)
        ]
        return first + heavy.sum(0), products

    blocks, rest = divmod(source.shape[0], _BLOCK)
    if blocks:
        sums, _ = lax.scan(lambda sums, k: (add(sums, k * _BLOCK, _BLOCK), None), sums, jnp.arange(blocks))
    return add(sums, blocks * _BLOCK, rest) if rest else sums


def _finished(source_shift, target_shift, total, first, upper):
    total = np.asarray(total, np.float64)
    if not total > 0:
        raise ValueError(f"weights must have a positive sum; it is {total}")
    products = np.triu(upper) + np.triu(upper, 1).T - np.outer(first, first) / total
    d = source_shift.size
    offset = first / total
    return Statistics(
        total,
        source_shift + offset[:d],
        target_shift + offset[d:],
        products[:d, :d],
        products[:d, d:],
        products[d:, d:],
    )


# Fits and measures


def fit(statistics: Statistics, solver: str, *, reflection=True, rcond=None, rank=None) -> AffineMap:
    """Fit what the solver of that name would fit to the rows: "orthogonal", "rigid", "similarity", "linear", "affine".

    The options are those of the solvers; `rcond` cannot be resolved below √(d_source ε), as moments square it.
    ValueError for an unknown solver, dimensions that do not fit it, and statistics that are not finite.
    """
    if solver not in _FAMILIES:
        raise ValueError(f"solver must be one of {_FAMILIES}; it is {solver!r}")
    if solver in _PROCRUSTES:
        inputs.embeddable(statistics.source_mean[None], statistics.target_mean[None])
    return _map(statistics, *_in_float64(_fit, statistics, _cutoff(statistics, rcond), solver, reflection))


def ridge(statistics: Statistics, *, strengths=None, towards="zero", reflection=True) -> AffineMap:
    """Fit `solvers.ridge` over the path of strengths, chosen by generalised cross-validation.

    A record has no rows to leave out; Σ errors² / (1 − degrees of freedom / rows)² stands in for it (Golub, Heath and
    Wahba 1979) and is reported as `details.leave_one_out`. towards: "zero", "rigid" or "similarity", one of them,
    since what a fit of W₀ costs in degrees of freedom is not counted. Errors as for `fit`.
    """
    possible = TOWARDS[:3]  # a record of centred moments has an intercept
    if towards not in possible:
        raise ValueError(f"towards must be one of {possible}; it is {towards!r}")
    if towards != "zero":
        inputs.embeddable(statistics.source_mean[None], statistics.target_mean[None])
    if strengths is not None:
        strengths = np.asarray(strengths, np.float64)
    return _map(statistics, *_in_float64(_fit_ridge, statistics, strengths, towards, reflection))


def canonical_correlations(statistics: Statistics) -> np.ndarray:
    """Return the canonical correlations, descending, `[min(d_source, d_target)]`, those of unused dimensions zero."""
    _check_finite(statistics)
    halves = []
    for moment in (statistics.source, statistics.target):
        values, vectors = np.linalg.eigh(moment)
        keep = values > len(values) * np.finfo(values.dtype).eps * values[-1]
        halves.append(vectors * np.where(keep, 1 / np.sqrt(np.where(keep, values, 1)), 0))
    return np.clip(np.linalg.svd(halves[0].T @ statistics.cross @ halves[1], compute_uv=False), 0, 1)


def linear_cka(statistics: Statistics) -> float:
    """Return the linear centred kernel alignment (Kornblith et al. 2019), biased, in [0, 1]."""
    _check_finite(statistics)
    norms = np.linalg.norm(statistics.source) * np.linalg.norm(statistics.target)
    return float(np.sum(statistics.cross**2) / norms)


def procrustes_distance(statistics: Statistics, *, normalise=True) -> float:
    """Return the least ‖source Q − target‖ over orthogonal Q after centring and, unless told not to, unit norms.

    As a difference of moments it resolves distances down to about 1e-8 of the norms.
    """
    _check_finite(statistics)
    aligned = np.linalg.svd(statistics.cross, compute_uv=False).sum()
    squares = np.trace(statistics.source), np.trace(statistics.target)
    if normalise:
        return float(np.sqrt(max(2 - 2 * aligned / np.sqrt(squares[0] * squares[1]), 0)))
    return float(np.sqrt(max(sum(squares) - 2 * aligned, 0)))


def _check_finite(statistics):
    for name, field in statistics._asdict().items():
        if not np.isfinite(field).all():
            raise ValueError(f"statistics must be finite; {name} holds NaN or infinity, and so do the rows")


def _cutoff(statistics, rcond):
    d = statistics.source_mean.size
    rcond = d * jnp.finfo(jnp.result_type(float)).eps if rcond is None else rcond
    return max(rcond, float(np.sqrt(d * np.finfo(np.float64).eps)))


def _in_float64(function, statistics, *arguments):
    _check_finite(statistics)
    zeros = [np.zeros_like(mean) for mean in (statistics.source_mean, statistics.target_mean)]
    m = Moments(
        total=statistics.total,
        source_shift=statistics.source_mean,
        source_offset=zeros[0],
        target_shift=statistics.target_mean,
        target_offset=zeros[1],
        cross=statistics.cross,
        source_squares=np.diag(statistics.source),
        target_squares=np.diag(statistics.target),
        source=statistics.source,
    )
    with enable_x64(True):
        return jax.tree.map(np.asarray, function(m, *arguments))


def _map(statistics, weight, bias, rank, condition, error, details=None):
    dtype = jnp.result_type(float)
    fitted = AffineMap(*(jnp.asarray(a, dtype) for a in (weight, bias)), rank, jnp.asarray(condition, dtype))
    if details is not None:
        details = jax.tree.map(lambda a: jnp.asarray(a, dtype if a.dtype.kind == "f" else jnp.int32), details)
    fitted = dataclasses.replace(fitted, details=details)
    spread = np.trace(statistics.target)
    return inputs.diagnosed(fitted, None, jnp.asarray(error / spread if spread else error, dtype), jnp.ones((), dtype))


@functools.partial(jax.jit, static_argnames=("solver", "reflection"))
def _fit(means, rcond, solver, reflection):
    m = about_origin(means) if solver in ("orthogonal", "linear") else means
    if solver in _PROCRUSTES:
        weight, singular_values = procrustes(m, reflection, scaled=solver == "similarity")
        rank, condition = numerical_rank(singular_values, max(weight.shape) * jnp.finfo(weight.dtype).eps)
    else:
        values, vectors = jnp.linalg.eigh(m.source)
        singular_values = jnp.sqrt(jnp.maximum(values[::-1], 0))
        rank, condition = numerical_rank(singular_values, rcond)
        inverses = shrinkage(values, values > rcond**2 * values[-1], 0)
        weight = _product(vectors, inverses[:, None] * _product(vectors.T, m.cross))
    return weight, through_means(m, weight), rank, condition, _error(m, weight)


def _error(m, weight):
    error = m.target_squares.sum() - 2 * (weight * m.cross).sum() + (weight * _product(m.source, weight)).sum()
    return jnp.maximum(error, 0)


@functools.partial(jax.jit, static_argnames=("towards", "reflection"))
def _fit_ridge(m, strengths, towards, reflection):
    if strengths is None:
        strengths = default_strengths(m)
    start = jnp.zeros_like(m.cross)
    if towards != "zero":
        start = procrustes(m, reflection, scaled=towards == "similarity")[0]
    cross = m.cross - _product(m.source, start)
    values, vectors = jnp.linalg.eigh(m.source)
    values = jnp.maximum(values, 0)
    keep = values > values.shape[0] * jnp.finfo(values.dtype).eps * values[-1]
    solution = _product(vectors.T, cross)
    before = _error(m, start)

    def score(strength):
        inverses = shrinkage(values, keep, strength)
        explained = ((solution**2).sum(1) * inverses * (2 - values * inverses)).sum()
        degrees = (values * inverses).sum() + 1
        free = 1 - degrees / m.total
        return jnp.where(free > 0, (before - explained) / free**2, jnp.inf), degrees

    errors, degrees = jax.lax.map(score, strengths)
    k = jnp.argmin(errors)
    weight = start + _product(vectors, shrinkage(values, keep, strengths[k])[:, None] * solution)
    relative = jnp.sqrt(jnp.maximum(errors, 0) / m.target_squares.sum())
    used = (strengths[k] > 0) | keep
    condition = jnp.sqrt((values[-1] + strengths[k]) / jnp.where(used, values + strengths[k], jnp.inf).min())
    index = jnp.asarray(TOWARDS.index(towards))
    details = RidgePath(strengths[k], index, degrees[k], relative[k], strengths, degrees[None], relative[None])
    return weight, through_means(m, weight), used.sum(), condition, _error(m, weight), details
