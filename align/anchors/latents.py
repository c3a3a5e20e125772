"""The check on what anchors are chosen from."""

import jax
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.scales import unit


def check_latents(key: jax.Array, latents: ArrayLike, count: int) -> jax.Array:
    """Return latents as floats of about 1, whose squares stay within their range: no choice depends on the scale."""
    checks.check_key(key)
    latents = inputs.as_array("latents", latents)
    if latents.ndim != 2 or 0 in latents.shape:
        raise ValueError(f"latents must be [rows, dimensions], at least one of each; they are {latents.shape}")
    if not checks.is_whole(count, most=latents.shape[0]):
        raise ValueError(f"count must lie between 1 and the {latents.shape[0]} latents; it is {count!r}")
    latents = latents.astype(inputs.float_dtype(latents=latents))
    inputs.check_finite(latents=latents)
    return unit(latents)[0]
