"""What metrics are asked about: two sets of rows in correspondence, of any scale, and which of them can be compared."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from align.arrays import inputs
from align.arrays.products import matmul
from align.arrays.scales import unit

SETS = ("x", "y")
PREDICTION = ("prediction", "target")
FAR = 8  # rows that are looked at apart from the others, as one alone may outweigh them


def comparable(
    x: ArrayLike, y: ArrayLike, *, names: tuple[str, str] = SETS, least: int = 1
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return both as floats of one dtype, non-finite rows zeroed, and which rows are finite, `[n]` in x and in y.

    ValueError for what cannot be compared; `names` are those of the arguments.
    """
    arrays = [inputs.as_array(name, a) for name, a in zip(names, (x, y), strict=True)]
    for name, a in zip(names, arrays, strict=True):
        if a.ndim != 2:
            raise ValueError(f"{name} has shape {a.shape}; expected two axes, rows and features")
        if a.shape[1] == 0:
            raise ValueError(f"{name} has shape {a.shape}; expected at least one feature")
    x, y = arrays
    if len(x) != len(y):
        first, second = names
        raise ValueError(
            f"{first} has {len(x)} rows and {second} {len(y)}; expected the same number, in correspondence"
        )
    if names == PREDICTION and x.shape != y.shape:
        raise ValueError(
            f"prediction has shape {x.shape} and target {y.shape}; expected a prediction in the space of target"
        )
    check_rows(len(x), least, names)
    dtype = inputs.float_dtype(**dict(zip(names, arrays, strict=True)))
    return _without_gaps(x.astype(dtype), y.astype(dtype))


@jax.jit
def _without_gaps(*arrays):
    finite = [jnp.isfinite(a).all(1) for a in arrays]
    return *(jnp.where(f[:, None], a, 0) for a, f in zip(arrays, finite, strict=True)), *finite


def check_rows(n: int, least: int, names: tuple[str, str] = SETS) -> None:
    """Raise ValueError for fewer rows than a metric is defined for."""
    if n < least:
        raise ValueError(f"{' and '.join(names)} have {n} rows; expected at least {least}")


def centred_sets(x: ArrayLike, y: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return both sets about their means and brought to about 1, and the rows `[n]` that count: others are zero.

    For metrics that ignore translation and isotropic scale. A row that is not finite in either set is left out.
    """
    return about_means(*comparable(x, y))


@jax.jit
def about_means(
    x: jax.Array, y: jax.Array, finite_x: jax.Array, finite_y: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what `centred_sets` does, of what `comparable` returns."""
    kept = finite_x & finite_y
    # Before the sum of a mean can overflow, and again for what is left where the mean was large.
    return *(unit(centre(unit(without(a, ~kept))[0], kept))[0] for a in (x, y)), kept


def without(x: jax.Array, gone: jax.Array) -> jax.Array:
    """Return `x` `[n, d]` with zeros in the rows that are gone, `[n]`."""
    return jnp.where(gone[:, None], 0, x)


def centre(x: jax.Array, kept: jax.Array) -> jax.Array:
    """Return `x` `[n, d]` about the mean of the rows that are kept, `[n]`, and zero in the others."""
    # About one of the rows first: what is constant becomes zero, and not the rounding of a mean.
    x = x - lax.stop_gradient(x[jnp.argmax(kept)])[None]
    return jnp.where(kept[:, None], x - mean(x, kept)[None], 0)


def middle_of_most(x: jax.Array, kept: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return a row of `x` `[n, d]` among those kept, `[n]`, and the mean of most of them about it, `[1, d]` each.

    In float32 one row a million times as long as the others draws the mean of all away from them, and what they have of
    it hides what they differ by.
    """
    about = centre(x, kept)
    for _ in range(1 if len(x) > 1000 else 2):  # one draws the mean of few so far away that it hides the next
        norms = lax.stop_gradient(jnp.sum(about * about, 1))
        nearest = jnp.argmin(jnp.where(kept, norms, jnp.inf))
        most = kept.at[greatest(norms)].set(False).at[nearest].set(True)
        first = lax.stop_gradient(x[nearest])[None]
        middle = mean(x - first, most)[None]
        about = without(x - first - middle, ~kept)
    return first, middle


def greatest(norms: jax.Array) -> jax.Array:
    """Return where the `FAR` greatest of the norms `[n]` are, or the greater half of few."""
    return lax.top_k(norms, min(FAR, len(norms) // 2))[1]


def about_middle(x: jax.Array, kept: jax.Array, scale: jax.Array | float, *others: jax.Array) -> tuple[jax.Array, ...]:
    """Return `x` `[n, d]` and others `[..., d]` about the mean of most rows of `x` that are kept, `[n]`, or near it.

    scale: the power of two that all were divided by. Where `x` was of integers, so is the point: differences of
        integers and their products are exact while below 2^24, and distances that are equal stay equal.
    """
    first, middle = middle_of_most(x, kept)
    whole = (x * scale == jnp.round(x * scale)).all() & (scale < 1 / jnp.finfo(x.dtype).eps)
    middle = jnp.where(whole, jnp.round(middle * scale) / scale, middle)
    return tuple(a - first - middle for a in (x, *others))


def mean(x: jax.Array, kept: jax.Array) -> jax.Array:
    """Return the mean `[...]` of the rows of `x` `[n, ...]` that are kept, `[n]`; NaN where none is."""
    kept = kept.reshape(-1, *[1] * (x.ndim - 1))
    return jnp.where(kept, x, 0).sum(0) / kept.sum().astype(x.dtype)


def squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    """Return `[n_x, n_y]` squared distances; centre the arguments first, or the differences of large norms cancel."""
    norms = jnp.sum(x * x, 1)[:, None] + jnp.sum(y * y, 1)[None]
    return jnp.maximum(norms - 2 * matmul(x, y.T), 0)
