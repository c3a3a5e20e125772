"""Checks on arguments that are no arrays: counts, sizes, shares, flags, names. Each error says what came."""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

# What JAX can index, and beyond which it fails in words of its own.
MOST = 2**31 - 1


def is_whole(value: object, *, least: float = 1, most: float = MOST) -> bool:
    """Say whether a value is an integer from `least` to `most`."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) <= most


def is_number(value: object, *, least: float = -math.inf, most: float = math.inf) -> bool:
    """Say whether a value is a finite number from `least` to `most`; a traced one, which nobody knows, passes."""
    if isinstance(value, jax.core.Tracer):
        return True
    if isinstance(value, bool) or not isinstance(value, numbers.Real | jax.Array) or bool(getattr(value, "ndim", 0)):
        return False
    return math.isfinite(float(value)) and least <= float(value) <= most


def is_positive(value: Any, *, most: float = math.inf) -> bool:
    """Say whether a value is a finite positive number, at most `most`; a traced one passes."""
    return is_number(value, most=most) and (isinstance(value, jax.core.Tracer) or float(value) > 0)


def check_counts(**values: object) -> None:
    """Raise ValueError, with the argument's name, where a value is not a whole number of at least 1."""
    for name, value in values.items():
        if not is_whole(value):
            above = f" and at most {MOST:,}" if is_whole(value, most=math.inf) else ""
            raise ValueError(f"{name} must be a whole number, at least 1{above}; it is {value!r}")


def check_flags(**values: object) -> None:
    """Raise ValueError, with the argument's name, where a value is not True or False itself: any text would be true."""
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False; it is {value!r}")


def check_fraction(**values: object) -> None:
    """Raise ValueError, with the argument's name, where a value is not a number from 0 up to, but not including, 1."""
    for name, value in values.items():
        if not is_number(value, least=0, most=math.nextafter(1, 0)):
            raise ValueError(f"{name} must be a number from 0 to below 1; it is {value!r}")


def check_between(least: float, most: float, **values: object) -> None:
    """Raise ValueError, with the argument's name, where a value is not a finite number from `least` to `most`."""
    for name, value in values.items():
        if not is_number(value, least=least, most=most):
            expected = f"a number from {least:g}" + ("" if most == math.inf else f" to {most:g}")
            raise ValueError(f"{name} must be {expected}; it is {value!r}")


def check_choice(name: str, value: object, possible: Sequence[str], *, or_else: str = "") -> None:
    """Raise ValueError where a value is not one of the possible names; `or_else` says what else it may be."""
    if not isinstance(value, str) or value not in possible:
        raise ValueError(f"{name} must be {or_else}one of {', '.join(possible)}; it is {value!r}")


def check_key(key: object) -> None:
    """Raise ValueError where a value is no key of `jax.random`, new or old, or is more than one."""
    dtype, dimensions = getattr(key, "dtype", None), getattr(key, "ndim", None)
    new = dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)
    if not (new and dimensions == 0) and not (dtype == np.uint32 and dimensions == 1):
        came = f"{dtype} {getattr(key, 'shape', '')}" if dimensions else repr(key)
        raise ValueError(f"key must be a key of jax.random, such as jax.random.key(0); it is {came}")
