"""From rows that are sharded over devices or processes to one record."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from align.arrays.double import enable_x64
from align.arrays.products import matmul
from align.streaming.record import BLOCK, Statistics, check_blocks, check_statistics, finished, merge


def from_sharded(
    source: jax.Array,
    target: jax.Array,
    mesh: jax.sharding.Mesh,
    *,
    weights: jax.Array | None = None,
    axis: str | None = None,
) -> Statistics:
    """Accumulate arrays whose rows are sharded over a mesh axis (the first unless named); one psum of O(d²) numbers.

    source `[n, d_source]`, target `[n, d_target]` and weights `[n]`, with n a multiple of the axis' size (pad with rows
    of weight zero); over several processes they are global arrays, and every process gets the whole result. ValueError
    for shapes that do not fit, arrays that are masked or of other than real numbers, and negative weights.
    """
    axis = axis or mesh.axis_names[0]
    if axis not in mesh.axis_names:
        raise ValueError(f"axis must be one of the mesh, {', '.join(map(str, mesh.axis_names))}; it is {axis!r}")
    rows = jax.sharding.PartitionSpec(axis)
    everywhere = jax.sharding.PartitionSpec()
    source, target, weights = check_blocks(source, target, weights)
    if source.shape[0] == 0 or source.shape[0] % mesh.shape[axis]:
        raise ValueError(
            f"source must have a positive multiple of {mesh.shape[axis]} rows, the size of mesh axis {axis!r}; "
            f"it is {source.shape}"
        )
    given = (source, target) if weights is None else (source, target, weights)

    def local(source, target, weights=None):
        source, target = source.astype(jnp.float64), target.astype(jnp.float64)
        heavy = jnp.ones(source.shape[0]) if weights is None else weights.astype(jnp.float64)
        total, least = lax.psum(heavy.sum(), axis), lax.pmin(heavy.min(), axis)
        shift = [lax.psum(matmul(heavy, a), axis) / total for a in (source, target)]
        width = source.shape[1] + target.shape[1]
        zeros = jnp.zeros(width), [jnp.zeros((stop - start, width - start)) for start, stop in _strips(width)]
        sums = _sum_block(zeros, source, target, weights, jnp.concatenate(shift))
        return *shift, total, least, *lax.psum(sums, axis)

    with enable_x64(True):
        given = jax.device_put(given, jax.sharding.NamedSharding(mesh, rows))  # moves nothing that is sharded so
        out = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=rows, out_specs=everywhere, check_vma=False))(*given)
    *shift, total, least, first, strips = jax.tree.map(np.asarray, out)
    if least < 0:
        raise ValueError(f"weights must not be negative; the least is {float(least):g}")
    upper = np.concatenate([np.pad(s, ((0, 0), (first.size - s.shape[1], 0))) for s in strips])
    d = shift[0].size
    return finished(shift, total, (first[:d], first[d:]), upper[:d, :d], upper[:d, d:], upper[d:, d:])


def across_processes(mine: Statistics | None) -> Statistics:
    """Return the merge of every process' record, on every process (`jax.distributed` must be initialised).

    mine: None from a process without rows, which has to call this all the same: the others wait for it. ValueError, in
    every process, where records have other dimensions, or there is none.
    """
    from jax.experimental import multihost_utils

    sound = mine is None or isinstance(mine, Statistics)
    own = (0, 0, 0) if mine is None else (*mine.cross.shape, mine.target.ndim) if sound else (-1, -1, -1)
    shapes = np.asarray(multihost_utils.process_allgather(np.array(own))).reshape(-1, 3)
    if not sound:
        check_statistics(mine)
    if (shapes < 0).any():
        raise ValueError(f"process {int((shapes < 0).any(1).argmax())} gave what is no record")
    there = [k for k, one in enumerate(shapes) if one.any()]
    if len(kinds := {tuple(map(int, shapes[k])) for k in there}) != 1:
        told = "; ".join(f"{a} and {b}{'' if full == 2 else ', for fits alone'}" for a, b, full in sorted(kinds))
        raise ValueError(f"records of all processes must share their dimensions; they have {told or 'no rows at all'}")
    ((d, e, full),) = kinds
    nothing = Statistics(*(np.zeros(shape) for shape in ((), (d,), (e,), (d, d), (d, e), (e,) * full)))
    with enable_x64(True):
        gathered = multihost_utils.process_allgather(nothing if mine is None else mine)
    fields = [np.asarray(field).reshape(-1, *np.shape(like)) for field, like in zip(gathered, nothing, strict=True)]
    return merge(*(Statistics(*(field[k] for field in fields)) for k in there))


def _sum_block(sums, source, target, weights, shift):
    """Add the rows' sum and the strips of their second moments, about the shift, a cache-sized block at a time."""
    blocks, rest = divmod(source.shape[0], BLOCK)
    add = functools.partial(_add_rows, source=source, target=target, weights=weights, shift=shift)
    if blocks:
        sums, _ = lax.scan(lambda sums, k: (add(sums, k * BLOCK, BLOCK), None), sums, jnp.arange(blocks))
    return add(sums, blocks * BLOCK, rest) if rest else sums


def _add_rows(sums, start, size, *, source, target, weights, shift):
    # One product [source target]'[source target] has all moments, and is symmetric. Cut into strips of its rows, each
    # from the diagonal on, it takes nine sixteenths of the multiplications.
    rows = [lax.dynamic_slice_in_dim(array, start, size).astype(jnp.float64) for array in (source, target)]
    rows = jnp.concatenate(rows, axis=1) - shift
    heavy = rows
    if weights is not None:
        heavy = rows * lax.dynamic_slice_in_dim(weights, start, size).astype(jnp.float64)[:, None]
    first, strips = sums
    products = [matmul(heavy[:, left:right].T, rows[:, left:]) for left, right in _strips(rows.shape[1])]
    return first + heavy.sum(0), [strip + product for strip, product in zip(strips, products, strict=True)]


def _strips(width):
    """Return the first and the last row of each of at most eight strips of a `[width, width]` product."""
    size = max(64, -(-width // 8))
    return [(start, min(start + size, width)) for start in range(0, width, size)]
