"""Candidates for the network of the paper, each trained and measured: its own error, and that of a linear map."""

import dataclasses
import itertools
import json
import time
from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar

from absl import flags

from align_lab import validation
from align_lab.asked import MOST_EPOCHS, MOST_LATENT, MOST_SEEDS
from align_lab.launch import Experiment

if TYPE_CHECKING:
    from align.training import Settings

TABLE = "search"
PLAIN, SMALL, DENSE = ((32, 32), (5, 3), ()), ((16, 32), (3, 3), ()), ((32, 32), (5, 3), (256,))
# Encoder and decoder (channels, kernel sizes, dense layers between convolutions and latent), and the training.
CANDIDATES = (
    (SMALL, SMALL, {"epochs": 14, "learning_rate": 1e-3, "schedule": "constant"}),
    (SMALL, SMALL, {"epochs": 14}),
    (((16, 32), (5, 3), ()), ((16, 32), (5, 3), ()), {"epochs": 14}),
    (PLAIN, PLAIN, {"epochs": 14}),
    (((32, 64), (5, 3), ()), ((32, 64), (5, 3), ()), {"epochs": 14}),
    (((16,), (5,), ()), DENSE, {"epochs": 6}),
    (SMALL, DENSE, {"epochs": 14}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.05}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.1}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.05, "learning_rate": 8e-3}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.05, "learning_rate": 12e-3}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.05, "initial": "orthogonal"}),
    (SMALL, DENSE, {"epochs": 15, "weight_decay": 0.05, "learning_rate": 7e-3, "batch": 128}),
    (((32, 32), (5, 3), (128,)), ((32, 32), (5, 3), (128,)), {"epochs": 14, "learning_rate": 3e-3}),
)
# Seconds of an epoch of one network on 60,000 images, to weigh the tasks of a progress bar.
EPOCH_SECONDS = 6.0


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A network that might be the paper's: channels, kernel sizes and dense layers of encoder and decoder.

    held_out: how many training images, the last, are tested on in place of the test images.
    """

    worker: ClassVar = "align_lab.candidates"

    dataset: str
    latent: int
    seeds: int
    encoder: tuple[tuple[int, ...], ...]
    decoder: tuple[tuple[int, ...], ...]
    settings: "Settings"
    held_out: int = 0

    @property
    def name(self) -> str:
        return f"candidate {self.encoder} {self.decoder}, latent {self.latent}, {self.settings.epochs} epochs"


@dataclasses.dataclass(frozen=True)
class Searched:
    """Which candidates are measured, on what."""

    dataset: str
    latent: int
    candidates: tuple[Candidate, ...]

    def described(self, store) -> list[str]:
        """Say on what data, and what will be computed, a text for each."""
        data = store.data(self.dataset)
        return [f"data: {data.name} (from: {data.source})", f"to compute: candidates at latent {self.latent}"]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept."""
        return f"trained networks: {store.networks}"


class Choices:
    """The flags of the search."""

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_integer("latent", 50, "Latent dimension.", 1, MOST_LATENT)
        flags.DEFINE_list("candidates", None, "Which candidates, by their place in the list, from 0; all without it.")
        flags.DEFINE_integer("seeds", 2, "Networks per candidate; a linear map needs two.", 1, MOST_SEEDS)
        flags.DEFINE_integer("epochs", None, "Epochs in place of a candidate's own.", 1, MOST_EPOCHS)
        flags.DEFINE_enum("dataset", "mnist", ["mnist", "mnist_sample"], "Data.")
        flags.DEFINE_string("data_dir", None, "Folder of the IDX files.")
        validation.define_flag()

    def read(self, given: flags.FlagValues, store) -> Searched:
        """Read the flags; ValueError for a place that the list does not have."""
        from align.training import Settings

        data = store.data(given.dataset)
        left_out = validation.checked(given.held_out, data)
        places = range(len(CANDIDATES)) if given.candidates is None else dict.fromkeys(map(_place, given.candidates))
        found = []
        for encoder, decoder, options in (CANDIDATES[place] for place in places):
            settings = Settings(**options | ({"epochs": given.epochs} if given.epochs else {}))
            found.append(Candidate(data.name, given.latent, given.seeds, encoder, decoder, settings, left_out))
        return Searched(data.name, given.latent, tuple(found))


def _place(text):
    if not text.isdecimal() or int(text) >= len(CANDIDATES):
        raise ValueError(f"--candidates must be places from 0 to {len(CANDIDATES) - 1}; one of them is {text!r}")
    return int(text)


