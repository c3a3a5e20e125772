"""What is said when input is rounded: float64 comes in, and this JAX computes in float32."""

import warnings

import jax


class PrecisionWarning(UserWarning):
    """float64 input was rounded to float32, since `jax_enable_x64` is off."""


def state_rounding(given: object, array: jax.Array) -> None:
    """Warn where `given` is float64 and `array`, made of it, is not.

    The text and the place are the same for every array, so that Python's own filter says it once in a process.
    """
    if array.dtype.itemsize < 8 and str(getattr(given, "dtype", "")).endswith("float64"):
        warnings.warn(
            "float64 input is computed in float32, since x64 is off; jax.config.update('jax_enable_x64', True), early "
            "in the program, keeps float64, and input.astype('float32') says that float32 is meant",
            PrecisionWarning,
            stacklevel=1,
        )
