"""The kinds of networks on relative representations (paper section 3.3), and what they see of a code.

The anchors of a setting are one random draw that all networks share: a decoder is trained on the anchors it will meet.

Distances to many anchors share a mean many times their differences, from which a new decoder learns slowly. It is
trained on what is left once every anchor's have mean 0 and deviation 1 over the training images of its own network,
and its first layer, being affine, absorbs that afterwards: the trained decoder takes distances as they are.
"""

from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax import numpy as jnp
from jax.typing import ArrayLike

from align.relative import layer_normalised, represent


class Kind(NamedTuple):
    """What is trained, and what a code is represented by.

    whole: encoder and decoder together, else a decoder for the codes of an autoencoder. normalise: "none", "layer"
    (each sample) or "standard" (each anchor, over the training images). averaged: an anchor is the mean code of this
    many training images, those of its class nearest to it in pixels.
    """

    whole: bool = False
    similarity: str = "euclidean"
    normalise: str = "none"
    averaged: int = 1


# The paper's two, and the variants that find out what decoder_only fails by (experiments/ablation.py). Trained as a
# whole, networks make their own distances, and those between the anchors are their unit: in four epochs the error of
# a network with itself comes to 0.493 at latent 30 and 100 anchors, that of distances as they are came to 0.532 in a
# trial of which no rows are kept.
KINDS = {
    "decoder_only": Kind(),
    "end2end": Kind(whole=True, similarity="scaled"),
    "end2end_euclidean": Kind(whole=True),
    "decoder_only_layer": Kind(normalise="layer"),
    "decoder_only_standard": Kind(normalise="standard"),
    "decoder_only_averaged": Kind(averaged=50),
    "decoder_only_centred": Kind(similarity="centred"),
    "decoder_only_whitened": Kind(similarity="whitened"),
    "decoder_only_whitened_averaged": Kind(similarity="whitened", averaged=50),
    "decoder_only_whitened_standard": Kind(similarity="whitened", normalise="standard"),
}
# Methods that have an error of their own, where source and target are one network.
OWN = ("autoencoder", *KINDS)


def trained_as(kind: str) -> str:
    """Give the kind whose networks a kind uses: every new decoder is trained on standardised representations."""
    return kind.removesuffix("_standard")


def represented(kind: Kind, train: Array, test: Array, anchors: Array) -> tuple[Array, Array]:
    """Represent the codes `[n, d]` of training and test images in one network, by anchors.

    `anchors` are indices of training images, `[count]`, or `[count, m]` where an anchor is the mean code of several.
    """
    codes = train[anchors].mean(1) if anchors.ndim == 2 else train[anchors]
    both = [represent(x, codes, kind.similarity) for x in (train, test)]
    return tuple(map(layer_normalised, both)) if kind.normalise == "layer" else tuple(both)


def check_classes(labels: ArrayLike, size: int) -> None:
    """Raise ValueError where a class has fewer images than are averaged; labels `[n]`."""
    classes, counts = np.unique(np.asarray(labels), return_counts=True)
    if counts.min() < size:
        few = f"class {classes[counts.argmin()]} has {counts.min()}"
        raise ValueError(f"--methods that average images of a class need {size} of each; {few}")


def nearest_of_class(images: Array, labels: Array, rows: Array, size: int) -> Array:
    """Find the images of its class nearest to each chosen one in pixels: indices `[rows, size]`, network-free.

    images `[n, h, w, c]`, labels `[n]`, rows: indices of the chosen. ValueError where a class has fewer images.
    """
    check_classes(labels, size)
    flat = images.reshape(len(images), -1)
    found = []
    for row in rows:
        distances = jnp.where(labels == labels[row], jnp.sum((flat - flat[row]) ** 2, -1), jnp.inf)
        found.append(jax.lax.top_k(-distances, size)[1])
    return jnp.stack(found)
