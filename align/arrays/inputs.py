"""What every function accepts: the checks on its arguments and the rule for dtypes.

float32 and float64 are kept. Half precision (float16, bfloat16) and integers are computed and returned in the default
float (float32, or float64 where x64 is on, for integers; float32 for half precision). Mixed dtypes are promoted.
float64 becomes float32 where x64 is off, with a `PrecisionWarning`; integers beyond 32 bits are rounded to it as well.
"""

import contextlib
import decimal
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.typing import ArrayLike

from align.arrays import precision


def as_array(name: str, value: Any) -> jax.Array:
    """Return a value as an array; ValueError, with the argument's name, where it cannot be one of numbers."""
    try:
        given = as_numpy(value)
        with np.errstate(over="raise"):
            array = jnp.asarray(given.astype(np.float32) if _would_wrap(given) else given)
    except FloatingPointError as error:  # float64, in a JAX that computes in float32
        raise ValueError(f"{name} holds values beyond the range of {jnp.result_type(float)}") from error
    except (TypeError, ValueError, OverflowError) as error:
        masked = "masked, " if isinstance(value, np.ma.MaskedArray) else ""
        kind = "" if isinstance(value, np.ndarray | np.generic | jax.Array) else f"{type(value).__name__} "
        came = masked + (f"{kind}{value.dtype} {value.shape}" if hasattr(value, "dtype") else type(value).__name__)
        why = f" ({error})" if isinstance(error, _Unreadable) else ""
        raise ValueError(f"{name} must be an array of real numbers; it is {came}{why}") from error
    precision.state_rounding(value if isinstance(value, list | tuple | jax.Array) else given, array)
    return _without_explicit_axes(array)


class _Unreadable(TypeError):
    """Why the numbers of a value cannot be read, in words for its user."""


