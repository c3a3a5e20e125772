"""Checks on numbers that are arguments: counts, sizes, strengths."""

import math
import numbers

import jax


def is_whole(value: object, *, least: float = 1, most: float = math.inf) -> bool:
    """Whether a value is an integer from `least` to `most`."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) <= most


def is_positive(value: object, *, most: float = math.inf) -> bool:
    """Whether a value is a positive number, at most `most`; of a traced one nothing is known, and it passes."""
    if isinstance(value, jax.core.Tracer):
        return True
    return isinstance(value, numbers.Real | jax.Array) and 0 < float(value) <= most


def check_counts(**values: object) -> None:
    """ValueError, with the argument's name, where a value is not a whole number of at least 1."""
    for name, value in values.items():
        if not is_whole(value):
            raise ValueError(f"{name} must be a whole number, at least 1; it is {value!r}")
