"""An encoder with a linear head: its codes are what it knows of an image before it names the class."""

from functools import partial
from typing import Any, cast

import jax
from flax import linen as nn
from jax import Array

from align.arrays import checks
from align.models.conv import ConvEncoder
from align.models.mlp import MLPEncoder
from align.models.residual import ResidualEncoder
from align.models.shares import in_blocks

ENCODERS = {"conv": ConvEncoder, "mlp": MLPEncoder, "residual": ResidualEncoder}


class Classifier(nn.Module):
    """Give the logits `[n, classes]` of images `[n, h, w, c]`, by way of codes `[n, latent]`."""

    encoder: nn.Module
    head: nn.Module

    def encode(self, images: Array) -> Array:
        """Encode images `[n, h, w, c]` to codes `[n, latent]`."""
        return self.encoder(images)

    def classify(self, codes: Array) -> Array:
        """Give the logits `[n, classes]` of codes `[n, latent]`."""
        return self.head(codes)

    def __call__(self, images: Array) -> Array:
        return self.classify(self.encode(images))


def classifier(model: str, latent: int, classes: int = 10) -> Classifier:
    """Build a classifier with the encoder of the autoencoders, "conv" or "mlp", or a "residual" one.

    Nothing stands between the codes and the head, which is linear: codes are as free as those of an autoencoder.
    """
    if model not in ENCODERS:
        raise ValueError(f"model must be one of {', '.join(ENCODERS)}; it is {model!r}")
    checks.check_counts(latent=latent, classes=classes)
    return Classifier(ENCODERS[model](latent), nn.Dense(classes))


def head_of(model: Classifier, params: Any) -> tuple[nn.Module, dict]:
    """Give the head of a classifier as a network of its own, with its share of the parameters."""
    return model.head, {"params": params["params"]["head"]}


@partial(jax.jit, static_argnums=0)
def predicted(network: nn.Module, params: Any, inputs: Array) -> Array:
    """Give the classes `[n]` that a network names of inputs `[n, ...]`, in blocks so that memory stays bounded."""
    return in_blocks(lambda block: cast(Array, network.apply(params, block)).argmax(-1), inputs)
