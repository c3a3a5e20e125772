"""The cells of the tables: which networks' codes are carried to which decoders, by which methods, knowing what."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any, NamedTuple

from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import evaluation, models, networks
from align import rows as results
from align_lab import representations
from align_lab.methods import METHODS, Pair
from align_lab.study import Study, Task, encoded, record, recorded, rows_path

# Seconds on two cores of one method on the six pairs of a cell, to weigh the tasks of a progress bar.
METHOD_SECONDS = 2.0
# Methods that have an error of their own, where source and target are one network.
OWN = ("autoencoder", *representations.KINDS)


class Cell(NamedTuple):
    """A cell of a table: methods that carry the codes of some networks to the decoders of others.

    `anchors` is None where the methods may use all training images. Otherwise `draw(source_seed, target_seed)` gives
    the indices of those they may use. `own` and `transfer` say which errors belong to the cell: those of networks with
    themselves, and those of the ordered pairs.
    """

    table: int
    source_model: str
    target_model: str
    latent: int
    methods: tuple[str, ...]
    anchors: int | None = None
    draw: Callable[[int, int], Array] | None = None
    own: bool = True
    transfer: bool = True


class Carried(NamedTuple):
    """Codes `[n, d]` of the test images where they have arrived, and the decoder there."""

    decoder: nn.Module
    params: Any
    codes: Array


def draw_per_pair(study: Study, latent: int, count: int) -> Callable[[int, int], Array]:
    """Draw `count` training images at random for every ordered pair of seeds: a function from the pair to indices."""

    def draw(source_seed, target_seed):
        key = networks.named_key(source_seed, "anchors", str(target_seed), str(latent), str(count))
        return representations.draw(study, key, count)

    return draw


def cell_task(study: Study, cell: Cell) -> Task:
    """Plan the rows of a cell that are not there yet."""
    between = cell.source_model if cell.own else f"{cell.source_model} → {cell.target_model}"
    title = f"table {cell.table}, {between}, latent {cell.latent}"
    title += f", {cell.anchors} anchors" if cell.anchors else ""
    cost = METHOD_SECONDS * len({method for method, *_ in _missing(study, cell)})
    return Task(title, cost, lambda advance: _run(study, cell, advance))


def _run(study, cell, advance):
    missing = _missing(study, cell)
    images = jnp.asarray(study.data.test.images)
    methods = list(dict.fromkeys(method for method, *_ in missing))
    for method in methods:
        pairs = [(s, t) for name, s, t in missing if name == method]
        began = time.perf_counter()
        errors = [float(evaluation.reconstruction_error(*one, images)) for one in carry(study, cell, method, pairs)]
        seconds = round((time.perf_counter() - began) / len(pairs), 3)
        rows = [
            {**_row(study, cell, method, *pair), "test_error": error, "seconds": seconds}
            for pair, error in zip(pairs, errors, strict=True)
        ]
        record(study, cell.table, rows)
        advance(1 / len(methods))


def carry(study: Study, cell: Cell, method: str, pairs: Sequence[tuple[int, int]]) -> list[Carried]:
    """Carry the codes of the test images from source to target for ordered pairs of seeds, by a method."""
    if method in representations.KINDS:
        sources, targets = (
            dict(
                zip(study.seeds, representations.relative(study, method, name, cell.latent, cell.anchors), strict=True)
            )
            for name in (cell.source_model, cell.target_model)
        )
        return [Carried(targets[t].decoder, targets[t].params, sources[s].test) for s, t in pairs]
    sources, targets = (
        dict(zip(study.seeds, encoded(study, name, cell.latent), strict=True))
        for name in (cell.source_model, cell.target_model)
    )
    if method == "autoencoder":
        fitted = [lambda codes: codes] * len(pairs)
    else:
        labels = jnp.asarray(study.data.train.labels)
        known = []
        for s, t in pairs:
            rows = slice(None) if cell.draw is None else cell.draw(s, t)
            key = networks.named_key(s, method, str(t), str(cell.latent), str(cell.anchors))
            known.append(Pair(key, sources[s][1].train[rows], targets[t][1].train[rows], labels[rows]))
        fitted = METHODS[method](known)
    return [
        Carried(*models.decoder_of(targets[t][0].model, targets[t][0].params), transform(sources[s][1].test))
        for (s, t), transform in zip(pairs, fitted, strict=True)
    ]


def rows_of(study: Study, table: int) -> list[dict]:
    """Give the rows of a table that belong to the study: its data, cells, methods, seeds and settings."""
    return [
        row
        for row in comparable(study, table)
        if ((row["latent"], row["anchors"]) in study.cells or (row["latent"] in study.latents and not row["anchors"]))
        and row["method"] in ("autoencoder", *study.methods)
        and {row["source_seed"], row["target_seed"]} <= set(study.seeds)
    ]


def comparable(study: Study, table: int) -> list[dict]:
    """Give the rows of a table that are made from the study's data with its settings, whichever cells it asks for."""
    return [
        row
        for row in results.read(rows_path(study, table))
        if row["dataset"] == study.data.name and row["settings"] == _settings(study, row["method"], row["latent"])
    ]


def _missing(study, cell):
    """List the (method, source seed, target seed) of a cell that have no row yet."""
    across = cell.source_model != cell.target_model
    between = list(product(study.seeds, repeat=2)) if across else study.pairs
    wanted = []
    for method in dict.fromkeys(("autoencoder", *cell.methods)):
        if cell.own and not across and method in OWN:
            wanted += [(method, seed, seed) for seed in study.seeds]
        if cell.transfer and method != "autoencoder":
            wanted += [(method, *pair) for pair in between]
    done = recorded(study, cell.table)
    return [one for one in wanted if results.identity(_row(study, cell, *one)) not in done]


def _row(study, cell, method, source_seed, target_seed):
    """Give the columns that identify a row, and the settings it is made with; the error is still to come."""
    return {
        "table": cell.table,
        "dataset": study.data.name,
        "method": method,
        "source_model": cell.source_model,
        "target_model": cell.target_model,
        "latent": cell.latent,
        "anchors": None if method == "autoencoder" else cell.anchors,
        "source_seed": source_seed,
        "target_seed": target_seed,
        "settings": _settings(study, method, cell.latent),
    }


def _settings(study, method, latent):
    relative = method in representations.KINDS
    return asdict(study.relative_settings(latent) if relative else study.settings(latent))
