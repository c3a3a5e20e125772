"""Cheap arithmetic where it is accurate enough, careful arithmetic where it is not, decided by the data at run time."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap


def with_care(level: jax.Array, branches: Sequence[Callable], *operands: Any) -> Any:
    """Run `branches[level]`, ordered from cheap to careful, on the operands.

    Under `vmap` the most demanding member of the batch decides for all. A plain `lax.switch` would run every branch
    for every member there, so that the careful one would always be paid for.
    """

    @custom_vmap
    def run(level, *operands):
        return lax.switch(level, branches, *operands)

    @run.def_vmap
    def run_batch(axis_size, in_batched, level, *operands):
        level_batched, *batched = in_batched
        axes = [jax.tree.map(lambda b: 0 if b else None, each) for each in batched]
        mapped = [jax.vmap(branch, in_axes=axes, axis_size=axis_size) for branch in branches]
        out = with_care(jnp.max(level) if level_batched else level, mapped, *operands)
        return out, jax.tree.map(lambda _: True, out)

    return run(level, *operands)


def apart_where(rare: jax.Array, usual: Callable, other: Callable, *operands: Any) -> Any:
    """Run `other` on the operands where `rare` is true, `usual` elsewhere.

    Unlike a plain `lax.cond`, which runs both for every member under `vmap`, only `usual` where nothing in the batch is
    rare.
    """

    def each(rare, *operands):
        return lax.cond(rare, other, usual, *operands)

    return with_care(jnp.where(rare, 1, 0), [lambda _, *operands: usual(*operands), each], rare, *operands)
