"""Representations of mean 0 and deviation 1, and decoders that absorb the standard."""

from typing import Any

from jax import Array, lax
from jax import numpy as jnp
from jax.typing import ArrayLike

from align.arrays import inputs
from align.arrays.products import matmul
from align.arrays.scales import unit


def layer_normalised(representation: ArrayLike) -> Array:
    """Bring every sample's similarities `[n, a]` to mean 0 and standard deviation 1: its scale and offset are lost."""
    (representation,) = inputs.as_floats(representation=representation)
    if representation.ndim != 2 or representation.shape[1] == 0:
        raise ValueError(f"representation must be [n, a], a at least 1; it is {representation.shape}")
    return _standard(representation, representation, axis=1)


def standardised(representation: ArrayLike, reference: ArrayLike) -> Array:
    """Bring every anchor's similarities `[n, a]` to mean 0 and standard deviation 1 over a reference `[m, a]`.

    With the training samples of the same space as reference, the scale of the space as a whole is lost.
    """
    representation, reference = inputs.as_floats(representation=representation, reference=reference)
    if representation.ndim != 2 or reference.ndim != 2 or representation.shape[1] != reference.shape[1]:
        raise ValueError(
            "representation [n, a] and reference [m, a] must agree in a; "
            f"they are {representation.shape}, {reference.shape}"
        )
    if 0 in reference.shape:
        raise ValueError(f"reference must be [m, a], at least one of each; it is {reference.shape}")
    return _standard(representation, reference, axis=0)


def absorb_standard(params: Any, reference: ArrayLike) -> dict[str, Any]:
    """Let a decoder that has learned `standardised(x, reference)` take x `[n, a]` itself, with the same outputs.

    Its parameters are `params`, its first layer `Dense_0`, whose kernel and bias absorb the standardisation, up to
    rounding.
    """
    (reference,) = inputs.as_floats(reference=reference)
    layers = params.get("params", {})
    if "Dense_0" not in layers:
        raise ValueError(f"params must have a first layer Dense_0; their layers are {', '.join(layers)}")
    first = layers["Dense_0"]
    if "bias" not in first:
        raise ValueError(f"params must have a bias in their first layer Dense_0; it has {', '.join(first)}")
    if reference.ndim != 2 or reference.shape[1] != len(first["kernel"]) or 0 in reference.shape:
        raise ValueError(
            f"reference must be [m, a], m at least 1, for a first layer of a = {len(first['kernel'])}; "
            f"it is {reference.shape}"
        )
    one, offset, spread, power = _mean_and_spread(reference, 0)
    kernel = first["kernel"] / (spread * power).T
    bias = first["bias"] - matmul((one + offset) * power, kernel)[0]
    return {**params, "params": {**layers, "Dense_0": {"kernel": kernel, "bias": bias}}}


def _standard(x, reference, axis):
    one, offset, spread, power = _mean_and_spread(reference, axis)
    return (x / power - one - offset) / spread


def _mean_and_spread(x, axis):
    """Give the mean, as one of them and what is left of it, and the standard deviation over an axis, which is kept.

    All are in units of a power of two, which is the last. The deviation is 1, without units, where nothing varies.
    """
    x, power = unit(x, axis=axis)  # whose squares stay within the range of floats
    # About one of them first: what is constant becomes zero, and not the rounding of a mean.
    first = lax.stop_gradient(lax.slice_in_dim(x, 0, 1, axis=axis))
    x = x - first
    spread = x.std(axis, keepdims=True)
    return first, x.mean(axis, keepdims=True), jnp.where(spread > 0, spread, 1 / power), power
