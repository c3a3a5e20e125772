"""Two clouds without correspondence: the checks on them, their coordinates, and their classes."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from align.maps import AffineMap
from align.solvers import inputs, lapack

_product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)


class Coordinates(NamedTuple):
    """Coordinates about the mean `[d]` of a cloud: `down` `[d, k]` leads to them, `up` `[k, d]` back."""

    mean: jax.Array
    down: jax.Array
    up: jax.Array

    def __call__(self, x):
        return _product(x - self.mean, self.down)


def principal(array, weights=None, *, whitening=0.0, components=None, width=None) -> Coordinates:
    """Return principal coordinates of array `[n, d]`, scaled so that the cloud's mean squared norm is 1.

    weights: `[n]`, of the rows, alike without them. whitening: 0 keeps the ratios of the spreads, 1 makes them equal,
    and what lies between is between. components: how many leading ones to keep, all without it. width: of the result,
    padded by zeros; what is not kept is zero too.
    """
    weights = jnp.full(array.shape[0], 1 / array.shape[0], array.dtype) if weights is None else weights / weights.sum()
    mean = _product(weights, array)
    centred = array - mean
    variances, vectors = lapack.eigh(_product(centred.T * weights, centred))
    variances, vectors = variances[::-1], vectors[:, ::-1]
    keep = variances > array.shape[1] * jnp.finfo(array.dtype).eps * variances[0]
    keep &= jnp.arange(array.shape[1]) < (array.shape[1] if components is None else components)
    safe = jnp.where(keep, variances, 1)
    scale = safe ** (-whitening / 2)
    scale = scale / jnp.sqrt(jnp.where(keep, safe * scale**2, 0).sum())
    pad = ((0, 0), (0, (width or array.shape[1]) - array.shape[1]))
    down, up = jnp.where(keep, vectors * scale, 0), jnp.where(keep, vectors / scale, 0)
    return Coordinates(mean, jnp.pad(down, pad), jnp.pad(up, pad).T)


def both(source, target, weights=(None, None), *, whitening):
    """Return principal coordinates of two clouds, as wide as the wider one's dimensions."""
    width = max(source.shape[1], target.shape[1])
    return tuple(
        principal(*one, whitening=whitening, width=width) for one in zip((source, target), weights, strict=True)
    )


def between(source: Coordinates, fitted, target: Coordinates) -> AffineMap:
    """Return what a map of the clouds is between their coordinates."""
    bias = _product(fitted(source.mean) - target.mean, target.down)
    return AffineMap(_product(_product(source.up, fitted.weight), target.down), bias)


def conjugated(source: Coordinates, weight, target: Coordinates) -> AffineMap:
    """Return the map of the clouds that is `weight` `[k, k]` between their coordinates."""
    weight = _product(_product(source.down, weight), target.up)
    return AffineMap(weight, target.mean - _product(source.mean, weight))


def floats(source, target):
    """Return source `[n, d_source]` and target `[m, d_target]` as floats of one dtype; ValueError if not so."""
    source, target = inputs.as_array("source", source), inputs.as_array("target", target)
    for name, array in (("source", source), ("target", target)):
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} must be [rows, dimensions], at least one of each; it is {array.shape}")
    dtype = inputs.float_dtype(source=source, target=target)
    inputs.finite(source=source, target=target)  # before any search: such a row may simply never be matched
    return source.astype(dtype), target.astype(dtype)


def shared(source, source_labels, target, target_labels):
    """Return the labels of both sides as positions among the classes that both have, −1 for the others, and how many.

    Labels are integers, one per row. They shape the computation, so they must be concrete: close over them where the
    solver is jitted or vmapped. ValueError for labels that do not fit, or without a class in common.
    """
    both = []
    for name, array, labels in (("source", source, source_labels), ("target", target, target_labels)):
        if isinstance(labels, jax.core.Tracer):
            raise ValueError(f"{name}_labels must be concrete, not traced: close over them under jit and vmap")
        labels = np.asarray(labels)
        if labels.shape != array.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"{name}_labels must be [{array.shape[0]}] integers, one per row of {name}; "
                f"they are {labels.shape} of {labels.dtype}"
            )
        both.append(labels)
    classes = np.intersect1d(*both)
    if len(classes) == 0:
        raise ValueError("source_labels and target_labels have no class in common")
    return *(np.where(np.isin(y, classes), np.searchsorted(classes, y), -1) for y in both), len(classes)


def groups(source, target, source_labels, target_labels):
    """Return the rows of each side by class, as `rows` does, and the weights that balance the classes.

    Without labels all rows are one class, and the weights are None.
    """
    if (source_labels is None) != (target_labels is None):
        raise ValueError("source_labels and target_labels must be given together")
    if source_labels is None:
        return [(jnp.arange(a.shape[0])[None], jnp.array([a.shape[0]])) for a in (source, target)], (None, None)
    *positions, count = shared(source, source_labels, target, target_labels)
    return [rows(p, count) for p in positions], [balance(p, count).astype(source.dtype) for p in positions]


def rows(positions, count):
    """Sort rows by class once: indices `[count, size of the largest class]`, padded by row 0, and sizes `[count]`."""
    sizes = np.bincount(positions[positions >= 0], minlength=count)
    order = np.argsort(positions, kind="stable")[np.sum(positions < 0) :]
    first = np.cumsum(sizes) - sizes
    column = np.arange(sizes.max())
    valid = column < sizes[:, None]
    return np.where(valid, order[np.where(valid, first[:, None] + column, 0)], 0), sizes


def balance(positions, count):
    """Return weights `[n]` that give every class the same, and nothing to rows at −1."""
    sizes = np.bincount(positions[positions >= 0], minlength=count)
    return jnp.asarray(np.where(positions >= 0, 1 / (count * sizes[positions]), 0), jnp.result_type(float))


def means(array, positions, count):
    """Return the mean `[count, d]` of the rows of array `[n, d]` at each position; rows at −1 are left out."""
    weights = jnp.asarray(positions[:, None] == np.arange(count), array.dtype)
    centre = array.mean(0)  # the sums of what is left are small, and so is their rounding
    sums = _product(weights.T, array - centre)
    return centre + sums / weights.sum(0)[:, None]


def windows(key, rows, sizes, subset):
    """Return a function from the iteration to rows `[groups, n]` and which are no padding: all, or a random window."""
    column = jnp.arange(rows.shape[1])
    if subset is None or subset >= rows.shape[1]:
        return lambda iteration: (rows, column < sizes[:, None])
    # Shuffled once; the windows then run through all rows of a group before they meet one again.
    draw = jax.random.uniform(key, rows.shape)
    order = jnp.argsort(jnp.where(column < sizes[:, None], draw, jnp.inf), axis=1)
    shuffled = jnp.take_along_axis(rows, order, axis=1)
    column = column[:subset]

    def window(iteration):
        where = (iteration * subset + column) % jnp.maximum(sizes, 1)[:, None]
        return jnp.take_along_axis(shuffled, where, axis=1), column < sizes[:, None]

    return window
