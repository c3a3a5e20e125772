"""Classifiers, trained or found again, with their codes: encode once, solve many."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import models, networks, training
from align_lab import validation
from align_lab.heads.head_plans import Classifiers
from align_lab.store import Store

# Seconds on two cores of an epoch of three networks on 60,000 images, to weigh the tasks of a progress bar.
EPOCH_SECONDS = {"conv": 8.0, "mlp": 5.0, "residual": 12.0}
CONTEXT = "cross-entropy"


class Images(NamedTuple):
    """Images `[n, h, w, c]` and labels `[n]` to train on, and others to test on."""

    train: Array
    train_labels: np.ndarray
    test: Array
    test_labels: np.ndarray


class Classified(NamedTuple):
    """A trained classifier, its codes `[n, d]` of the images to train on and to test on, and what it says of these."""

    name: str
    seed: int
    head: nn.Module
    params: Any
    train: Array
    test: Array
    said: np.ndarray


def images(wanted: Classifiers, store: Store) -> Images:
    """Give the images; those that are held out of the training set take the place of the test set."""
    train, test = validation.splits(store.data(wanted.dataset), wanted.held_out)
    labels = [np.asarray(split.labels, np.int32) for split in (train, test)]
    return Images(jnp.asarray(train.images), labels[0], jnp.asarray(test.images), labels[1])


def cost(wanted: Classifiers, store: Store) -> float:
    """Estimate the seconds that two cores still have to train."""
    model, settings = _architecture(wanted, store), wanted.settings
    share = networks.trained_share(model, _identities(wanted), settings, store.networks, context=CONTEXT)
    size = (len(store.data(wanted.dataset).train.images) - wanted.held_out) / 60_000
    return (1 - share) * EPOCH_SECONDS[wanted.model] * settings.epochs * len(wanted.seeds) / 3 * size


def work(wanted: Classifiers, store: Store, advance: Callable[[float], None] = lambda share: None) -> list[Any]:
    """Give the trained parameters of all seeds, training what is missing."""
    known, total = images(wanted, store), len(wanted.seeds) * wanted.settings.epochs
    return networks.obtain(
        _architecture(wanted, store),
        _identities(wanted),
        known.train,
        jnp.asarray(known.train_labels),
        wanted.settings,
        store.networks,
        loss=training.cross_entropy,
        context=CONTEXT,
        after_round=lambda epochs, loss: advance(epochs / total),
    )


def encoded(wanted: Classifiers, store: Store) -> list[Classified]:
    """Give the classifiers of all seeds with their codes."""

    def encode():
        model, known, found = _architecture(wanted, store), images(wanted, store), []
        for seed, params in zip(wanted.seeds, work(wanted, store), strict=True):
            train, test = (models.encode(model, params, each) for each in (known.train, known.test))
            head = models.head_of(model, params)
            found.append(Classified(wanted.model, seed, *head, train, test, np.asarray(models.predicted(*head, test))))
        return found

    return store.remember(wanted, encode)


def _architecture(wanted, store):
    return models.classifier(wanted.model, wanted.latent, int(store.data(wanted.dataset).train.labels.max()) + 1)


def _identities(wanted):
    identity = {"kind": "classifier", "dataset": wanted.dataset, "model": wanted.model, "latent": wanted.latent}
    identity |= validation.identity(wanted.dataset, wanted.held_out)
    return [{**identity, "seed": seed} for seed in wanted.seeds]
