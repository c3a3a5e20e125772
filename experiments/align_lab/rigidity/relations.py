"""The rows of maps between the networks of a variant: the error of each family, and the shape of the relation."""

import functools
import time
from collections.abc import Callable
from itertools import permutations

import jax.numpy as jnp
import numpy as np

from align import evaluation, models, solvers
from align_lab import draws
from align_lab.rigidity.variant_plans import TABLE, Relations
from align_lab.store import Store
from align_lab.trainings import Network

# Families of maps, from few to many degrees of freedom; "rotation" is rigid without reflections.
FAMILIES: dict[str, Callable] = {
    "orthogonal": solvers.orthogonal,
    "rotation": functools.partial(solvers.rigid, reflection=False),
    "rigid": solvers.rigid,
    "similarity": solvers.similarity,
    "linear": solvers.linear,
    "affine": solvers.affine,
}
OWN = "autoencoder"
# Seconds on two cores of all rows, to weigh a progress bar.
SECONDS = 40.0


def rows(relations: Relations) -> list[dict]:
    """List the rows that are asked for, without what is measured."""
    one = relations.networks
    columns = {"table": TABLE, "dataset": one.dataset, "variant": one.variant, "latent": one.latent}
    settings = {**one.settings.described(), "architecture": str(one.architecture)}
    cells = [(OWN, None, seed, seed) for seed in one.seeds]
    for count in (relations.anchors, None):
        cells += [(method, count, *pair) for method in FAMILIES for pair in permutations(one.seeds, 2)]
    names = ("method", "anchors", "source_seed", "target_seed")
    return [{**columns, **dict(zip(names, cell, strict=True)), "settings": settings} for cell in cells]


def cost(relations: Relations, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    listed = rows(relations)
    images = len(store.data(relations.networks.dataset).test.images) / 10_000
    return SECONDS * images * len(store.missing(listed)) / len(listed) * len(relations.networks.seeds) ** 2 / 9


def work(relations: Relations, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows that are not there yet; those of an ordered pair of networks are added together."""
    from align_lab.rigidity.varied import encoded

    missing, data = store.missing(rows(relations)), store.data(relations.networks.dataset)
    ends, images = {one.seed: one for one in encoded(relations.networks, store)}, jnp.asarray(data.test.images)
    for pair in dict.fromkeys((row["source_seed"], row["target_seed"]) for row in missing):
        own, made = [row for row in missing if (row["source_seed"], row["target_seed"]) == pair], []
        source, target = (ends[seed] for seed in pair)
        for row in own:
            began = time.perf_counter()
            chosen = slice(None)
            if row["anchors"]:
                chosen = draws.for_pair(len(source.train), *pair, row["latent"], row["anchors"])
            measures = measured(row["method"], source, target, chosen, images)
            made.append({**row, **measures, "seconds": round(time.perf_counter() - began, 3)})
        store.add(made)
        advance(len(own) / len(missing))


def measured(method: str, source: Network, target: Network, chosen, images) -> dict:
    """Fit a family of maps to the chosen training codes, and measure it on the test images `[n, h, w, c]`.

    test_error: of the target's decoder. residual: ‖target − mapped‖ / ‖target − mean‖ of the test codes. Of the affine
    map from all pairs its singular values `[d]`, largest first; of a network by itself what `shape` says.
    """
    told: dict = {}
    if method == OWN:
        mapped = target.test
        told = shape(np.asarray(target.test, np.float64))
    else:
        fitted = FAMILIES[method](source.train[chosen], target.train[chosen])
        mapped = fitted(source.test)
        off = jnp.linalg.norm(target.test - mapped) / jnp.linalg.norm(target.test - target.test.mean(0)[None])
        told = {"residual": float(off)}
        if method == "affine" and isinstance(chosen, slice):
            values = np.linalg.svd(np.asarray(fitted.weight), compute_uv=False)
            told["singular_values"] = [round(float(value), 5) for value in values]
    error = evaluation.reconstruction_error(*models.decoder_of(target.model, target.params), mapped, images)
    return {"test_error": float(error), **told}


def shape(codes: np.ndarray) -> dict:
    """Describe codes `[n, d]` of a network.

    deviations: standard deviations along the principal axes `[d]`, largest first. offset: distance of the mean from the
    origin, in units of the root mean square distance from the mean.
    """
    mean = codes.mean(0)
    values = np.linalg.svd(codes - mean[None], compute_uv=False) / np.sqrt(len(codes))
    offset = float(np.linalg.norm(mean) / np.linalg.norm(values))
    return {"deviations": [round(float(value), 5) for value in values], "offset": offset}
