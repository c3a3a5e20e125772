"""Flax modules for the networks whose latents are aligned, and pure jitted `encode` and `decode`."""

from align.models.autoencoder import MODELS, Autoencoder, autoencoder, decode, decoder_of, encode, in_blocks
from align.models.conv import ConvDecoder, ConvEncoder
from align.models.mlp import MLPDecoder, MLPEncoder

__all__ = [
    "MODELS",
    "Autoencoder",
    "ConvDecoder",
    "ConvEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "autoencoder",
    "decode",
    "decoder_of",
    "encode",
    "in_blocks",
]
