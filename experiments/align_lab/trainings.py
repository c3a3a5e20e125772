"""Networks, trained or found again, and their codes: encode once, solve many."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import models, networks
from align.relative import RelativeAutoencoder, absorb_standard, represent, standardised
from align.rows import identity
from align_lab import draws
from align_lab.plans import Cell, Networks
from align_lab.representations import KINDS, check_classes, nearest_of_class, represented, trained_as
from align_lab.store import Store, circumstances

# Seconds on two cores of an epoch of three networks on 60,000 images of 28 x 28, to weigh the tasks of a progress bar.
EPOCH_SECONDS = {"conv": 13.6, "mlp": 9.0, "residual": 32.0}
# And of what `check_rows` compares.
COMPARED_SECONDS = 1.0

# By which share the errors of one network may differ: sums in another order. Those of networks that were trained apart
# differ by some hundred-thousandths and more.
ROUNDING = 1e-5


class Network(NamedTuple):
    """A trained autoencoder, what it is called in the rows, and its latents `[n, d]` of training and test images."""

    name: str
    seed: int
    model: nn.Module
    params: Any
    train: Array
    test: Array


class Relative(NamedTuple):
    """A decoder of relative representations, and its network's representation `[n, anchors]` of the test images."""

    decoder: nn.Module
    params: Any
    test: Array


def relative_networks(cells: Sequence[Cell]) -> list[Networks]:
    """Record what cells have to train on relative representations, architecture by architecture."""
    found = {}
    for cell in cells:
        kinds = [kind for kind in KINDS if kind in cell.methods]
        found |= {relative(cell, kind, end): None for kind in kinds for end in (cell.source, cell.target)}
    return list(found)


def relative(cell: Cell, kind: str, encoders: Networks) -> Networks:
    """Record the networks that a kind uses at one end of a cell."""
    kind = trained_as(kind)
    known = (encoders.dataset, encoders.model, encoders.latent, encoders.seeds)
    return Networks(kind, *known, cell.relative, cell.anchors, None if KINDS[kind].whole else encoders)


def cost(wanted: Networks, store: Store) -> float:
    """Estimate the seconds that two cores still have to train; ValueError where a class has too few images."""
    if wanted.kind in KINDS and (averaged := KINDS[wanted.kind].averaged) > 1:
        check_classes(store.data(wanted.dataset).train.labels, averaged)
    model, settings = _architecture(wanted, store), wanted.settings
    share = networks.trained_share(model, _identities(wanted), settings, store.networks, context=_context(wanted))
    images = store.data(wanted.dataset).train.images.size / (60_000 * 28 * 28)  # as many as MNIST has
    # A decoder alone is some two thirds of an autoencoder; an encoder that sees the anchors at every step is larger.
    anchors = 0.5 * (wanted.anchors or 0) / settings.batch
    weight = 0.7 if wanted.encoders else 1 + anchors
    return (
        (1 - share)
        * weight
        * EPOCH_SECONDS[models.base(wanted.model)]
        * settings.epochs
        * len(wanted.seeds)
        / 3
        * images
    )


def work(wanted: Networks, store: Store, advance: Callable[[float], None] = lambda share: None) -> list[Any]:
    """Give the trained parameters of all seeds, training what is missing."""
    images = jnp.asarray(store.data(wanted.dataset).train.images)
    inputs, constants = images, ()
    if wanted.encoders:
        trains = [_represented(KINDS[wanted.kind], wanted, one, store)[0] for one in encoded(wanted.encoders, store)]
        inputs = [standardised(train, train) for train in trains]
    elif wanted.anchors:
        constants = (images[_shared(wanted, store)],)
    total = len(wanted.seeds) * wanted.settings.epochs
    return networks.obtain(
        _architecture(wanted, store),
        _identities(wanted),
        inputs,
        images,
        wanted.settings,
        store.networks,
        constants=constants,
        context=_context(wanted),
        after_round=lambda epochs, loss: advance(epochs / total),
    )


def encoded(wanted: Networks, store: Store) -> list[Network]:
    """Give the autoencoders of all seeds with their codes."""

    def encode():
        data, model = store.data(wanted.dataset), _architecture(wanted, store)
        both = [jnp.asarray(split.images) for split in (data.train, data.test)]
        return [
            Network(wanted.model, seed, model, params, *(models.encode(model, params, images) for images in both))
            for seed, params in zip(wanted.seeds, work(wanted, store), strict=True)
        ]

    return store.remember(wanted, encode)


