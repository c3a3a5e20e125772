"""The fully connected autoencoder."""

from flax import linen as nn
from jax import Array


class MLPEncoder(nn.Module):
    """Map images `[n, h, w, 1]` to latents `[n, latent]`."""

    latent: int
    hidden: tuple[int, ...] = (512, 256)

    @nn.compact
    def __call__(self, images: Array) -> Array:
        x = images.reshape(len(images), -1)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.latent)(x)


class MLPDecoder(nn.Module):
    """Map codes `[n, d]` to images `[n, 28, 28, 1]`; `hidden` is the encoder's, `sigmoid` bounds pixels to (0, 1)."""

    hidden: tuple[int, ...] = (512, 256)
    sigmoid: bool = False
    side: int = 28

    @nn.compact
    def __call__(self, codes: Array) -> Array:
        x = codes
        for width in reversed(self.hidden):
            x = nn.relu(nn.Dense(width)(x))
        x = nn.Dense(self.side * self.side)(x).reshape(len(x), self.side, self.side, 1)
        return nn.sigmoid(x) if self.sigmoid else x
