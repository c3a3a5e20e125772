"""An encoder and a decoder as one module, and the pure functions that run its halves."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.arrays import checks
from align.dataset_names import family
from align.models.conv import ConvDecoder, ConvEncoder
from align.models.mlp import MLPDecoder, MLPEncoder

MODELS = ("conv", "mlp")


class Autoencoder(nn.Module):
    """Encode images `[n, 28, 28, 1]` to latents `[n, latent]` and decode them; it does not know of any alignment."""

    encoder: nn.Module
    decoder: nn.Module

    def encode(self, images: Array) -> Array:
        """Encode images `[n, 28, 28, 1]` to latents `[n, latent]`."""
        return self.encoder(images)

    def decode(self, latents: Array) -> Array:
        """Decode latents `[n, latent]` to images `[n, 28, 28, 1]`."""
        return self.decoder(latents)

    def __call__(self, images: Array) -> Array:
        return self.decode(self.encode(images))


def autoencoder(model: str, latent: int, dataset: str) -> Autoencoder:
    """Build the autoencoder of a dataset: "conv" or "mlp".

    The target is the standardised image. On MNIST the paper's errors are those of a decoder that ends in a sigmoid
    (they approach 0.4694, the part of the test pixels outside [0, 1]); on Fashion-MNIST of a linear one.

    The paper's architecture is unknown but for its layers: convolutional, linear, ReLU. This one is the cheapest found
    that reaches its errors (experiments/search.py). Below latent 50 the encoder is narrower, and the decoder has a
    dense layer between latent and convolutions. Such a layer in the encoder lowers the network's own error further, and
    raises that of every map to another network: what an encoder may bend, it bends differently for every seed.
    """
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}; it is {model!r}")
    checks.check_counts(latent=latent)
    sigmoid = family(dataset) == "mnist"
    if model == "conv":
        if latent < 50:
            return Autoencoder(ConvEncoder(latent, (16, 32), (3, 3)), ConvDecoder(hidden=(256,), sigmoid=sigmoid))
        return Autoencoder(ConvEncoder(latent), ConvDecoder(sigmoid=sigmoid))
    return Autoencoder(MLPEncoder(latent), MLPDecoder(sigmoid=sigmoid))


def decoder_of(model: Autoencoder, params: Any) -> tuple[nn.Module, dict]:
    """Give the decoder of an autoencoder as a network of its own, with its share of the parameters."""
    return model.decoder, {"params": params["params"]["decoder"]}


@partial(jax.jit, static_argnums=0)
def encode(model: Autoencoder, params: Any, images: Array) -> Array:
    """Encode images `[n, 28, 28, 1]` to latents `[n, latent]`, in blocks so that memory stays bounded."""
    return in_blocks(lambda block: model.apply(params, block, method="encode"), images)


@partial(jax.jit, static_argnums=0)
def decode(model: Autoencoder, params: Any, latents: Array) -> Array:
    """Decode latents `[n, latent]` to images `[n, 28, 28, 1]`, in blocks so that memory stays bounded."""
    return in_blocks(lambda block: model.apply(params, block, method="decode"), latents)


def in_blocks(function: Callable[[Array], Any], rows: Array, size: int = 100) -> Array:
    """Apply a function of `[b, ...]` to `[n, ...]` block by block; the last block is filled with zeros, then cut.

    The patches of so many images fit into the caches of a CPU.
    """
    n = len(rows)
    size = min(size, n)
    padded = jnp.pad(rows, ((0, -n % size), *((0, 0),) * (rows.ndim - 1)))
    out = jax.lax.map(function, padded.reshape(-1, size, *rows.shape[1:]))
    return out.reshape(-1, *out.shape[2:])[:n]
