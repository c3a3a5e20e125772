"""The classes that two clouds share: their rows, weights and means, and random windows of their rows."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays.products import matmul

# Of rows, by class: known from the labels, which are concrete.
Indices = jax.Array | np.ndarray
Rows = tuple[Indices, Indices]
# Numbers that are held at a time to say which row is of which class.
_HELD = 2**26
# Classes that may be of one row each: more of them are names of rows.
_MANY = 100


def share(
    source: jax.Array, source_labels: ArrayLike, target: jax.Array, target_labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the labels of both sides as positions among the classes that both have, −1 for the others, and how many.

    Labels are integers, one per row. They shape the computation, so they must be concrete: close over them where the
    solver is jitted or vmapped. ValueError for labels that do not fit, or without a class in common.
    """
    both: list[np.ndarray] = []
    for name, array, labels in (("source", source, source_labels), ("target", target, target_labels)):
        if isinstance(labels, jax.core.Tracer):
            raise ValueError(f"{name}_labels must be concrete, not traced: close over them under jit and vmap")
        masked = "masked " if isinstance(labels, np.ma.MaskedArray) else ""
        labels = np.asarray(labels)
        if masked or labels.shape != array.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"{name}_labels must be [{array.shape[0]}] integers, one per row of {name}; "
                f"they are {masked}{labels.shape} of {labels.dtype}"
            )
        both.append(labels)
    # As Python's integers: of int64 and uint64 NumPy makes float64, in which large ones are merged.
    (first, in_first), (second, in_second) = (np.unique(labels, return_inverse=True) for labels in both)
    shared = sorted(set(first.tolist()) & set(second.tolist()))
    if not shared:
        raise ValueError("source_labels and target_labels have no class in common")
    position = {label: i for i, label in enumerate(shared)}
    of_first, of_second = (np.array([position.get(label, -1) for label in own.tolist()]) for own in (first, second))
    return of_first[in_first], of_second[in_second], len(shared)


def check_several(positions: np.ndarray, count: int, name: str) -> None:
    """Raise ValueError where many classes have less than two rows each.

    positions: `[n]`, the class of each row among `count`, −1 for none.
    """
    rows = int((positions >= 0).sum())
    if count > max(_MANY, rows // 2):
        raise ValueError(
            f"{name}_labels must name classes of several rows; they name {count:,} of {rows:,} rows: where each row "
            "has a name of its own, rows are pairs"
        )


def group(
    source: jax.Array, target: jax.Array, source_labels: ArrayLike | None, target_labels: ArrayLike | None
) -> tuple[list[Rows], Sequence[jax.Array | None]]:
    """Return the rows of each side by class, as `sort_rows` does, and the weights that balance the classes.

    Without labels all rows are one class, and the weights are None.
    """
    if (source_labels is None) != (target_labels is None):
        raise ValueError("source_labels and target_labels must be given together")
    if source_labels is None or target_labels is None:
        return [(jnp.arange(a.shape[0])[None], jnp.array([a.shape[0]])) for a in (source, target)], (None, None)
    *positions, count = share(source, source_labels, target, target_labels)
    return [sort_rows(p, count) for p in positions], [balance(p, count).astype(source.dtype) for p in positions]


def sort_rows(positions: np.ndarray, count: int) -> Rows:
    """Sort rows by class once: indices `[count, size of the largest class]`, padded by row 0, and sizes `[count]`."""
    sizes = np.bincount(positions[positions >= 0], minlength=count)
    order = np.argsort(positions, kind="stable")[np.sum(positions < 0) :]
    first = np.cumsum(sizes) - sizes
    column = np.arange(sizes.max())
    valid = column[None] < sizes[:, None]
    return np.where(valid, order[np.where(valid, first[:, None] + column, 0)], 0), sizes


def balance(positions: np.ndarray, count: int) -> jax.Array:
    """Return weights `[n]` that give every class the same, and nothing to rows at −1."""
    sizes = np.bincount(positions[positions >= 0], minlength=count)
    return jnp.asarray(np.where(positions >= 0, 1 / (count * sizes[positions]), 0), jnp.result_type(float))


def average(array: jax.Array, positions: np.ndarray, count: int) -> jax.Array:
    """Return the mean `[count, d]` of the rows of array `[n, d]` at each position; rows at −1 are left out."""
    centre = array.mean(0)  # the sums of what is left are small, and so is their rounding
    sizes = jnp.asarray(np.bincount(positions[positions >= 0], minlength=count), array.dtype)
    if len(positions) * count <= _HELD:
        weights = jnp.asarray(positions[:, None] == np.arange(count), array.dtype)
        sums = matmul(weights.T, array - centre[None])
    else:
        sums = jax.ops.segment_sum(array - centre[None], jnp.where(positions < 0, count, positions), count + 1)[:count]
    return centre[None] + sums / sizes[:, None]


def draw_windows(
    key: jax.Array, rows: Indices, sizes: Indices, subset: int | None
) -> Callable[[ArrayLike], tuple[Indices, jax.Array]]:
    """Return a function from the iteration to rows `[groups, n]` and which are no padding.

    All rows in their order where subset is None, else a random window of so many at most: its first are a sample too.
    """
    column, subset = jnp.arange(rows.shape[1]), subset and min(subset, rows.shape[1])
    if subset is None:
        return lambda iteration: (rows, column[None] < sizes[:, None])
    # Shuffled once; the windows then run through all rows of a group before they meet one again.
    draw = jax.random.uniform(key, rows.shape)
    order = jnp.argsort(jnp.where(column[None] < sizes[:, None], draw, jnp.inf), axis=1)
    shuffled = jnp.take_along_axis(rows, order, axis=1)
    column = column[:subset]

    def window(iteration):
        where = (iteration * subset + column)[None] % jnp.maximum(sizes, 1)[:, None]
        return jnp.take_along_axis(shuffled, where, axis=1), column[None] < sizes[:, None]

    return window
