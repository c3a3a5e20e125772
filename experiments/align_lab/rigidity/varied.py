"""The networks of a variant, trained or found again, with their codes."""

from collections.abc import Callable
from typing import Any

from jax import numpy as jnp

from align import models, networks
from align_lab.rigidity.variant_plans import Varied
from align_lab.store import Store
from align_lab.trainings import EPOCH_SECONDS, Network


def cost(wanted: Varied, store: Store) -> float:
    """Estimate the seconds that two cores still have to train."""
    share = networks.trained_share(_architecture(wanted, store), _identities(wanted), wanted.settings, store.networks)
    images = store.data(wanted.dataset).train.images.size / (60_000 * 28 * 28)
    seconds = EPOCH_SECONDS["conv" if wanted.architecture.channels else "mlp"]
    return (1 - share) * seconds * wanted.settings.epochs * len(wanted.seeds) / 3 * images


def work(wanted: Varied, store: Store, advance: Callable[[float], None] = lambda share: None) -> list[Any]:
    """Give the trained parameters of all seeds, training what is missing."""
    images, total = jnp.asarray(store.data(wanted.dataset).train.images), len(wanted.seeds) * wanted.settings.epochs
    return networks.obtain(
        _architecture(wanted, store),
        _identities(wanted),
        images,
        images,
        wanted.settings,
        store.networks,
        after_round=lambda epochs, loss: advance(epochs / total),
    )


def encoded(wanted: Varied, store: Store) -> list[Network]:
    """Give the networks of all seeds with their codes."""

    def encode():
        data, model = store.data(wanted.dataset), _architecture(wanted, store)
        both = [jnp.asarray(split.images) for split in (data.train, data.test)]
        return [
            Network(wanted.variant, seed, model, params, *(models.encode(model, params, images) for images in both))
            for seed, params in zip(wanted.seeds, work(wanted, store), strict=True)
        ]

    return store.remember(wanted, encode)


def _architecture(wanted, store):
    return wanted.architecture.build(wanted.latent, wanted.dataset, store.data(wanted.dataset).shape)


def _identities(wanted):
    """Give what the networks are: those of the tables of the paper, where architecture and training are theirs."""
    model = "conv" if wanted.architecture.channels else "mlp"
    identity = {"kind": "autoencoder", "dataset": wanted.dataset, "model": model, "latent": wanted.latent}
    return [{**identity, "seed": seed} for seed in wanted.seeds]
