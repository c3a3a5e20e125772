"""The cells of the tables: the rows each asks for, and how its methods make them."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple

from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import evaluation, models, networks
from align_lab import draws, trainings
from align_lab.methods import METHODS, Pair
from align_lab.plans import Cell, together
from align_lab.representations import KINDS, OWN
from align_lab.store import Store
from align_lab.trainings import check_rows, decoders, encoded

if TYPE_CHECKING:
    from align.training import Settings

# Seconds on two cores of one method on the six pairs of a cell, from anchors and from the whole training set, to weigh
# the tasks of a progress bar.
ANCHORS_SECONDS, WHOLE_SECONDS = 2.0, 10.0


class Carried(NamedTuple):
    """Codes `[n, d]` of the test images where they have arrived, and the decoder there."""

    decoder: nn.Module
    params: Any
    codes: Array


def rows(cell: Cell) -> list[dict]:
    """List the rows that a cell asks for, without what is measured: own errors, then those of the ordered pairs."""
    source, target = cell.source, cell.target
    across = source.model != target.model
    between = list(product(source.seeds, target.seeds)) if across else list(permutations(source.seeds, 2))
    listed = []
    for method in dict.fromkeys(("autoencoder", *cell.methods)):
        own = [(seed, seed) for seed in source.seeds] if cell.own and not across and method in OWN else []
        pairs = between if cell.transfer and method != "autoencoder" else []
        settings = described(method, {end.model: end.settings for end in (source, target)}, cell.relative)
        listed += [
            {
                "table": cell.table,
                "dataset": source.dataset,
                "method": method,
                "source_model": source.model,
                "target_model": target.model,
                "latent": source.latent,
                "anchors": None if method == "autoencoder" else cell.anchors,
                "source_seed": source_seed,
                "target_seed": target_seed,
                "settings": settings,
            }
            for source_seed, target_seed in (*own, *pairs)
        ]
    return listed


def described(method: str, autoencoders: Mapping[str, "Settings"], relative: "Settings") -> dict:
    """Describe how the networks of a method are trained: new decoders for codes of autoencoders, themselves trained.

    autoencoders: the settings of both ends, by architecture.
    """
    if method not in KINDS:
        return together(autoencoders)
    encoders = {} if KINDS[method].whole else {"encoders": together(autoencoders)}
    return {**relative.described(), **encoders}


def cost(cell: Cell, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet, or to compare those that are."""
    seconds = ANCHORS_SECONDS if cell.anchors else WHOLE_SECONDS
    if methods := {row["method"] for row in store.missing(rows(cell))}:
        return seconds * len(methods)
    # What is there may be of other networks than those that are trained now.
    return trainings.COMPARED_SECONDS if any(trainings.cost(one, store) for _, _, one in _networks(cell)) else 0.0


def work(cell: Cell, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a cell that are not there yet, a method at a time."""
    missing = store.missing(rows(cell))
    methods = dict.fromkeys(row["method"] for row in missing)
    for method, end, _ in _networks(cell):
        _check(cell, method, end, store)
    for method in methods:
        found = [row for row in missing if row["method"] == method]
        began = time.perf_counter()
        errors = _errors(cell, method, [(row["source_seed"], row["target_seed"]) for row in found], store)
        seconds = round((time.perf_counter() - began) / len(found), 3)
        store.add([{**row, "test_error": error, "seconds": seconds} for row, error in zip(found, errors, strict=True)])
        advance(1 / len(methods))


def _networks(cell):
    """List the networks of a cell: the method that their own rows are of, the end that they are at, and they."""
    ends, kinds = (cell.source, cell.target), [method for method in cell.methods if method in KINDS]
    found = [(kind, end, trainings.relative(cell, kind, end)) for kind in kinds for end in ends]
    if cell.own or any(method not in KINDS or not KINDS[method].whole for method in cell.methods):
        found = [*(("autoencoder", end, end) for end in ends), *found]
    return found


def _check(cell, method, end, store):
    """Raise ValueError where the table has rows of other networks at an end of a cell: their own errors tell."""
    own = dataclasses.replace(cell, source=end, target=end, methods=(method,), own=True, transfer=False)
    listed = [row for row in rows(own) if row["method"] == method]
    check_rows(listed, lambda: _errors(own, method, [(seed, seed) for seed in end.seeds], store), store)


def _errors(cell, method, pairs, store):
    """Give the test errors of codes that are carried from source to target for ordered pairs of seeds."""
    images = jnp.asarray(store.data(cell.source.dataset).test.images)
    return [float(evaluation.reconstruction_error(*one, images)) for one in carry(cell, method, pairs, store)]


def carry(cell: Cell, method: str, pairs: Sequence[tuple[int, int]], store: Store) -> list[Carried]:
    """Carry the codes of the test images from source to target for ordered pairs of seeds, by a method."""
    if method in KINDS:
        sources, targets = (
            dict(zip(end.seeds, decoders(cell, method, end, store), strict=True)) for end in (cell.source, cell.target)
        )
        return [Carried(targets[t].decoder, targets[t].params, sources[s].test) for s, t in pairs]
    sources, targets = ({one.seed: one for one in encoded(end, store)} for end in (cell.source, cell.target))
    if method == "autoencoder":
        fitted = [lambda codes: codes] * len(pairs)
    else:
        fitted = _fitted(cell, method, pairs, sources, targets, store)
    return [
        Carried(*models.decoder_of(targets[t].model, targets[t].params), transform(sources[s].test))
        for (s, t), transform in zip(pairs, fitted, strict=True)
    ]


def _fitted(cell, method, pairs, sources, targets, store):
    """Fit a map for every pair of seeds, some by training; that of the first two is kept for the pictures."""
    shown = (cell.source.seeds[0], *cell.target.seeds[1:2])
    kept = (cell.source, cell.target, cell.anchors, cell.shared, method)
    if list(pairs) == [shown] and kept in store.shown:
        return [store.shown[kept]]
    fitted = METHODS[method]([_known(cell, method, sources[s], targets[t], store) for s, t in pairs])
    if shown in pairs:
        store.shown[kept] = fitted[list(pairs).index(shown)]
    return fitted


def _known(cell, method, source, target, store):
    """Give what a method may know of an ordered pair: the codes of its anchors, and their labels."""
    labels, latent, count = jnp.asarray(store.data(cell.source.dataset).train.labels), cell.source.latent, cell.anchors
    if count is None:
        chosen = slice(None)
    elif cell.shared:
        chosen = draws.shared(len(labels), latent, count)
    else:
        chosen = draws.for_pair(len(labels), source.seed, target.seed, latent, count)
    key = networks.named_key(source.seed, method, str(target.seed), str(latent), str(count))
    return Pair(key, source.train[chosen], target.train[chosen], labels[chosen])
