"""The rungs between all pairs and nothing known: the maps of each step, and the rows that they make."""

import itertools
import time
from dataclasses import asdict
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax import numpy as jnp

from align import anchors, evaluation, models, networks, solvers
from align import rows as results
from align.solvers import TOWARDS
from align.solvers.polish import polish
from align_lab.study import Network, Study, Task, encoded, record, recorded, rows_path

TABLE = "knowledge"
COUNTS = (5, 10, 20, 50, 100, 200, 500, 1000)
PAIRED = {"rigid": solvers.rigid, "linear": solvers.linear, "ridge": solvers.ridge}
SELECTIONS = ("random", "class_balanced", "farthest_point", "kmeans", "neighbourhoods", "leverage", "d_optimal")
# Starts from labels, each also polished; "labels" is the polished class_gaussians.
LABELS = (
    "means_rigid",
    "means_rigid_polished",
    "means_linear",
    "means_linear_polished",
    "class_gaussians",
    "subclass_means",
    "labels",
)
# Seconds on two cores for all ordered pairs, to weigh the tasks of a progress bar.
SECONDS = {"pairs": 60.0, "selection": 60.0, "labels": 90.0, "unpaired": 150.0, "controls": 60.0}


class Rung(NamedTuple):
    """A method with what it may know: so many anchors (None: all pairs, or none), and which of its runs this is."""

    method: str
    anchors: int | None = None
    run: int | None = None


class Pair(NamedTuple):
    """An ordered pair of networks, the codes `[n, d]` of all training images in both, and the labels `[n]`."""

    source: Network
    target: Network
    source_codes: Array
    target_codes: Array
    labels: np.ndarray

    def key(self, *names: str) -> Array:
        """Derive the key of a purpose."""
        return networks.named_key(self.source.seed, self.source.name, self.target.name, str(self.target.seed), *names)

    def halves(self) -> tuple[Array, np.ndarray, Array, np.ndarray]:
        """Give source codes and labels of one half of the images, and target codes and labels of the other."""
        order = np.asarray(jax.random.permutation(networks.named_key(0, "halves"), len(self.labels)))
        first, second = np.array_split(order, 2)
        return self.source_codes[first], self.labels[first], self.target_codes[second], self.labels[second]


def networks_of(study: Study) -> tuple[str, ...]:
    """Give the architectures of a data set: maps lead from each to the other, or between the seeds of the only one."""
    return ("conv", "mlp") if study.data.name.startswith("fashion") else ("conv",)


def task(study: Study, step: str, keys: int, stranger: Study | None) -> Task:
    """Plan the rows of a step that are not there yet; `stranger` is a study of other data, for the controls."""
    stranger = None if stranger is study else stranger
    rungs = _rungs(study, step, keys, stranger)
    share = len(_missing(study, rungs)) / max(1, len(rungs) * len(_pairs(study)))
    cost = share * SECONDS[step] * len(_pairs(study)) / 6 * (len(rungs) if step in ("unpaired", "controls") else 1)
    return Task(
        f"{step}, {study.data.name}, latent {study.latents[0]}",
        cost,
        lambda advance: _run(study, rungs, stranger, advance),
    )


def rows(study: Study) -> list[dict]:
    """Give the rows of a space that the study's seeds and settings made."""
    return [
        row
        for row in results.read(rows_path(study, TABLE))
        if (row["dataset"], row["latent"]) == (study.data.name, study.latents[0])
        and {row["source_seed"], row["target_seed"]} <= set(study.seeds)
        and {**row["settings"], "run": None} == {**asdict(study.settings(row["latent"])), "run": None}
    ]


def _rungs(study, step, keys, stranger):
    (latent,) = study.latents
    images = len(study.data.train.images)
    if step == "pairs":
        counts = [count for count in COUNTS if count <= images]
        return [Rung("autoencoder"), *(Rung(method, count) for method in PAIRED for count in (*counts, None))]
    if step == "selection":
        return [Rung(f"{method}_{how}", 2 * latent) for method in ("linear", "ridge") for how in SELECTIONS]
    if step == "labels":
        return [Rung(method) for method in LABELS]
    methods = ("unpaired",) if step == "unpaired" else ("control_noise", "control_other")[: 2 if stranger else 1]
    return [Rung(method, run=run) for method in methods for run in range(keys)]


def _pairs(study):
    """List the ordered pairs of networks: ((source architecture, seed), (target architecture, seed))."""
    names = networks_of(study)
    if len(names) == 1:
        return [((names[0], s), (names[0], t)) for s, t in study.pairs]
    return [
        ((source, s), (target, t))
        for source, target in itertools.permutations(names)
        for s, t in itertools.product(study.seeds, repeat=2)
    ]


