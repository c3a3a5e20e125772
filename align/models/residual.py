"""A small residual encoder: identity paths around pairs of convolutions, for images of few pixels."""

from typing import ClassVar

from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.models.layers import Conv, flattened, images_last


class ResidualEncoder(nn.Module):
    """Map images `[n, h, w, c]` to latents `[n, latent]`.

    A strided convolution, then a stage of `blocks` blocks for each of `channels`, each but the first at half the side
    of the one before; the mean over the places that are left, and a dense layer. Without the mean (`pooled` False) a
    latent knows where in the image something is, which drawing it asks for and naming it does not.
    """

    block: ClassVar[int] = 32
    one_core: ClassVar[bool] = True

    latent: int
    channels: tuple[int, ...] = (8, 16, 32)
    blocks: int = 1
    pooled: bool = True

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = nn.relu(Conv(self.channels[0])(images_last(images)))
        for stage, features in enumerate(self.channels):
            for place in range(self.blocks):
                x = Block(features, 2 if stage and not place else 1)(x)
        return nn.Dense(self.latent)(x.mean((1, 2)).T if self.pooled else flattened(x))


class Block(nn.Module):
    """Add two convolutions to their input `[c, h, w, n]`, projected where its shape changes.

    What is added has a weight that starts at zero (ReZero; Bachlechner et al. 2021): deep or not, a network starts as
    its short cuts and needs no normalisation, which would tie the samples of a batch together.
    """

    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        added = Conv(self.features, stride=1)(nn.relu(Conv(self.features, stride=self.stride)(x)))
        weight = self.param("weight", nn.initializers.zeros, (), jnp.float32)
        if self.stride > 1 or len(x) != self.features:
            x = Conv(self.features, 1, self.stride)(x)
        return nn.relu(x + weight * added)
