"""How well a decoder does with the codes that it is given: the paper's test reconstruction error."""

from functools import partial
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from align.arrays import inputs
from align.models.shares import block_of, in_blocks, in_shares, of_its_shape


def reconstruction_error(decoder: nn.Module, params: Any, codes: Array, images: Array) -> Array:
    """Give the mean squared error per pixel of decoded codes `[n, d]` against images `[n, h, w, c]`, standardised.

    This is the paper's "test reconstruction error": its values carry no scale factor, its standard deviations 1e-3.
    Outside of `jit` and `vmap`, a convolutional decoder has a share of the codes on every core of a CPU.

    ValueError for codes of another dimension than the decoder was trained on, and where what is decoded has another
    shape than the images.
    """
    (codes,) = inputs.as_floats(codes=codes)
    images = inputs.as_array("images", images)
    with of_its_shape("codes", codes):
        return in_shares(_errors, decoder, (decoder, params), codes, images).mean()


@partial(jax.jit, static_argnums=(0, 4))
def _errors(decoder, params, codes, images, count=None, start=0):
    """Give the mean squared error of every image."""
    expected = jax.eval_shape(decoder.apply, params, codes).shape
    if images.shape != expected:
        raise ValueError(f"images must be of shape {expected}, as decoded codes are; they are {images.shape}")

    def of_block(rows):
        codes, images = rows
        decoded, images = inputs.as_floats(decoded=decoder.apply(params, codes), images=images)
        return ((decoded - images) ** 2).mean(tuple(range(1, images.ndim)))

    return in_blocks(of_block, (codes, images), block_of(decoder), start=start, count=count)