def _missing(study, rungs):
    done = recorded(study, TABLE)
    wanted = [(rung, pair) for rung in rungs for pair in _pairs(study)]
    return [one for one in wanted if results.identity(_row(study, *one)) not in done]


def _row(study, rung, pair):
    (source, source_seed), (target, target_seed) = pair
    if rung.method == "autoencoder":
        source, source_seed = target, target_seed
    return {
        "table": TABLE,
        "dataset": study.data.name,
        "method": rung.method,
        "source_model": source,
        "target_model": target,
        "latent": study.latents[0],
        "anchors": rung.anchors,
        "source_seed": source_seed,
        "target_seed": target_seed,
        "settings": {**asdict(study.settings(study.latents[0])), "run": rung.run},
    }


def _run(study, rungs, stranger, advance):
    missing = _missing(study, rungs)
    (latent,) = study.latents
    spaces = {
        (network.name, network.seed): (network, codes)
        for name in networks_of(study)
        for network, codes in encoded(study, name, latent)
    }
    images = jnp.asarray(study.data.test.images)
    labels = np.asarray(study.data.train.labels)
    strangers = [codes.train for _, codes in encoded(stranger, "conv", latent)] if stranger else []
    written = set()
    for rung, (source, target) in missing:
        row = _row(study, rung, (source, target))
        if (identity := results.identity(row)) in written:
            continue
        written.add(identity)
        (source, source_codes), (target, target_codes) = spaces[source], spaces[target]
        pair = Pair(source, target, source_codes.train, target_codes.train, labels)
        began = time.perf_counter()
        if rung.method == "autoencoder":
            source_codes, fitted, more = target_codes, lambda codes: codes, {}
        else:
            fitted, more = fit(rung, pair, strangers)
            jax.block_until_ready(fitted.weight)
        seconds = round(time.perf_counter() - began, 3)
        decoder = models.decoder_of(target.model, target.params)
        error = float(evaluation.reconstruction_error(*decoder, fitted(source_codes.test), images))
        record(study, TABLE, [{**row, "test_error": error, **more, "seconds": seconds}])
        advance(1 / len(missing))


def fit(rung: Rung, pair: Pair, strangers: list[Array]) -> tuple[solvers.AffineMap, dict]:
    """Fit the map of a rung to what it may know; and say what else belongs into its row."""
    if rung.method in PAIRED:
        indices = slice(None)
        if rung.anchors:
            indices = anchors.random(pair.key("anchors", str(rung.anchors)), pair.source_codes, rung.anchors)
        return _told(PAIRED[rung.method](pair.source_codes[indices], pair.target_codes[indices]))
    solver, _, how = rung.method.partition("_")
    if how in SELECTIONS:
        options = {"labels": pair.labels} if how == "class_balanced" else {}
        indices = getattr(anchors, how)(pair.key("anchors", how), pair.source_codes, rung.anchors, **options)
        chosen = [codes[indices] for codes in (pair.source_codes, pair.target_codes)]
        return _told(PAIRED[solver](*(c.mean(1) if c.ndim == 3 else c for c in chosen)))
    known = pair.halves()
    key = pair.key(rung.method, str(rung.run))
    if rung.run is None:
        return _from_labels(rung.method, key, known), {}
    source, _, target, _ = known
    if rung.method == "control_noise":
        mean, factor = target.mean(0), jnp.linalg.cholesky(jnp.cov(target.T) + 1e-6 * jnp.eye(target.shape[1]))
        target = mean + jax.random.normal(key, target.shape) @ factor.T
    if rung.method == "control_other":
        target = strangers[pair.target.seed % len(strangers)]
    fitted = solvers.unpaired(key, source, target)
    contrast, agreement = float(fitted.details.contrast), int(fitted.details.agreement)
    return fitted, {"confident": bool(fitted.converged), "contrast": contrast, "agreement": agreement}


def _from_labels(method, key, known):
    if method == "labels":
        return solvers.labels(key, *known)
    if method == "class_gaussians":
        return solvers.class_gaussians(key, *known)
    if method == "subclass_means":
        return solvers.subclass_means(key, *known)
    start = solvers.class_means(*known, step=method.split("_")[1])
    if not method.endswith("_polished"):
        return start
    # As many rows of a class in an iteration as `solvers.labels` takes.
    source, source_labels, target, target_labels = known
    return polish(key, source, target, start, source_labels=source_labels, target_labels=target_labels, subset=1500)


def _told(fitted):
    """Give a fitted map with what ridge says of itself."""
    if not isinstance(fitted.details, solvers.RidgePath):
        return fitted, {}
    path = fitted.details
    return fitted, {
        "strength": float(path.strength),
        "towards": TOWARDS[int(path.towards)],
        "leave_one_out": float(path.leave_one_out),
        "degrees_of_freedom": float(path.degrees_of_freedom),
    }
