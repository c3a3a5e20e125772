"""What all experiments share: the study they are given, the networks it trains, and rows that are not made twice."""

import functools
import itertools
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp
from methods import METHODS, Pair

from align import evaluation, models, networks, report, training
from align.data import Dataset, load

# Seconds on two cores, to weigh the tasks of a progress bar: three networks for an epoch of 60,000 images, and one
# method on the six pairs of a cell.
EPOCH_SECONDS = {"conv": 11.0, "mlp": 6.0}
METHOD_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class Study:
    """What an experiment is run with: the choices of the command line, read once, and where things go."""

    data: Dataset
    model: str
    cells: tuple[tuple[int, int | None], ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: training.Settings
    workdir: Path
    results: Path

    @property
    def latents(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(latent for latent, _ in self.cells))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All ordered pairs of different seeds."""
        return list(itertools.permutations(self.seeds, 2))


class Network(NamedTuple):
    """A trained network, and what it is called in the rows."""

    name: str
    seed: int
    model: nn.Module
    params: Any


class Codes(NamedTuple):
    """Latents `[n, d]` of the training and of the test images in one network."""

    train: Array
    test: Array


class Task(NamedTuple):
    """A piece of work and its cost in seconds on two cores, 0 where it has been done before.

    `run` receives a function, to be called with the share of the task that has been finished since the last call.
    """

    name: str
    cost: float
    run: Callable[[Callable[[float], None]], Any]


def autoencoders(study: Study, name: str, latent: int, advance: Callable[[float], None] = lambda share: None):
    """Give the trained autoencoders of all seeds, training what is missing."""
    images = jnp.asarray(study.data.train.images)
    model = models.autoencoder(name, latent, study.data.name)
    total = len(study.seeds) * study.settings.epochs
    params = networks.obtain(
        model,
        [_autoencoder(study, name, latent, seed) for seed in study.seeds],
        images,
        images,
        study.settings,
        study.workdir / "networks",
        after_round=lambda epochs, loss: advance(epochs / total),
    )
    return [Network(name, seed, model, p) for seed, p in zip(study.seeds, params, strict=True)]


def training_task(study: Study, name: str, latent: int) -> Task:
    """Plan the training of the autoencoders of one architecture and latent."""
    model = models.autoencoder(name, latent, study.data.name)
    folder = study.workdir / "networks"
    there = [
        networks.trained_epochs(model, _autoencoder(study, name, latent, seed), study.settings, folder)
        for seed in study.seeds
    ]
    share = 1 - sum(there) / (study.settings.epochs * len(study.seeds))
    images = len(study.data.train.images) / 60_000
    cost = share * EPOCH_SECONDS[name] * study.settings.epochs * len(study.seeds) / 3 * images
    return Task(f"train {name}, latent {latent}", cost, lambda advance: autoencoders(study, name, latent, advance))


def _autoencoder(study, name, latent, seed):
    return {"kind": "autoencoder", "dataset": study.data.name, "model": name, "latent": latent, "seed": seed}


@functools.lru_cache(maxsize=2)
def encoded(study: Study, name: str, latent: int) -> list[tuple[Network, Codes]]:
    """Give the autoencoders of all seeds with their codes: encode once, solve many."""
    images = [jnp.asarray(split.images) for split in (study.data.train, study.data.test)]
    return [
        (network, Codes(*(models.encode(network.model, network.params, x) for x in images)))
        for network in autoencoders(study, name, latent)
    ]


def draw_anchors(study: Study, latent: int, count: int) -> Callable[[int, int], Array]:
    """Draw `count` training images at random for every ordered pair of seeds: a function from the pair to indices."""
    images = len(study.data.train.images)
    if count > images:
        raise ValueError(f"--anchors must be at most the number of training images, {images}; it is {count}")

    def draw(source_seed, target_seed):
        key = networks.named_key(source_seed, "anchors", str(target_seed), str(latent), str(count))
        return jax.random.choice(key, images, (count,), replace=False)

    return draw


class Cell(NamedTuple):
    """A cell of a table: methods that carry the codes of some networks to others, at one latent and set of anchors.

    `anchors` is None where a method may use all training images; `draw(source_seed, target_seed)` gives the indices of
    those it may use.
    """

    table: int
    source_model: str
    target_model: str
    latent: int
    methods: tuple[str, ...]
    anchors: int | None = None
    draw: Callable[[int, int], Array] | None = None


def cell_task(study: Study, cell: Cell) -> Task:
    """Plan the rows of a cell: the networks' own errors, and every method's on every ordered pair of seeds."""
    title = f"table {cell.table}: {cell.source_model} → {cell.target_model}, latent {cell.latent}"
    title += f", {cell.anchors} anchors" if cell.anchors else ""
    cost = METHOD_SECONDS * len({method for method, *_ in _missing(study, cell)})
    return Task(title, cost, lambda advance: _run_cell(study, cell, advance))


def _run_cell(study, cell, advance):
    missing = _missing(study, cell)
    sources, targets = networks_of(study, cell)
    images = jnp.asarray(study.data.test.images)
    methods = list(dict.fromkeys(method for method, *_ in missing))
    for method in methods:
        pairs = [(s, t) for name, s, t in missing if name == method]
        began = time.perf_counter()
        errors = []
        for (s, t), fitted in zip(pairs, fit(study, cell, method, pairs), strict=True):
            network, codes = targets[t][0], fitted(sources[s][1].test)
            errors.append(float(evaluation.reconstruction_error(network.model, network.params, codes, images)))
        seconds = (time.perf_counter() - began) / len(pairs)
        rows = [
            {**row(study, cell, method, s, t), "test_error": error, "seconds": round(seconds, 3)}
            for (s, t), error in zip(pairs, errors, strict=True)
        ]
        record(study, cell.table, rows)
        advance(1 / len(methods))


def networks_of(study: Study, cell: Cell) -> list[dict[int, tuple[Network, Codes]]]:
    """Give the networks of the source's and of the target's architecture, by seed, with their codes."""
    names = (cell.source_model, cell.target_model)
    return [dict(zip(study.seeds, encoded(study, name, cell.latent), strict=True)) for name in names]


def fit(study: Study, cell: Cell, method: str, pairs: Sequence[tuple[int, int]]) -> list[Callable[[Array], Array]]:
    """Fit a method to ordered pairs of seeds, from what the cell lets it know of them."""
    if method == "autoencoder":
        return [lambda codes: codes] * len(pairs)
    sources, targets = networks_of(study, cell)
    labels = jnp.asarray(study.data.train.labels)
    known = []
    for s, t in pairs:
        rows = slice(None) if cell.draw is None else cell.draw(s, t)
        key = networks.named_key(s, method, str(t), str(cell.latent), str(cell.anchors))
        known.append(Pair(key, sources[s][1].train[rows], targets[t][1].train[rows], labels[rows]))
    return METHODS[method](known)


def _missing(study, cell):
    """List the (method, source seed, target seed) of a cell that have no row yet."""
    across = cell.source_model != cell.target_model
    pairs = list(itertools.product(study.seeds, repeat=2)) if across else study.pairs
    wanted = [] if across else [("autoencoder", seed, seed) for seed in study.seeds]
    wanted += [(method, *pair) for method in cell.methods for pair in pairs]
    done = recorded(study, cell.table)
    return [one for one in wanted if report.identity(row(study, cell, *one)) not in done]


def row(study: Study, cell: Cell, method: str, source_seed: int, target_seed: int) -> dict:
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
        "settings": asdict(study.settings),
    }


def rows_path(study: Study, table: int) -> Path:
    return study.results / f"table{table}.jsonl"


def rows_of(study: Study, table: int) -> list[dict]:
    """Give the rows of a table that belong to the study: its data, networks, latents, anchors, methods and settings."""
    settings = asdict(study.settings)
    return [
        row
        for row in report.read(rows_path(study, table))
        if row["dataset"] == study.data.name
        and row["settings"] == settings
        and ((row["latent"], row["anchors"]) in study.cells or (row["latent"] in study.latents and not row["anchors"]))
        and row["method"] in ("autoencoder", *study.methods)
        and {row["source_seed"], row["target_seed"]} <= set(study.seeds)
    ]


def recorded(study: Study, table: int) -> set[tuple]:
    """Give the identities of the rows that a table has."""
    return {report.identity(row) for row in report.read(rows_path(study, table))}


def record(study: Study, table: int, rows: Sequence[dict]) -> None:
    """Append rows with where they came from."""
    report.append(rows_path(study, table), [{**row, **provenance(study)} for row in rows])


@functools.cache
def provenance(study: Study) -> dict:
    """Say where a row comes from: the data's source, versions, device and revision."""
    return {
        "data_source": study.data.source,
        "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
        "versions": {name: version(name) for name in ("jax", "flax", "optax")} | {"python": platform.python_version()},
        "revision": _revision(),
    }


def _revision():
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
