"""How well a decoder does with the codes that it is given: the paper's test reconstruction error."""

from functools import partial
from typing import Any

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.arrays import inputs
from align.models import in_blocks


@partial(jax.jit, static_argnums=0)
def reconstruction_error(decoder: nn.Module, params: Any, codes: Array, images: Array) -> Array:
    """Give the mean squared error per pixel of decoded codes `[n, d]` against images `[n, 28, 28, 1]`, standardised.

    This is the paper's "test reconstruction error": its values carry no scale factor, its standard deviations 1e-3.
    """
    (codes,) = inputs.as_floats(codes=codes)
    decoded = in_blocks(lambda block: decoder.apply(params, block), codes)
    decoded, images = inputs.as_floats(decoded=decoded, images=images)
    return jnp.mean((decoded - images) ** 2)
