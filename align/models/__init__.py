"""Flax modules for the networks whose latents are aligned, and pure jitted `encode` and `decode`."""

from align.models.autoencoder import (
    LAST_LAYERS,
    MODELS,
    Autoencoder,
    autoencoder,
    base,
    decode,
    decoder_of,
    encode,
    last_layer,
)
from align.models.classifier import ENCODERS, Classifier, classifier, head_of, predicted
from align.models.conv import ConvDecoder, ConvEncoder
from align.models.mlp import MLPDecoder, MLPEncoder
from align.models.residual import ResidualEncoder
from align.models.shares import in_blocks

__all__ = [
    "ENCODERS",
    "LAST_LAYERS",
    "MODELS",
    "Autoencoder",
    "Classifier",
    "ConvDecoder",
    "ConvEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "ResidualEncoder",
    "autoencoder",
    "base",
    "classifier",
    "decode",
    "decoder_of",
    "encode",
    "head_of",
    "in_blocks",
    "last_layer",
    "predicted",
]
