"""Functions of many rows, block by block so that memory stays bounded, and a share of the blocks on every core."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import errors
from flax import linen as nn
from jax import Array, lax
from jax import numpy as jnp


def block_of(module: nn.Module) -> int:
    """Give how many rows a module computes fastest at a time: its `block`, 100 where it says none.

    The patches that a convolution makes of so many images fit into the caches of a CPU.
    """
    return getattr(module, "block", 100)


@contextlib.contextmanager
def of_its_shape(name: str, given: Array) -> Iterator[None]:
    """Name the array where a network that it is given to within was trained on others: ValueError."""
    try:
        yield
    except errors.ScopeParamShapeError as error:
        raise ValueError(
            f"{name} must be of the shape that the network was trained on; they are {given.shape}"
        ) from error


def in_blocks(
    function: Callable[[Any], Any],
    rows: Any,
    size: int = 100,
    *,
    start: int | Array = 0,
    count: int | None = None,
) -> Array:
    """Apply a function of `[b, ...]` to `[n, ...]` block by block; the last ones overlap where n is not a multiple.

    rows: an array, or several of as many rows. start, count: the rows that are taken, all unless they are told. All are
    taken two blocks at a time, which takes a CPU less than one after the other.
    """
    n = len(jax.tree.leaves(rows)[0]) if count is None else count

    def taken(place, length):
        return jax.tree.map(lambda array: lax.dynamic_slice_in_dim(array, start + place, length), rows)

    if n == 0:  # which not every network takes
        one = jax.tree.map(lambda array: jax.ShapeDtypeStruct((1, *array.shape[1:]), array.dtype), rows)
        like = jax.eval_shape(function, one)
        return jnp.zeros((0, *like.shape[1:]), like.dtype)
    if n <= size:
        return function(taken(0, n))
    at_once = 2 if count is None else 1
    steps = -(-n // (at_once * size))
    size = -(-n // (at_once * steps))
    like = jax.eval_shape(function, taken(0, size))

    def step(i, out):
        # Past the end, slices start where a block still fits. Slices of what the loop is given to walk over would
        # be slices of a copy.
        places = [jnp.minimum(block * size, n - size) for block in (at_once * i + k for k in range(at_once))]
        blocks = [function(taken(place, size)) for place in places]
        for place, block in zip(places, blocks, strict=True):
            out = lax.dynamic_update_slice_in_dim(out, block, place, 0)
        return out

    return lax.fori_loop(0, steps, step, jnp.zeros((n, *like.shape[1:]), like.dtype))


def in_shares(function: Callable[..., Array], module: nn.Module, network: Sequence[Any], *rows: Array) -> Array:
    """Apply a jitted `function(*network, *rows, count, start)`: `count` rows from `start` on, by default all.

    module: of the network, says by its `one_core` whether XLA computes it fastest on a core of its own.
    network: what is static of it, and its parameters.
    rows: `[n, ...]` each.

    Outside of `jit` and `vmap` and on a CPU, such a module has a share of the rows on every core.
    """
    n, shares = len(rows[0]), _shares(module, (network[1:], rows))
    if shares == 1:
        return function(*network, *rows)
    # Converted and compiled here, where JAX's settings are those of whoever calls: threads have their own.
    operands = jax.tree.map(jnp.asarray, (*network[1:], *rows))
    count = -(-n // shares)
    shares = -(-n // count)  # the last ones may have nothing left
    starts = [np.int32(min(share * count, n - count)) for share in range(shares)]
    compiled = function.lower(network[0], *operands, count, starts[0]).compile()  # type: ignore[attr-defined]
    with ThreadPoolExecutor(shares) as pool:
        parts = list(pool.map(partial(compiled, *operands), starts))
    return jnp.concatenate([*parts[:-1], parts[-1][shares * count - n :]])


def _shares(module, operands):
    """Give how many threads compute: a core's each, of some blocks at least, and one where others decide."""
    leaves, rows = jax.tree.leaves(operands), operands[1][0]
    if not getattr(module, "one_core", False) or any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return 1
    devices = set().union(*(leaf.devices() for leaf in leaves if isinstance(leaf, Array)))
    if {device.platform for device in devices or jax.devices()[:1]} != {"cpu"} or len(devices) > 1:
        return 1
    return max(1, min(os.cpu_count() or 1, len(rows) // (8 * block_of(module))))
