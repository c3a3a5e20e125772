"""The fully connected autoencoder."""

import math
from typing import ClassVar

from flax import linen as nn
from jax import Array

from align.models.layers import shape_of


class MLPEncoder(nn.Module):
    """Map images `[n, h, w, c]` to latents `[n, latent]`."""

    block: ClassVar[int] = 1000  # images that are encoded at a time

    latent: int
    hidden: tuple[int, ...] = (512, 256)

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = images.reshape(len(images), -1)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.latent)(x)


class MLPDecoder(nn.Module):
    """Map codes `[n, d]` to images `[n, h, w, c]`.

    `hidden` is the encoder's; `sigmoid` bounds the pixels to (0, 1). `side` is that of square grey images, or the shape
    (height, width, channels) of any others.
    """

    block: ClassVar[int] = 1000

    hidden: tuple[int, ...] = (512, 256)
    sigmoid: bool = False
    side: int | tuple[int, int, int] = 28

    @nn.compact
    def __call__(self, codes: Array) -> Array:
        x = codes
        for width in reversed(self.hidden):
            x = nn.relu(nn.Dense(width)(x))
        shape = shape_of(self.side)
        x = nn.Dense(math.prod(shape))(x).reshape(len(x), *shape)
        return nn.sigmoid(x) if self.sigmoid else x
