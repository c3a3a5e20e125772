"""The rows of heads on mapped codes: which there are, and what is measured of them."""

import time
from collections.abc import Callable
from itertools import product

import numpy as np

from align import models
from align_lab import validation
from align_lab.ends import Ends
from align_lab.heads import code_maps
from align_lab.heads.classifiers import Classified, encoded, images
from align_lab.heads.head_plans import TABLE, Heads
from align_lab.store import Store

# Seconds on two cores of a row, to weigh a progress bar.
SECONDS = {"own": 0.1, "pairs": 0.3, "labels": 3.0, "unpaired": 14.0, "few": 16.0, "stitching": 3.5, "relative": 1.0}


def rows(heads: Heads) -> list[dict]:
    """List the rows that a step asks for, without what is measured."""
    listed = []
    for (s, t), count, method in product(heads.seeds, heads.counts, code_maps.METHODS[heads.step]):
        if method == "as_they_are" and count is not None:
            continue
        columns = {"table": TABLE, "dataset": heads.source.dataset, "method": method}
        columns |= {"source_model": heads.source.model, "target_model": heads.target.model}
        columns |= {"latent": heads.source.latent, "anchors": count, "source_seed": s, "target_seed": t}
        settings = {**heads.source.settings.described(), "held_out": heads.source.held_out, "cloud": heads.cloud}
        settings |= validation.identity(heads.source.dataset, heads.source.held_out)
        listed.append({**columns, "settings": settings})
    return listed


def cost(heads: Heads, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    return len(store.missing(rows(heads))) * SECONDS[heads.step]


def work(heads: Heads, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a step that are not there yet; those of an ordered pair of networks are added together."""
    missing, known = store.missing(rows(heads)), images(heads.source, store)
    sources, targets = ({one.seed: one for one in encoded(end, store)} for end in (heads.source, heads.target))
    for seeds in dict.fromkeys((row["source_seed"], row["target_seed"]) for row in missing):
        own = [row for row in missing if (row["source_seed"], row["target_seed"]) == seeds]
        ends = Ends(sources[seeds[0]], targets[seeds[1]], known.train_labels)
        made = []
        for row in own:
            began = time.perf_counter()
            measures = measured(row["method"], row["anchors"], ends, known.test_labels, heads.cloud)
            measures["images"] = len(known.train_labels)
            made.append({**row, **measures, "seconds": round(time.perf_counter() - began, 3)})
        store.add(made)
        advance(len(own) / len(missing))


def measured(method: str, count: int | None, ends: Ends, labels: np.ndarray, cloud: int = 0) -> dict:
    """Give what a row tells of a method on the test images, whose labels are `[n]`.

    cloud: as for `code_maps.fit`.

    accuracy: of the target's head on the mapped codes; agreement: with what the target says of its own codes; own: the
    accuracy of the target by itself. residual: ‖target − mapped‖ / ‖target − mean‖ of the codes; residual_means and
    residual_within: the same of the means of the classes, and of what is about them. A relative representation maps no
    codes and has none of the three.
    """
    source, target = ends.source, ends.target
    if method in code_maps.RELATIVE:
        said, told = code_maps.relative(method, count, ends), {}
    else:
        fitted, told = code_maps.fit(method, count, ends, cloud)
        mapped = fitted(source.test)
        said = np.asarray(models.predicted(target.head, target.params, mapped))
        told |= residuals(np.asarray(target.test), np.asarray(mapped), labels)
        if method == "classifier":
            told |= collapse(target, labels)
    shares = {"accuracy": said == labels, "agreement": said == target.said, "own": target.said == labels}
    return {**{name: float(np.mean(share)) for name, share in shares.items()}, **told}


def residuals(target: np.ndarray, mapped: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Give what is left of codes `[n, d]`, of the means of their classes, and of what is about these."""
    off, centred = target - mapped, target - target.mean(0)
    parts = {"residual": (off, centred)}
    means = [np.stack([x[labels == label].mean(0) for label in np.unique(labels)]) for x in (off, centred)]
    places = np.searchsorted(np.unique(labels), labels)
    parts["residual_means"] = (means[0][places], means[1][places])
    parts["residual_within"] = (off - means[0][places], centred - means[1][places])
    return {name: float(np.linalg.norm(a) / np.linalg.norm(b)) for name, (a, b) in parts.items()}


def collapse(network: Classified, labels: np.ndarray) -> dict[str, float]:
    """Say how far codes have collapsed towards the means of their classes.

    between: the share of their variance that is that of the means. dimensions: (Σ λ)² / Σ λ² of the eigenvalues of
    their covariance.
    """
    codes = np.asarray(network.test, np.float64)
    centred = codes - codes.mean(0)
    means = np.stack([centred[labels == label].mean(0) for label in np.unique(labels)])
    spread = np.linalg.eigvalsh(np.atleast_2d(np.cov(centred.T)))
    between = (means[np.searchsorted(np.unique(labels), labels)] ** 2).sum() / (centred**2).sum()
    return {"between": float(between), "dimensions": float(spread.sum() ** 2 / (spread**2).sum())}
