"""An encoder and a decoder as one module, and the pure functions that run its halves."""

from functools import partial
from typing import Any

import jax
from flax import linen as nn
from jax import Array

from align.arrays import checks, inputs
from align.dataset_names import family
from align.models.conv import ConvDecoder, ConvEncoder
from align.models.mlp import MLPDecoder, MLPEncoder
from align.models.residual import ResidualEncoder
from align.models.shares import block_of, in_blocks, in_shares, of_its_shape

MODELS = ("conv", "mlp", "residual")
LAST_LAYERS = ("sigmoid", "linear")


class Autoencoder(nn.Module):
    """Encode images `[n, h, w, c]` to latents `[n, latent]` and decode them; it does not know of any alignment."""

    encoder: nn.Module
    decoder: nn.Module

    def encode(self, images: Array) -> Array:
        """Encode images `[n, h, w, c]` to latents `[n, latent]`."""
        return self.encoder(images)

    def decode(self, latents: Array) -> Array:
        """Decode latents `[n, latent]` to images `[n, h, w, c]`."""
        return self.decoder(latents)

    def __call__(self, images: Array) -> Array:
        return self.decode(self.encode(images))


def autoencoder(model: str, latent: int, dataset: str, shape: tuple[int, int, int] = (28, 28, 1)) -> Autoencoder:
    """Build the autoencoder of a dataset.

    model: "conv" or "mlp", of the paper's kinds, or "residual", a residual encoder before the convolutional decoder;
        "-sigmoid" or "-linear" after it says how the decoder ends, where not as is usual for the dataset.
    latent: its dimension.
    dataset: by name.
    shape: height, width and channels of the images.

    The target is the standardised image. On MNIST the paper's errors are those of a decoder that ends in a sigmoid
    (they approach 0.4694, the part of the test pixels outside [0, 1]); on Fashion-MNIST, and usually, of a linear one.

    The paper's architecture is unknown but for its layers: convolutional, linear, ReLU. This one is the cheapest found
    that reaches its errors (experiments/search.py). Below latent 50 the encoder is narrower, and the decoder has a
    dense layer between latent and convolutions. Such a layer in the encoder lowers the network's own error further, and
    raises that of every map to another network: what an encoder may bend, it bends differently for every seed.

    ValueError for a model that there is none of, a dataset that is no name, a latent dimension or a shape that is not
    of whole numbers from 1.
    """
    if not isinstance(dataset, str):
        raise ValueError(f"dataset must be the name of one; it is {dataset!r}")
    name, last = base(model), last_layer(model, dataset)
    checks.check_counts(latent=latent)
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"shape must be (height, width, channels); it is {shape!r}")
    checks.check_counts(height=shape[0], width=shape[1], channels=shape[2])
    # A checkpoint is found by the words that describe its network, and those of 28 x 28 are older than other shapes.
    height, width, channels = shape
    side = 28 if (height, width, channels) == (28, 28, 1) else (height, width, channels)
    sigmoid = last == "sigmoid"
    if name == "conv":
        if latent < 50:
            decoder = ConvDecoder(hidden=(256,), sigmoid=sigmoid, side=side)
            return Autoencoder(ConvEncoder(latent, (16, 32), (3, 3)), decoder)
        return Autoencoder(ConvEncoder(latent), ConvDecoder(sigmoid=sigmoid, side=side))
    if name == "residual":
        return Autoencoder(ResidualEncoder(latent, pooled=False), ConvDecoder(sigmoid=sigmoid, side=side))
    return Autoencoder(MLPEncoder(latent), MLPDecoder(sigmoid=sigmoid, side=side))


def base(model: str) -> str:
    """Give the architecture that a model's name begins with; ValueError where there is none such."""
    name, dash, last = str(model).partition("-")
    if name not in MODELS or not isinstance(model, str):
        raise ValueError(f"model must be one of {', '.join(MODELS)}; it is {model!r}")
    if dash and last not in LAST_LAYERS:
        raise ValueError(f"model must end in -{' or -'.join(LAST_LAYERS)}, or in neither; it is {model!r}")
    return name


def last_layer(model: str, dataset: str) -> str:
    """Give what a model's decoder ends in, "sigmoid" or "linear": what its name says, or what the dataset's usually do.

    Usual is a sigmoid on MNIST, and a linear layer on any other dataset.
    """
    return model.partition("-")[2] or ("sigmoid" if family(dataset) == "mnist" else "linear")


def decoder_of(model: Autoencoder, params: Any) -> tuple[nn.Module, dict]:
    """Give the decoder of an autoencoder as a network of its own, with its share of the parameters."""
    return model.decoder, {"params": params["params"]["decoder"]}


def encode(model: nn.Module, params: Any, images: Array) -> Array:
    """Encode images `[n, h, w, c]` to latents `[n, latent]`, in blocks so that memory stays bounded.

    Outside of `jit` and `vmap`, a network that is computed fastest on one core of a CPU is given a share of the images
    on every core. ValueError for images of another shape than the network was trained on.
    """
    images = inputs.as_array("images", images)
    with of_its_shape("images", images):
        return in_shares(_encode, getattr(model, "encoder", model), (model, params), images)


@partial(jax.jit, static_argnums=(0, 3))
def _encode(model, params, images, count=None, start=0):
    encoder = getattr(model, "encoder", model)
    return in_blocks(
        lambda block: model.apply(params, block, method="encode"), images, block_of(encoder), start=start, count=count
    )


def decode(model: Autoencoder, params: Any, latents: Array) -> Array:
    """Decode latents `[n, latent]` to images `[n, h, w, c]`, in blocks so that memory stays bounded.

    ValueError for latents of another dimension than the network was trained on.
    """
    latents = inputs.as_array("latents", latents)
    with of_its_shape("latents", latents):
        return _decode(model, params, latents)


@partial(jax.jit, static_argnums=0)
def _decode(model, params, latents):
    return in_blocks(lambda block: model.apply(params, block, method="decode"), latents, size=block_of(model.decoder))
