"""The methods of the tables by the names that their rows carry: from what is known of some pairs to a map for each."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jax import Array

from align.solvers import SOLVERS, Known
from align.stitching import stitch_pairs


class Pair(NamedTuple):
    """What a method may know of an ordered pair of networks: latents `[n, d]`, in correspondence, and labels `[n]`."""

    key: Array
    source: Array
    target: Array
    labels: Array | None = None


def _each(solver, **options):
    """Fit every pair by a solver of the table of solvers."""

    def fit(pairs):
        known = (Known(p.key, p.source, p.target, source_labels=p.labels, target_labels=p.labels) for p in pairs)
        return [SOLVERS[solver].run(one, **options) for one in known]

    return fit


def _stitch(factor):
    return lambda pairs: stitch_pairs(*zip(*((p.key, p.source, p.target) for p in pairs), strict=True), factor=factor)


# What fits pairs without further ado is a method by its own name. Closest points are iterated in the form of the paper:
# one-sided nearest neighbours within the class.
METHODS: dict[str, Callable[[Sequence[Pair]], list[Callable[[Array], Array]]]] = {
    **{name: _each(name) for name, one in SOLVERS.items() if one.needs == "pairs" and not one.required},
    "means_rigid": _each("class_means", step="rigid"),
    "means_linear": _each("class_means", step="linear"),
    "means_icp_rigid": _each("icp", step="rigid"),
    "means_icp_linear": _each("icp", step="linear"),
    "stitching_k1": _stitch(1),
    "stitching_k2": _stitch(2),
    "stitching_k4": _stitch(4),
}
