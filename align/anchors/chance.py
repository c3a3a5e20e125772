"""Anchors drawn at random, from all samples or class by class."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.anchors.latents import check_latents
from align.arrays import inputs


def random(key: jax.Array, latents: ArrayLike, count: int) -> jax.Array:
    """Choose at random, every sample as likely: the paper's anchors."""
    latents = check_latents(key, latents, count)
    return jax.random.choice(key, latents.shape[0], (count,), replace=False)


def class_balanced(key: jax.Array, latents: ArrayLike, count: int, *, labels: ArrayLike) -> jax.Array:
    """Choose at random, from every class as many as from any other as far as count and classes allow.

    labels: `[n]` integers.
    """
    latents = check_latents(key, latents, count)
    if isinstance(labels, list | tuple) and all(isinstance(label, int | np.integer) for label in labels):
        labels = np.asarray(labels)
    if type(labels) is np.ndarray and labels.dtype.kind in "iu":  # may be beyond what JAX keeps of an integer
        labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    labels = inputs.as_array("labels", labels)
    if labels.shape != latents.shape[:1]:
        raise ValueError(f"labels must be [{latents.shape[0]}], one per row of latents; they are {labels.shape}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers; their dtype is {labels.dtype}")
    # Shuffle each class and number its members: the first of every class come first, then the second, and so on.
    shuffle, tie = jax.random.uniform(key, (2, *labels.shape))
    by_class = jnp.lexsort((shuffle, labels))
    grouped = labels[by_class]
    number = jnp.arange(len(labels), dtype=int) - jnp.searchsorted(grouped, grouped).astype(int)
    return by_class[jnp.lexsort((tie, number))[:count]]
