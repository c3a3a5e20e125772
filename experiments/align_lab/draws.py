"""Anchors at random: which training images the methods of a setting may use."""

import jax
from jax import Array

from align import networks


def for_pair(images: int, source_seed: int, target_seed: int, latent: int, count: int) -> Array:
    """Draw the indices of `count` of so many images for an ordered pair of networks of the same architecture."""
    key = networks.named_key(source_seed, "anchors", str(target_seed), str(latent), str(count))
    return without_repeats(key, images, count)


def shared(images: int, latent: int, count: int) -> Array:
    """Draw the indices of `count` of so many images that all networks of a setting share."""
    return without_repeats(networks.named_key(0, "shared anchors", str(latent), str(count)), images, count)


def without_repeats(key: Array, images: int, count: int) -> Array:
    """Draw the indices of `count` of so many images, none twice."""
    return jax.random.choice(key, images, (count,), replace=False)
