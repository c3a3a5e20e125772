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
    in_blocks,
    last_layer,
)
from align.models.conv import ConvDecoder, ConvEncoder
from align.models.mlp import MLPDecoder, MLPEncoder

__all__ = [
    "LAST_LAYERS",
    "MODELS",
    "Autoencoder",
    "ConvDecoder",
    "ConvEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "autoencoder",
    "base",
    "decode",
    "decoder_of",
    "encode",
    "in_blocks",
    "last_layer",
]
