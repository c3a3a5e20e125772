"""The maps of the ladder: a method with what it may know of two networks, and what is told of the map in its row."""

from collections.abc import Sequence

import jax
import numpy as np
from jax import Array
from jax import numpy as jnp

from align import anchors, solvers
from align.solvers.polish import polish
from align_lab.ends import Ends
from align_lab.ladder.best_correction import best_correction

PAIRED = ("rigid", "linear", "ridge")
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
# Images of a neighbourhood, whose mean is an anchor.
NEIGHBOURS = 50
# Rows of a class in an iteration of polishing: as many as `solvers.labels` takes.
SUBSET = 1500


def fit(method: str, count: int | None, run: int | None, ends: Ends, strangers: Sequence[Array]):
    """Fit the map of a rung to what it may know: the map, and what else belongs into its row."""
    if method in PAIRED:
        return _told(method, *ends.pairs(count))
    solver, _, how = method.partition("_")
    if how in SELECTIONS:
        return _from_selected(solver, how, count, ends)
    if method == "bound":
        return _at_best(count, run, ends), {}
    known, key = halves(ends), ends.key(method, str(run), *([str(count)] if count else []))
    if run is None:
        return _from_labels(method, key, known), {}
    source, _, target, _ = known
    if method == "control_noise":
        mean, factor = target.mean(0), jnp.linalg.cholesky(jnp.cov(target.T) + 1e-6 * jnp.eye(target.shape[1]))
        target = mean + jax.random.normal(key, target.shape) @ factor.T
    if method == "control_other":
        target = strangers[ends.target.seed % len(strangers)]
    pairs = {"pairs": ends.pairs(count)} if count else {}
    fitted = solvers.unpaired(key, source, target, **pairs)
    contrast, agreement = float(fitted.details.contrast), float(fitted.details.agreement)
    return fitted, {"confident": bool(fitted.trusted), "contrast": contrast, "agreement": agreement}


def _at_best(count, run, ends):
    """Correct what a run without pairs finds as well as pairs could tell; see `best_correction`."""
    source, _, target, _ = halves(ends)
    fitted = solvers.unpaired(ends.key("unpaired", str(run)), source, target)
    everything = ends.pairs(None)
    fitted = solvers.AffineMap(fitted.weight, fitted.bias)
    return best_correction((source, target), fitted, ends.pairs(count), everything, solvers.affine(*everything))


def halves(ends: Ends) -> tuple[Array, np.ndarray, Array, np.ndarray]:
    """Give source codes and labels of one half of the images, and target codes and labels of the other."""
    return ends.apart("halves", -(-len(ends.labels) // 2))


def _from_selected(method, how, count, ends):
    """Fit anchors that a strategy has chosen; where it gives groups of samples, an anchor is the mean of one."""
    options = {"class_balanced": {"labels": ends.labels}, "neighbourhoods": {"size": NEIGHBOURS}}.get(how, {})
    indices = getattr(anchors, how)(ends.key("anchors", how), ends.source.train, count, **options)
    chosen = [codes[indices] for codes in (ends.source.train, ends.target.train)]
    return _told(method, *(c.mean(1) if c.ndim == 3 else c for c in chosen))


def _from_labels(method, key, known):
    if method in ("labels", "class_gaussians", "subclass_means"):
        return solvers.SOLVERS[method].fit(key, *known)
    start = solvers.class_means(*known, step=method.split("_")[1])
    if not method.endswith("_polished"):
        return start
    source, source_labels, target, target_labels = known
    return polish(key, source, target, start, source_labels=source_labels, target_labels=target_labels, subset=SUBSET)


def _told(method, source, target):
    """Fit pairs, and tell what ridge says of itself."""
    fitted = solvers.SOLVERS[method].fit(source, target)
    if not isinstance(fitted.details, solvers.RidgePath):
        return fitted, {}
    path = fitted.details
    return fitted, {
        "strength": float(path.strength),
        "towards": solvers.TOWARDS[int(path.towards)],
        "leave_one_out": float(path.leave_one_out),
        "degrees_of_freedom": float(path.degrees_of_freedom),
    }
