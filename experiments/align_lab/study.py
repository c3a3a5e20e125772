"""What all experiments share: the study they are given, the networks it trains, and rows that are not made twice."""

import functools
import itertools
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import models, networks, training
from align import rows as results
from align.data import Dataset

# Seconds on two cores of an epoch of three networks on 60,000 images, to weigh the tasks of a progress bar.
EPOCH_SECONDS = {"conv": 19.0, "mlp": 9.0}


@dataclass(frozen=True, eq=False)
class Study:
    """What an experiment is run with: the choices of the command line, read once, and where things go."""

    data: Dataset
    model: str
    cells: tuple[tuple[int, int | None], ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: Callable[[int], training.Settings]
    relative_settings: Callable[[int], training.Settings]
    workdir: Path
    results: Path
    data_dir: str | None = None

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
    settings = study.settings(latent)
    total = len(study.seeds) * settings.epochs
    params = networks.obtain(
        model,
        [_autoencoder(study, name, latent, seed) for seed in study.seeds],
        images,
        images,
        settings,
        study.workdir / "networks",
        after_round=lambda epochs, loss: advance(epochs / total),
    )
    return [Network(name, seed, model, p) for seed, p in zip(study.seeds, params, strict=True)]


def training_task(study: Study, name: str, latent: int) -> Task:
    """Plan the training of the autoencoders of one architecture and latent."""
    model = models.autoencoder(name, latent, study.data.name)
    identities = [_autoencoder(study, name, latent, seed) for seed in study.seeds]
    share = networks.trained_share(model, identities, study.settings(latent), study.workdir / "networks")
    return Task(
        f"train {study.data.name} {name}, latent {latent}",
        (1 - share) * training_seconds(study, name, study.settings(latent).epochs),
        lambda advance: autoencoders(study, name, latent, advance),
    )


def training_seconds(study: Study, name: str, epochs: int) -> float:
    """Estimate how long two cores train the autoencoders of all seeds."""
    images = len(study.data.train.images) / 60_000
    return EPOCH_SECONDS[name] * epochs * len(study.seeds) / 3 * images


def _autoencoder(study, name, latent, seed):
    return {"kind": "autoencoder", "dataset": study.data.name, "model": name, "latent": latent, "seed": seed}


@functools.lru_cache(maxsize=10)  # all of the paper's: half a gigabyte
def encoded(study: Study, name: str, latent: int) -> list[tuple[Network, Codes]]:
    """Give the autoencoders of all seeds with their codes: encode once, solve many."""
    images = [jnp.asarray(split.images) for split in (study.data.train, study.data.test)]
    return [
        (network, Codes(*(models.encode(network.model, network.params, x) for x in images)))
        for network in autoencoders(study, name, latent)
    ]


def rows_path(study: Study, table: int | str) -> Path:
    """Give the file of the rows of one of the paper's tables, by its number, or of one of ours, by its name."""
    return study.results / "rows" / (f"table{table}.jsonl" if isinstance(table, int) else f"{table}.jsonl")


def recorded(study: Study, table: int | str) -> set[tuple]:
    """Give the identities of the rows that a table has."""
    return {results.identity(row) for row in results.read(rows_path(study, table))}


def record(study: Study, table: int | str, rows: Sequence[dict]) -> None:
    """Append rows with where they came from."""
    results.append(rows_path(study, table), [{**row, **provenance(study)} for row in rows])


def log_time(study: Study, name: str, seconds: float) -> None:
    """Append how long a task took to timings.jsonl, which the report sums by stage."""
    path = rows_path(study, "timings")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({"task": name, "seconds": round(seconds, 2)}) + "\n")


@functools.cache
def provenance(study: Study) -> dict:
    """Say where a row comes from: the data's source, versions, device and revision."""
    return {
        "data_source": study.data.source,
        "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
        "versions": {name: version(name) for name in ("jax", "flax", "optax")} | {"python": platform.python_version()},
        "revision": results.revision(Path(__file__).parent),
    }
