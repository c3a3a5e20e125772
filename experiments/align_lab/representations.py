"""Networks on relative representations (paper section 3.3): new decoders for old encoders, or both trained anew.

The anchors of a setting are one random draw that all networks share: a decoder is trained on the anchors it will meet.

Distances to many anchors share a mean many times their differences, from which a new decoder learns slowly. It is
trained on what is left once every anchor's have mean 0 and deviation 1 over the training images of its own network,
and its first layer, being affine, absorbs that afterwards: the trained decoder takes distances as they are.
"""

import functools
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import models, networks
from align.relative import RelativeAutoencoder, absorb_standard, layer_normalised, represent, standardised
from align_lab.study import Study, Task, encoded, training_seconds


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
# a network with itself comes to 0.493 at latent 30 and 100 anchors, that of distances as they are to 0.532.
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


class Relative(NamedTuple):
    """A decoder of relative representations, and its network's representation `[n, anchors]` of the test images."""

    decoder: nn.Module
    params: Any
    test: Array


def draw(study: Study, key: Array, count: int) -> Array:
    """Draw the indices of `count` training images at random, none twice."""
    return jax.random.choice(key, len(study.data.train.images), (count,), replace=False)


def shared_anchors(study: Study, latent: int, count: int) -> Array:
    """Draw the anchors that all networks of a setting share."""
    return draw(study, networks.named_key(0, "shared anchors", str(latent), str(count)), count)


def trained_as(kind: str) -> str:
    """Give the kind whose networks a kind uses: every new decoder is trained on standardised representations."""
    return kind.removesuffix("_standard")


def relative_task(study: Study, kind: str, name: str, latent: int, count: int) -> Task:
    """Plan the training of the networks that a kind uses in one setting."""
    kind = trained_as(kind)
    model, identities = _networks(study, kind, name, latent, count)
    folder = study.workdir / "networks"
    epochs, context = study.relative_settings(latent).epochs, _context(study, kind, name, latent)
    share = networks.trained_share(model, identities, study.relative_settings(latent), folder, context=context)
    # A decoder alone is about half of an autoencoder; an encoder that also sees the anchors at every step is larger.
    weight = 1 + 0.5 * count / study.relative_settings(latent).batch if KINDS[kind].whole else 0.6
    return Task(
        f"train {kind} {study.data.name} {name}, latent {latent}, {count} anchors",
        (1 - share) * weight * training_seconds(study, name, epochs),
        lambda advance: _train(study, kind, name, latent, count, advance),
    )


@functools.lru_cache(maxsize=4)
def relative(study: Study, kind: str, name: str, latent: int, count: int) -> list[Relative]:
    """Give the decoders of all seeds with their representations of the test images, training what is missing."""
    params = _train(study, trained_as(kind), name, latent, count)
    model, _ = _networks(study, kind, name, latent, count)
    if not KINDS[kind].whole:
        trained = []
        for p, (_, codes) in zip(params, encoded(study, name, latent), strict=True):
            train, test = _representations(study, KINDS[kind], codes, latent, count)
            if KINDS[kind].normalise == "standard":
                trained.append(Relative(model, p, standardised(test, train)))
            else:
                trained.append(Relative(model, absorb_standard(p, train), test))
        return trained
    test = jnp.asarray(study.data.test.images)
    anchors = jnp.asarray(study.data.train.images)[shared_anchors(study, latent, count)]
    trained = []
    for p in params:
        codes, anchor_codes = (models.encode(model, p, images) for images in (test, anchors))
        trained.append(Relative(*models.decoder_of(model, p), represent(codes, anchor_codes, KINDS[kind].similarity)))
    return trained


def _representations(study, kind, codes, latent, count):
    """Represent the codes of the training and of the test images in one network."""
    rows = shared_anchors(study, latent, count)
    if kind.averaged > 1:
        rows = _neighbours(study, latent, count, kind.averaged)
        anchors = codes.train[rows].mean(1)
    else:
        anchors = codes.train[rows]
    train, test = (represent(x, anchors, kind.similarity) for x in (codes.train, codes.test))
    if kind.normalise == "layer":
        return layer_normalised(train), layer_normalised(test)
    return train, test


@functools.lru_cache(maxsize=2)
def _neighbours(study, latent, count, size):
    """Find the training images of its class nearest to each anchor in pixels: indices `[count, size]`, network-free."""
    images = jnp.asarray(study.data.train.images).reshape(len(study.data.train.images), -1)
    labels = jnp.asarray(study.data.train.labels)
    found = []
    for row in shared_anchors(study, latent, count):
        distances = jnp.where(labels == labels[row], jnp.sum((images - images[row]) ** 2, -1), jnp.inf)
        found.append(jax.lax.top_k(-distances, size)[1])
    return jnp.stack(found)


def _train(study, kind, name, latent, count, advance=lambda share: None):
    images = jnp.asarray(study.data.train.images)
    if KINDS[kind].whole:
        inputs, constants = images, (images[shared_anchors(study, latent, count)],)
    else:
        codes = (codes for _, codes in encoded(study, name, latent))
        trains = (_representations(study, KINDS[kind], x, latent, count)[0] for x in codes)
        inputs, constants = [standardised(train, train) for train in trains], ()
    model, identities = _networks(study, kind, name, latent, count)
    total = len(study.seeds) * study.relative_settings(latent).epochs
    return networks.obtain(
        model,
        identities,
        inputs,
        images,
        study.relative_settings(latent),
        study.workdir / "networks",
        constants=constants,
        context=_context(study, kind, name, latent),
        after_round=lambda epochs, loss: advance(epochs / total),
    )


def _networks(study, kind, name, latent, count):
    """Give the architecture, and the identities of all seeds."""
    plain = models.autoencoder(name, latent, study.data.name)
    whole = RelativeAutoencoder(plain.encoder, plain.decoder, KINDS[kind].similarity)
    model = whole if KINDS[kind].whole else plain.decoder
    identity = {"kind": kind, "dataset": study.data.name, "model": name, "latent": latent, "anchors": count}
    return model, [{**identity, "seed": seed} for seed in study.seeds]


def _context(study, kind, name, latent):
    """Describe the encoder that a decoder was trained for, and how it was shown the representation."""
    encoder = repr(models.autoencoder(name, latent, study.data.name).encoder)
    return encoder if KINDS[kind].whole else f"{encoder} standardised"
