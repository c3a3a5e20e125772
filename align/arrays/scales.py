"""Squares without overflow or underflow: arrays brought to about 1 by a power of two, which rounds nothing."""

import functools

import jax
import jax.numpy as jnp
from jax import lax


@functools.partial(jax.jit, static_argnames="axis")
def unit(array: jax.Array, *, axis: int | None = None) -> tuple[jax.Array, jax.Array]:
    """Return a finite float array over the power of two below its largest absolute value, and that power, without axes.

    With `axis`, each slice along it has a power of its own, whose axis is kept. Where all is zero, or nothing is there,
    the power is 1. The power carries no derivative: what undoes it exactly has the derivative of the whole.
    """
    power = _power_of_two(lax.stop_gradient(jnp.abs(array).max(axis, keepdims=axis is not None, initial=0)))
    return array / power, power


def directions(x: jax.Array) -> jax.Array:
    """Return the rows of a finite `x` `[n, d]` over their norms; zero stays zero, with a derivative of zero."""
    x, _ = unit(x, axis=1)
    squares = jnp.sum(x**2, 1, keepdims=True)
    return x / jnp.sqrt(jnp.where(squares > 0, squares, 1))


def _power_of_two(x):
    """Return the greatest power of two that is at most x, for x ≥ 0; 1 for 0, and for what counts as 0."""
    word = {4: jnp.uint32, 8: jnp.uint64}[x.dtype.itemsize]
    # All bits of infinity are in the exponent: kept of another number, they are its power of two.
    exponent = lax.bitcast_convert_type(jnp.asarray(jnp.inf, x.dtype), word)
    power = lax.bitcast_convert_type(lax.bitcast_convert_type(x, word) & exponent, x.dtype)
    # Its reciprocal, by which compilers multiply, must be no subnormal number either.
    return jnp.where(power > 0, jnp.minimum(power, 0.25 / jnp.finfo(x.dtype).tiny), 1).astype(x.dtype)