def check_rows(listed: Sequence[dict], errors: Callable[[], Sequence[float]], store: Store) -> None:
    """Raise ValueError where a table has these rows, the own errors of networks, with other errors than they have here.

    Training on another processor, or by code that rounds otherwise, ends at other networks, whose maps are not to stand
    beside these. What another kind of device has measured is not compared. errors: what they are here, if that is
    asked for.
    """
    asked = tuple(map(identity, listed))
    if asked in store.recognised:
        return
    store.recognised.add(asked)
    here = _kind_of_device(circumstances())
    (table,) = {row["table"] for row in listed}
    there = {identity(row): row["test_error"] for row in store.reread(table) if _kind_of_device(row) == here}
    if not set(asked) & set(there):
        return
    for row, named, own in zip(listed, asked, errors(), strict=True):
        if not math.isclose(own, there.get(named, own), rel_tol=ROUNDING):
            kind = "" if row["method"] == "autoencoder" else f"{row['method']} "
            raise ValueError(
                f"{store.file(table)} has rows of another {kind}{row['target_model']} of seed {row['target_seed']} at "
                f"latent {row['latent']}: its own error is {there[named]:.6f}, that of the one here {own:.6f}; name "
                "another folder by --results"
            )


def _kind_of_device(row):
    return row.get("device", "").partition(" x ")[2]


def decoders(cell: Cell, kind: str, encoders: Networks, store: Store) -> list[Relative]:
    """Give the decoders of a kind, all seeds at one end of a cell, with their representations of the test images."""
    wanted = relative(cell, kind, encoders)

    def represent_all():
        params, model = work(wanted, store), _architecture(wanted, store)
        if wanted.encoders:
            found = []
            for p, network in zip(params, encoded(wanted.encoders, store), strict=True):
                train, test = _represented(KINDS[kind], wanted, network, store)
                if KINDS[kind].normalise == "standard":
                    found.append(Relative(model, p, standardised(test, train)))
                else:
                    found.append(Relative(model, absorb_standard(p, train), test))
            return found
        data = store.data(wanted.dataset)
        test, anchors = jnp.asarray(data.test.images), jnp.asarray(data.train.images)[_shared(wanted, store)]
        found = []
        for p in params:
            codes, anchor_codes = (models.encode(model, p, images) for images in (test, anchors))
            shown = represent(codes, anchor_codes, KINDS[kind].similarity)
            found.append(Relative(*models.decoder_of(model, p), shown))
        return found

    return store.remember((kind, wanted), represent_all)


def _represented(kind, wanted, network, store):
    """Represent the codes of the training and of the test images in one network."""
    rows = _shared(wanted, store)
    if kind.averaged > 1:
        data = store.data(wanted.dataset).train
        key = ("nearest of class", wanted.dataset, wanted.latent, wanted.anchors, kind.averaged)
        images, labels = jnp.asarray(data.images), jnp.asarray(data.labels)
        rows = store.remember(key, lambda: nearest_of_class(images, labels, _shared(wanted, store), kind.averaged))
    return represented(kind, network.train, network.test, rows)


def _shared(wanted, store):
    return draws.shared(len(store.data(wanted.dataset).train.images), wanted.latent, wanted.anchors)


def _architecture(wanted, store):
    plain = models.autoencoder(wanted.model, wanted.latent, wanted.dataset, store.data(wanted.dataset).shape)
    if wanted.kind not in KINDS:
        return plain
    whole = RelativeAutoencoder(plain.encoder, plain.decoder, KINDS[wanted.kind].similarity)
    return whole if KINDS[wanted.kind].whole else plain.decoder


def _identities(wanted):
    identity = {"kind": wanted.kind, "dataset": wanted.dataset, "model": wanted.model, "latent": wanted.latent}
    identity |= {"anchors": wanted.anchors} if wanted.anchors else {}
    return [{**identity, "seed": seed} for seed in wanted.seeds]


def _context(wanted):
    """Describe the encoder that a decoder was trained for, how that was trained, and how its codes are shown."""
    if wanted.kind not in KINDS:
        return ""
    encoder = repr(models.autoencoder(wanted.model, wanted.latent, wanted.dataset).encoder)
    if not wanted.encoders:
        return encoder
    trained = json.dumps(wanted.encoders.settings.described(), sort_keys=True)
    return f"{encoder} {trained} standardised"