def rows(candidate: Candidate) -> list[dict]:
    """Give the row of a candidate, without what is measured."""
    row = {"table": TABLE, **dataclasses.asdict(candidate), "settings": candidate.settings.described()}
    left_out = row.pop("held_out")
    row["settings"] |= validation.identity(candidate.dataset, left_out)
    return [json.loads(json.dumps(row))]  # tuples compare as the lists that are read


def cost(candidate: Candidate, store) -> float:
    """Estimate the seconds that two cores take where there is no row yet."""
    images = (len(store.data(candidate.dataset).train.images) - candidate.held_out) / 60_000
    left = len(store.missing(rows(candidate)))
    return left * EPOCH_SECONDS * candidate.seeds * candidate.settings.epochs * images


def work(candidate: Candidate, store, advance: Callable[[float], None]) -> None:
    """Train a candidate from several seeds; measure its own error and that of linear maps between its seeds."""
    import jax

    from align import evaluation, models, networks, solvers

    began, data = time.perf_counter(), store.data(candidate.dataset)
    train, test = (jax.numpy.asarray(split.images) for split in validation.splits(data, candidate.held_out))
    encoder = models.ConvEncoder(candidate.latent, *candidate.encoder)
    model = models.Autoencoder(encoder, models.ConvDecoder(*candidate.decoder, sigmoid=True))
    identity = {"kind": "autoencoder", "dataset": data.name, "model": "conv", "latent": candidate.latent}
    identity |= validation.identity(candidate.dataset, candidate.held_out)
    identities = [{**identity, "seed": seed} for seed in range(candidate.seeds)]
    trained = networks.obtain(model, identities, train, train, candidate.settings, store.networks)
    codes = [[models.encode(model, params, images) for images in (train, test)] for params in trained]

    def error(target, at_test):
        return float(evaluation.reconstruction_error(*models.decoder_of(model, trained[target]), at_test, test))

    pairs = list(itertools.permutations(range(len(codes)), 2))
    linear = [error(t, solvers.linear(codes[s][0], codes[t][0])(codes[s][1])) for s, t in pairs]
    (row,) = rows(candidate)
    measured = {
        "parameters": sum(x.size for x in jax.tree.leaves(trained[0])),
        "autoencoder": fmean(error(i, at_test) for i, (_, at_test) in enumerate(codes)),
        "linear": fmean(linear) if linear else None,
        "seconds": round(time.perf_counter() - began, 1),
    }
    store.add([{**row, **measured}])
    advance(1.0)


def columns(found: list[dict]) -> list[dict[str, str]]:
    """Lay the rows out as columns of text, the best first."""
    from align.paper import MNIST_FLOOR

    laid_out = []
    for row in sorted(found, key=lambda row: row["autoencoder"]):
        settings, own = row["settings"], row["autoencoder"]
        more = f", decay {settings['weight_decay']:g}" if settings["weight_decay"] else ""
        more += f", {settings['initial']}" if "initial" in settings else ""
        more += f", batches of {settings['batch']}" if settings["batch"] != 64 else ""
        more += f"; {settings['held_out']:,} images left out" if "held_out" in settings else ""
        laid_out.append(
            {
                **{name: " ".join(map(str, row[name])) for name in ("encoder", "decoder")},
                "networks": str(row["seeds"]),
                "training": f"{settings['epochs']} epochs, {settings['schedule']} {settings['learning_rate']:g}{more}",
                "parameters": f"{row['parameters']:,}",
                "own error": f"{own:.4f}",
                "excess · 10³": f"{1e3 * (own - MNIST_FLOOR):.1f}"
                if row["dataset"] == "mnist" and "held_out" not in settings
                else "",
                "linear map": "" if row["linear"] is None else f"{row['linear']:.4f}",
            }
        )
    return laid_out


def pictures(wanted: Searched, store):
    """Show all rows at this latent dimension that were tested on the same images."""
    from align import markdown

    known = {(one.dataset, one.latent, one.held_out) for one in wanted.candidates}
    yield f"Candidates, {wanted.dataset}, latent {wanted.latent}"
    yield markdown.records(columns([row for row in store.rows(TABLE) if _tested_on(row) in known]))


def _tested_on(row):
    return row["dataset"], row["latent"], row["settings"].get("held_out", 0)


SEARCH = Experiment(Choices(), lambda wanted, store: list(wanted.candidates), pictures, (TABLE,))
