"""The methods of the tables by the names that their rows carry: from what is known of some pairs to a map for each."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jax import Array

from align import solvers
from align.solvers.labels import class_means
from align.stitching import stitch_pairs


class Pair(NamedTuple):
    """What a method may know of an ordered pair of networks: latents `[n, d]`, in correspondence, and labels `[n]`."""

    key: Array
    source: Array
    target: Array
    labels: Array


def _each(solver):
    return lambda pairs: [solver(pair.source, pair.target) for pair in pairs]


def _stitch(factor):
    return lambda pairs: stitch_pairs(*zip(*((p.key, p.source, p.target) for p in pairs), strict=True), factor=factor)


def _means(step):
    return lambda pairs: [class_means(p.source, p.labels, p.target, p.labels, step=step) for p in pairs]


def _icp(step):
    """Iterate closest points in the form of the paper: one-sided nearest neighbours within the class."""
    return lambda pairs: [
        solvers.icp(p.key, p.source, p.target, source_labels=p.labels, target_labels=p.labels, step=step) for p in pairs
    ]


METHODS: dict[str, Callable[[Sequence[Pair]], list[Callable[[Array], Array]]]] = {
    "rigid": _each(solvers.rigid),
    "linear": _each(solvers.linear),
    "affine": _each(solvers.affine),
    "similarity": _each(solvers.similarity),
    "ridge": _each(solvers.ridge),
    "means_rigid": _means("rigid"),
    "means_linear": _means("linear"),
    "means_icp_rigid": _icp("rigid"),
    "means_icp_linear": _icp("linear"),
    "stitching_k1": _stitch(1),
    "stitching_k2": _stitch(2),
    "stitching_k4": _stitch(4),
}
