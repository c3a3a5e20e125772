"""The rungs of a step: the rows that they ask for, and how they are made."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from align import evaluation, models
from align.rows import identity
from align_lab import trainings
from align_lab.ends import Ends
from align_lab.ladder import rung_maps
from align_lab.ladder.ladder_plans import Rungs
from align_lab.plans import together
from align_lab.store import Store
from align_lab.trainings import check_rows, encoded

TABLE = "knowledge"
# Seconds on two cores of six ordered pairs of networks, of a step or of one run, to weigh a progress bar.
SECONDS = {"pairs": 60.0, "selection": 60.0, "labels": 90.0, "controls": 60.0}
SECONDS |= dict.fromkeys(("few", "bound", "unpaired"), 150.0)
BY_RUN = ("few", "bound", "unpaired", "controls")
# The pairs that are asked how much they could tell at best.
TELLING = 100


class Rung(NamedTuple):
    """A method with what it may know: so many anchors (None: all pairs, or none), and which of its runs this is."""

    method: str
    anchors: int | None = None
    run: int | None = None


def rungs(step: Rungs) -> list[Rung]:
    """List the rungs of a step."""
    if step.step == "pairs":
        counts = [*step.counts, None]
        return [Rung("autoencoder"), *(Rung(method, count) for method in rung_maps.PAIRED for count in counts)]
    if step.step == "selection":
        count = 2 * step.spaces[0].latent
        return [Rung(f"{method}_{how}", count) for method in ("linear", "ridge") for how in rung_maps.SELECTIONS]
    if step.step == "labels":
        return [Rung(method) for method in rung_maps.LABELS]
    if step.step == "few":  # once each: the pairs of another run would be the same
        return [Rung("unpaired", count, 0) for count in step.counts]
    if step.step == "bound":
        return [Rung("bound", TELLING, 0)]
    controls = ("control_noise", "control_other") if step.strangers else ("control_noise",)
    methods = ("unpaired",) if step.step == "unpaired" else controls
    return [Rung(method, run=run) for method in methods for run in range(step.keys)]


def pairs(step: Rungs) -> list[tuple[str, int, str, int]]:
    """List the ordered pairs of networks: source architecture and seed, target architecture and seed."""
    if len(step.spaces) == 1:
        (space,) = step.spaces
        return [(space.model, s, space.model, t) for s, t in itertools.permutations(space.seeds, 2)]
    return [
        (source.model, s, target.model, t)
        for source, target in itertools.permutations(step.spaces)
        for s, t in itertools.product(source.seeds, target.seeds)
    ]


def rows(step: Rungs) -> list[dict]:
    """List the rows that a step asks for, without what is measured."""
    space, listed, settings = step.spaces[0], [], {each.model: each.settings for each in step.spaces}
    for rung, (source, source_seed, target, target_seed) in itertools.product(rungs(step), pairs(step)):
        own = rung.method == "autoencoder"
        ends = (target,) if own else (source, target)
        listed.append(
            {
                "table": TABLE,
                "dataset": space.dataset,
                "method": rung.method,
                "source_model": ends[0],
                "target_model": target,
                "latent": space.latent,
                "anchors": rung.anchors,
                "source_seed": target_seed if own else source_seed,
                "target_seed": target_seed,
                "settings": {**together({model: settings[model] for model in ends}), "run": rung.run},
            }
        )
    return listed


def _missing(step, store):
    """List what is not there yet, and what the data has the images for."""
    images = len(store.data(step.spaces[0].dataset).train.images)

    def needed(row):
        return max(row["anchors"] or 0, rung_maps.NEIGHBOURS if row["method"].endswith("_neighbourhoods") else 0)

    return [row for row in store.missing(rows(step)) if needed(row) <= images]


def cost(step: Rungs, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet, or to compare those that are."""
    missing, count = _missing(step, store), len(rungs(step)) * len(pairs(step))
    if not missing:  # rows that are there may be of other networks than those that are trained now
        return trainings.COMPARED_SECONDS if any(trainings.cost(space, store) for space in step.spaces) else 0.0
    runs = len(rungs(step)) if step.step in BY_RUN else 1
    return len(missing) / max(1, count) * SECONDS[step.step] * len(pairs(step)) / 6 * runs


def work(step: Rungs, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a step that are not there yet, one by one."""
    missing, data = _missing(step, store), store.data(step.spaces[0].dataset)
    for space in step.spaces:
        _check(step, space, store)
    networks = {(one.name, one.seed): one for space in step.spaces for one in encoded(space, store)}
    images, labels = jnp.asarray(data.test.images), np.asarray(data.train.labels)
    strangers = [one.train for one in encoded(step.strangers, store)] if step.strangers else []
    for row in missing:
        source, target = (networks[row[f"{end}_model"], row[f"{end}_seed"]] for end in ("source", "target"))
        began = time.perf_counter()
        if row["method"] == "autoencoder":
            fitted, more = lambda codes: codes, {}
        else:
            rung = Rung(row["method"], row["anchors"], row["settings"]["run"])
            fitted, more = rung_maps.fit(*rung, Ends(source, target, labels), strangers)
            jax.block_until_ready(fitted.weight)
        seconds = round(time.perf_counter() - began, 3)
        error = _error(target, fitted(source.test), images)
        store.add([{**row, "test_error": error, **more, "seconds": seconds}])
        advance(1 / len(missing))


def _check(step, space, store):
    """Raise ValueError where the table has rows of other networks of a space: their own errors tell."""
    own = (row for row in rows(dataclasses.replace(step, step="pairs")) if row["method"] == "autoencoder")
    listed = list({identity(row): row for row in own if row["target_model"] == space.model}.values())
    images = jnp.asarray(store.data(space.dataset).test.images)

    def errors():
        found = {one.seed: _error(one, one.test, images) for one in encoded(space, store)}
        return [found[row["target_seed"]] for row in listed]

    check_rows(listed, errors, store)


def _error(network, codes, images):
    """Give the error of the images that the decoder of a network makes of codes."""
    return float(evaluation.reconstruction_error(*models.decoder_of(network.model, network.params), codes, images))
