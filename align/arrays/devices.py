"""Whether JAX has anything to compute on, said in words before any work."""

import os

import jax


def check_device() -> None:
    """RuntimeError in one line where JAX finds no device to compute on."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the second where a platform is named whose plugin is not there
        asked = os.environ.get("JAX_PLATFORMS")
        why = f"JAX_PLATFORMS is {asked!r}, and no such platform is installed or has a device here" if asked else error
        raise RuntimeError(f"JAX finds no device: {why}") from error
