"""Two clouds without correspondence: the checks on them, which rows belong to which class, and the classes' means."""

import jax
import jax.numpy as jnp
import numpy as np

from align.solvers import inputs


def floats(source, target):
    """Return source `[n, d_source]` and target `[m, d_target]` as floats of one dtype; ValueError if not so."""
    source, target = jnp.asarray(source), jnp.asarray(target)
    for name, array in (("source", source), ("target", target)):
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} must be [rows, dimensions], at least one of each; it is {array.shape}")
    dtype = inputs.float_dtype(source=source, target=target)
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


def rows(positions, count):
    """Sort rows by class once: indices `[count, size of the largest class]`, padded by row 0, and sizes `[count]`."""
    sizes = np.bincount(positions[positions >= 0], minlength=count)
    order = np.argsort(positions, kind="stable")[np.sum(positions < 0) :]
    first = np.cumsum(sizes) - sizes
    column = np.arange(sizes.max())
    valid = column < sizes[:, None]
    return np.where(valid, order[np.where(valid, first[:, None] + column, 0)], 0), sizes


def means(array, positions, count):
    """Return the mean `[count, d]` of the rows of array `[n, d]` at each position; rows at −1 are left out."""
    array = jnp.asarray(array)
    weights = jnp.asarray(positions[:, None] == np.arange(count), array.dtype)
    centre = array.mean(0)  # the sums of what is left are small, and so is their rounding
    sums = jnp.matmul(weights.T, array - centre, precision=jax.lax.Precision.HIGHEST)
    return centre + sums / weights.sum(0)[:, None]
