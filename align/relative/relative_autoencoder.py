"""An autoencoder on relative representations."""

from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.relative.similarities import represent


class RelativeAutoencoder(nn.Module):
    """An autoencoder with a relative representation between its halves, trained as a whole (the paper's end2end)."""

    encoder: nn.Module
    decoder: nn.Module
    similarity: str = "euclidean"

    def encode(self, images: Array) -> Array:
        """Encode images `[n, height, width, channels]` to codes `[n, d]`, not yet relative to anything."""
        return self.encoder(images)

    def decode(self, representation: Array) -> Array:
        """Decode a representation `[n, a]` to images `[n, height, width, channels]`."""
        return self.decoder(representation)

    def __call__(self, images: Array, anchors: Array) -> Array:
        """Reconstruct images `[n, height, width, channels]` by way of anchor images `[a, height, width, channels]`."""
        # The patches of a hundred images fit into the caches of a CPU; encoded at once, many anchors take longer.
        parts = jnp.array_split(anchors, -(-len(anchors) // 100))
        encoded = jnp.concatenate([self.encode(part) for part in parts])
        return self.decode(represent(self.encode(images), encoded, self.similarity))