def as_numpy(value: Any) -> Any:
    """Return what is not JAX's as NumPy has it, in the machine's byte order; TypeError for text and for masks."""
    if isinstance(value, list | tuple) and (array := _of_numbers(value)) is not None:
        return array
    leaves = [value] if hasattr(value, "dtype") else jax.tree.leaves(value)
    if any(isinstance(leaf, str | np.ma.MaskedArray) for leaf in leaves):
        raise TypeError("text, which JAX would try to read as the name of a dtype, or a mask, which nobody heeds")
    try:
        if any(callable(getattr(leaf, "detach", None)) for leaf in leaves):
            value = jax.tree.map(_of_tensor, value)
        if isinstance(value, int | float | complex) or any(
            isinstance(leaf, jax.Array) or hasattr(leaf, "__jax_array__") for leaf in leaves
        ):
            return value
        array = np.asarray(value)
    except RuntimeError as error:  # of a tensor without data, or of another's __array__
        raise _Unreadable(f"reading it failed: {error}") from error
    if array.dtype == object and array.ndim:  # without an axis it is one object, such as a sparse matrix
        return _of_objects(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _of_numbers(value):
    """Return a list of numbers, or of lists of them, as NumPy has it; None of anything else: most lists are long."""
    if any(isinstance(each, np.ma.MaskedArray) or callable(getattr(each, "detach", None)) for each in value):
        return None
    with contextlib.suppress(Exception):  # which is said of its parts
        array = np.asarray(value)
        if array.dtype.kind in "biu" or (array.dtype.kind == "f" and not np.isnan(array).any()):  # a mask becomes NaN
            return array
    return None


def _of_tensor(leaf):
    """Return a tensor as PyTorch has it as NumPy's, wherever it lies and whoever takes its gradient."""
    if not callable(getattr(leaf, "detach", None)):
        return leaf
    leaf = leaf.detach()
    return (leaf.float() if str(leaf.dtype) == "torch.bfloat16" else leaf).numpy(force=True)


def _of_objects(array):
    """Return objects that are plain numbers, as a data frame of nullable dtypes has them, as floats."""
    if array.ndim == 1 and isinstance(array[0], list | tuple | np.ndarray):
        raise _Unreadable("its values are rows, one in each place; expected them in one array: numpy.stack(column)")
    for each in array.flat:
        if isinstance(each, bool) or not isinstance(each, numbers.Real | decimal.Decimal):
            raise _Unreadable(
                f"its values are of dtype object, one {type(each).__name__}; expected numbers alone: "
                "fill in or drop what is missing, convert or drop the rest, then .astype(float)"
            )
    return array.astype(float)


def _would_wrap(value):
    """Say whether a NumPy array holds integers beyond 32 bits, which are all that JAX keeps where x64 is off."""
    if not isinstance(value, np.ndarray) or value.dtype not in (np.int64, np.uint64) or not value.size:
        return False
    kept = np.iinfo(f"{value.dtype.kind}4")
    return jnp.result_type(float) == np.float32 and bool(value.min() < kept.min or value.max() > kept.max)


def _without_explicit_axes(array):
    """Return a concrete array that is sharded over explicit axes of a mesh with its sharding left to the compiler.

    Over explicit axes, as `jax.make_mesh` has them, JAX asks every product how its result is to be sharded. The same
    shards over the same devices with automatic axes need no answer, and nothing moves. Where the caller has set a mesh
    with explicit axes, those are all that JAX computes with, and every device gets the whole array.
    """
    if isinstance(array, jax.core.Tracer) or not isinstance(array.sharding, NamedSharding):
        return array
    mesh, spec = array.sharding.mesh, array.sharding.spec
    if not _has_explicit_axes(mesh):
        return array
    if _has_explicit_axes(jax.sharding.get_abstract_mesh()):
        spec = jax.sharding.PartitionSpec()
    else:
        automatic = (jax.sharding.AxisType.Auto,) * len(mesh.axis_names)
        mesh = jax.sharding.Mesh(mesh.devices, mesh.axis_names, axis_types=automatic)
    with jax.ensure_compile_time_eval():
        return jax.device_put(array, NamedSharding(mesh, spec, memory_kind=array.sharding.memory_kind))


def _has_explicit_axes(mesh):
    return jax.sharding.AxisType.Explicit in (mesh.axis_types or ())


def as_pairs(
    source: ArrayLike, target: ArrayLike, weights: ArrayLike | None, *, minimum_rows: int = 1
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Return source `[n, d_source]`, target `[n, d_target]`, weights `[n]` or None as floats; ValueError if not so."""
    source, target = as_array("source", source), as_array("target", target)
    for name, array in (("source", source), ("target", target)):
        if array.ndim != 2 or array.shape[1] == 0:
            raise ValueError(f"{name} must be [rows, dimensions], at least one dimension; it is {array.shape}")
    if source.shape[0] != target.shape[0]:
        raise ValueError(f"source and target must have as many rows; they are {source.shape} and {target.shape}")
    if source.shape[0] < minimum_rows:
        raise ValueError(
            f"source and target need at least {minimum_rows} row(s); they are {source.shape} and {target.shape}"
        )
    dtype = float_dtype(source=source, target=target)
    if weights is not None:
        weights = as_array("weights", weights)
        if weights.shape != source.shape[:1]:
            raise ValueError(f"weights must be [{source.shape[0]}], one per row of source; it is {weights.shape}")
        float_dtype(weights=weights)
        weights = weights.astype(dtype)
    return source.astype(dtype), target.astype(dtype), weights


def as_clouds(*, minimum_rows: int = 1, **clouds: ArrayLike) -> list[jax.Array]:
    """Return clouds, `[n, d]` each, as floats of one dtype; ValueError, with the name of one, if not so."""
    arrays = as_floats(**clouds)
    for name, array in zip(clouds, arrays, strict=True):
        if array.ndim != 2 or 0 in array.shape:
            raise ValueError(f"{name} must be [rows, dimensions], at least one of each; it is {array.shape}")
        if array.shape[0] < minimum_rows:
            raise ValueError(f"{name} must have at least {minimum_rows} rows; it is {array.shape}")
    for name, array in zip(clouds, arrays, strict=True):
        check_finite(**{name: array})  # before any search: such a row may simply never be matched
        check_squares(**{name: array})
    return arrays


def as_floats(**arrays: ArrayLike) -> list[jax.Array]:
    """Return arrays as floats of one dtype by the rule above; ValueError where one is no array of real numbers."""
    checked = {name: as_array(name, value) for name, value in arrays.items()}
    dtype = float_dtype(**checked)
    return [array.astype(dtype) for array in checked.values()]


def float_dtype(**arrays: jax.Array) -> np.dtype:
    """Return the dtype to compute in: that of the arrays, at least float32."""
    for name, array in arrays.items():
        if jnp.issubdtype(array.dtype, jnp.complexfloating) or array.dtype == bool:
            raise ValueError(f"{name} must hold real numbers; its dtype is {array.dtype}")
    with jax.numpy_dtype_promotion("standard"):  # the rule above, which a strict JAX has nothing to say about
        dtype = jnp.result_type(*(array.dtype for array in arrays.values()))
        return jnp.promote_types(dtype, jnp.float32) if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)


def as_strengths(value: ArrayLike) -> jax.Array:
    """Return `[k]` penalties as an array; ValueError where they are none, no numbers, negative or not finite."""
    array = as_array("strengths", value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"strengths must be [k], at least one, as in [0.1, 1]; it is {array.shape}")
    float_dtype(strengths=array)
    check_finite(strengths=array)
    if not isinstance(array, jax.core.Tracer):
        with jax.ensure_compile_time_eval():
            if bool((array < 0).any()):
                raise ValueError("strengths must not be negative")
    return array


def check_finite(**arrays: jax.Array) -> None:
    """Raise ValueError where a concrete array holds NaN or infinity; traced ones are let through."""
    for name, array in arrays.items():
        if isinstance(array, jax.core.Tracer):
            continue
        with jax.ensure_compile_time_eval():  # an array closed over by a function under jit is still concrete
            if not bool(_all_finite(array)):
                raise ValueError(f"{name} holds NaN or infinity")


def check_squares(**arrays: jax.Array) -> None:
    """Raise ValueError where the squares of a concrete array leave its dtype's range; traced ones are let through."""
    for name, array in arrays.items():
        if isinstance(array, jax.core.Tracer):
            continue
        with jax.ensure_compile_time_eval():
            largest, sums = map(float, _largest_and_squares(array))
        held = f"{name} holds values up to {largest:.3g}, whose squares"
        if not np.isfinite(sums):
            raise ValueError(f"{held} exceed {array.dtype}; expected a smaller scale")
        info = jnp.finfo(array.dtype)
        if 0 < largest**2 <= float(info.tiny) / float(info.eps):  # below, digits are missing
            raise ValueError(f"{held} vanish in {array.dtype}; expected a larger scale")


# One small program each, in place of one for every operation and shape.


@jax.jit
def _all_finite(array):
    return jnp.isfinite(array).all()


@jax.jit
def _largest_and_squares(array):
    return jnp.abs(array).max(), jnp.sum(array * array)


def check_weights(weights: jax.Array) -> None:
    """Raise ValueError for concrete weights that hold NaN or infinity, are negative, or all zero."""
    check_finite(weights=weights)
    if not bool((weights >= 0).all() & (weights > 0).any()):
        raise ValueError("weights must not be negative, and one of them must be positive")


def check_embeddable(source: jax.Array | np.ndarray, target: jax.Array | np.ndarray) -> None:
    """Raise ValueError where the source has more dimensions than the target: no map keeps all its distances."""
    if source.shape[1] > target.shape[1]:
        raise ValueError(
            f"source must not have more dimensions than target for a map that keeps distances; "
            f"they are {source.shape} and {target.shape} (fit the other way round and invert, or use `affine`)"
        )
