"""An encoder whose codes are not negative."""

from flax import linen as nn
from jax import Array


class Rectified(nn.Module):
    """Put the codes of an encoder through a ReLU."""

    encoder: nn.Module

    def __call__(self, images: Array) -> Array:
        """Map images `[n, h, w, c]` to latents `[n, latent]`, none below zero."""
        return nn.relu(self.encoder(images))
