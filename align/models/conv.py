"""The convolutional autoencoder: strided convolutions, and dense layers to and from the latent."""

import math
from typing import ClassVar

from flax import linen as nn
from jax import Array

from align.models.layers import Conv, ConvTranspose, flattened, images_first, images_last, shape_of, unflattened


class ConvEncoder(nn.Module):
    """Map images `[n, h, w, c]` to latents `[n, latent]`.

    Convolution i has `channels[i]` features, a kernel of `sizes[i]` and stride 2; `hidden` are the widths of dense
    layers before the latent.
    """

    block: ClassVar[int] = 32  # images that are encoded at a time
    one_core: ClassVar[bool] = True  # XLA convolves on one core of a CPU

    latent: int
    channels: tuple[int, ...] = (32, 32)
    sizes: tuple[int, ...] = (5, 3)
    hidden: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = images_last(images)
        for features, size in zip(self.channels, self.sizes, strict=True):
            x = nn.relu(Conv(features, size)(x))
        x = flattened(x)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.latent)(x)


class ConvDecoder(nn.Module):
    """Map codes `[n, d]` to images `[n, h, w, c]`: the encoder's mirror image, whatever the width of the codes.

    `channels`, `sizes` and `hidden` are the encoder's; `sigmoid` bounds the pixels to (0, 1). `side` is that of square
    grey images, or the shape (height, width, channels) of any others.

    A linear decoder starts with kernels that keep the variance. Where every transposed convolution takes some of it
    away, the encoder makes up for it: the codes grow to several times those of a fully connected network, and neither
    rigid maps nor Euclidean relative representations lead from one to the other.
    """

    block: ClassVar[int] = 32
    one_core: ClassVar[bool] = True  # what lies between the products stays in the cache of a core

    channels: tuple[int, ...] = (32, 32)
    sizes: tuple[int, ...] = (5, 3)
    hidden: tuple[int, ...] = ()
    sigmoid: bool = False
    side: int | tuple[int, int, int] = 28

    @nn.compact
    def __call__(self, codes: Array) -> Array:
        x = codes
        for width in reversed(self.hidden):
            x = nn.relu(nn.Dense(width)(x))
        stride = 2
        height, width, depth = shape_of(self.side)
        # What the encoder has after each convolution, the images first: a half is rounded up, so that a doubled one may
        # be a row or a column too long.
        shapes = [(-(-height // stride**i), -(-width // stride**i)) for i in range(len(self.channels) + 1)]
        x = nn.relu(nn.Dense(math.prod(shapes[-1]) * self.channels[-1])(x))
        x = unflattened(x, (*shapes[-1], self.channels[-1]))
        gain = 1.0 if self.sigmoid else stride**2
        layers = zip((depth, *self.channels[:-1]), self.sizes, shapes, strict=False)
        for place, (features, size, shape) in reversed(list(enumerate(layers))):
            x = ConvTranspose(features, size, stride, gain)(x)[:, : shape[0], : shape[1]]
            x = nn.relu(x) if place else x
        return images_first(nn.sigmoid(x) if self.sigmoid else x)
