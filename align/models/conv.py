"""The convolutional autoencoder: strided convolutions, and dense layers to and from the latent."""

from flax import linen as nn
from jax import Array

from align.models.layers import Conv, ConvTranspose


class ConvEncoder(nn.Module):
    """Map images `[n, h, w, 1]` to latents `[n, latent]`.

    Convolution i has `channels[i]` features, a kernel of `sizes[i]` and stride 2; `hidden` are the widths of dense
    layers before the latent.
    """

    latent: int
    channels: tuple[int, ...] = (32, 32)
    sizes: tuple[int, ...] = (5, 3)
    hidden: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = images
        for features, size in zip(self.channels, self.sizes, strict=True):
            x = nn.relu(Conv(features, size)(x))
        x = x.reshape(len(x), -1)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.latent)(x)


class ConvDecoder(nn.Module):
    """Map codes `[n, d]` to images `[n, 28, 28, 1]`: the encoder's mirror image, whatever the width of the codes.

    `channels`, `sizes` and `hidden` are the encoder's; `sigmoid` bounds the pixels to (0, 1).

    A linear decoder starts with kernels that keep the variance. Where every transposed convolution takes some of it
    away, the encoder makes up for it: the codes grow to several times those of a fully connected network, and neither
    rigid maps nor Euclidean relative representations lead from one to the other.
    """

    channels: tuple[int, ...] = (32, 32)
    sizes: tuple[int, ...] = (5, 3)
    hidden: tuple[int, ...] = ()
    sigmoid: bool = False
    side: int = 28

    @nn.compact
    def __call__(self, codes: Array) -> Array:
        x = codes
        for width in reversed(self.hidden):
            x = nn.relu(nn.Dense(width)(x))
        side = self.side // 2 ** len(self.channels)
        x = nn.relu(nn.Dense(side * side * self.channels[-1])(x))
        x = x.reshape(len(x), side, side, self.channels[-1])
        stride = 2
        gain = 1.0 if self.sigmoid else stride**2
        for features, size in zip(reversed(self.channels[:-1]), reversed(self.sizes[1:]), strict=True):
            x = nn.relu(ConvTranspose(features, size, stride, gain)(x))
        x = ConvTranspose(1, self.sizes[0], stride, gain)(x)
        return nn.sigmoid(x) if self.sigmoid else x
