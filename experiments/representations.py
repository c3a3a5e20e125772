"""Networks on relative representations (paper section 3.3): new decoders for old encoders, or both trained anew.

The anchors of a setting are one random draw that all networks share: a decoder is trained on the anchors it will meet.
"""

import functools
from dataclasses import replace
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp
from study import Study, Task, encoded, training_seconds

from align import models, networks
from align.relative import RelativeAutoencoder, represent
from align.training import Settings

KINDS = ("decoder_only", "end2end")


class Relative(NamedTuple):
    """A decoder of relative representations, and its network's representation `[n, anchors]` of the test images."""

    decoder: nn.Module
    params: Any
    test: Array


def settings(study: Study) -> Settings:
    """Give the settings of networks on relative representations: a quarter of the autoencoders' epochs.

    End2end encodes all anchors at every step, several times the cost of an autoencoder's; the errors are those of the
    representation long before the last epoch.
    """
    return replace(study.settings, epochs=max(1, study.settings.epochs // 4))


def draw(study: Study, key: Array, count: int) -> Array:
    """Draw the indices of `count` training images at random, none twice."""
    images = len(study.data.train.images)
    if count > images:
        raise ValueError(f"--anchors must be at most the number of training images, {images}; it is {count}")
    return jax.random.choice(key, images, (count,), replace=False)


def shared_anchors(study: Study, latent: int, count: int) -> Array:
    """Draw the anchors that all networks of a setting share."""
    return draw(study, networks.named_key(0, "shared anchors", str(latent), str(count)), count)


def relative_task(study: Study, kind: str, name: str, latent: int, count: int) -> Task:
    """Plan the training of the networks of one setting."""
    model, identities = _networks(study, kind, name, latent, count)
    folder = study.workdir / "networks"
    share = networks.trained_share(model, identities, settings(study), folder, context=_context(study, name, latent))
    # A decoder alone is about half of an autoencoder; an encoder that also sees the anchors at every step is larger.
    weight = 0.6 if kind == "decoder_only" else 1 + 0.5 * count / study.settings.batch
    return Task(
        f"train {kind} {study.data.name} {name}, latent {latent}, {count} anchors",
        (1 - share) * weight * training_seconds(study, name) * settings(study).epochs / study.settings.epochs,
        lambda advance: _train(study, kind, name, latent, count, advance),
    )


@functools.lru_cache(maxsize=4)
def relative(study: Study, kind: str, name: str, latent: int, count: int) -> list[Relative]:
    """Give the decoders of all seeds with their representations of the test images, training what is missing."""
    params = _train(study, kind, name, latent, count)
    rows = shared_anchors(study, latent, count)
    test = jnp.asarray(study.data.test.images)
    model, _ = _networks(study, kind, name, latent, count)
    trained = []
    if kind == "decoder_only":
        for p, (_, codes) in zip(params, encoded(study, name, latent), strict=True):
            trained.append(Relative(model, p, represent(codes.test, codes.train[rows])))
        return trained
    anchors = jnp.asarray(study.data.train.images)[rows]
    for p in params:
        codes, anchor_codes = (models.encode(model, p, images) for images in (test, anchors))
        trained.append(Relative(*models.decoder_of(model, p), represent(codes, anchor_codes)))
    return trained


def _train(study, kind, name, latent, count, advance=lambda share: None):
    rows = shared_anchors(study, latent, count)
    images = jnp.asarray(study.data.train.images)
    if kind == "decoder_only":
        codes = [codes.train for _, codes in encoded(study, name, latent)]
        inputs, constants = [represent(x, x[rows]) for x in codes], ()
    else:
        inputs, constants = images, (images[rows],)
    model, identities = _networks(study, kind, name, latent, count)
    total = len(study.seeds) * settings(study).epochs
    return networks.obtain(
        model,
        identities,
        inputs,
        images,
        settings(study),
        study.workdir / "networks",
        constants=constants,
        context=_context(study, name, latent),
        after_round=lambda epochs, loss: advance(epochs / total),
    )


def _networks(study, kind, name, latent, count):
    """Give the architecture, and the identities of all seeds."""
    plain = models.autoencoder(name, latent, study.data.name)
    model = plain.decoder if kind == "decoder_only" else RelativeAutoencoder(plain.encoder, plain.decoder)
    identity = {"kind": kind, "dataset": study.data.name, "model": name, "latent": latent, "anchors": count}
    return model, [{**identity, "seed": seed} for seed in study.seeds]


def _context(study, name, latent):
    """Describe the encoder that a decoder was trained for."""
    return repr(models.autoencoder(name, latent, study.data.name).encoder)
