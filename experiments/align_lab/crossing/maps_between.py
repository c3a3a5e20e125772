"""The maps that are tried between two encoders: each from what it may know of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from align import solvers
from align_lab.crossing.rotations import nearest_rotation
from align_lab.crossing.sides import Sides
from align_lab.texts.unit_length import unit


class Attempt(NamedTuple):
    """A map from `[n, d]` to `[n, e]`, and what is told of it in its row."""

    map: Callable[[np.ndarray], Any]
    told: dict[str, Any]


def fit(method: str, key: int, sides: Sides) -> Attempt:
    """Fit the map of a method to the clouds and the known pairs."""
    return METHODS[method](key, sides)


def _unpaired(key, sides):
    known = {"pairs": sides.pairs} if len(sides.pairs[0]) else {}
    fitted = jax.block_until_ready(solvers.unpaired(jax.random.key(key), sides.source, sides.target, **known))
    verdict = {"trusted": bool(fitted.trusted), "converged": bool(fitted.converged)}
    return Attempt(fitted, verdict | fitted.details.summary())


def _ridge(key, sides):
    return Attempt(jax.block_until_ready(solvers.ridge(*sides.pairs)), {})


def _procrustes(key, sides):
    return Attempt(orthogonal(*sides.pairs), {})


def _mini_vec2vec(key, sides):
    from align_lab.crossing import mini_vec2vec

    return Attempt(mini_vec2vec.fit(np.random.default_rng(key), sides.source, sides.target), {})


def _centroids(key, sides):
    from align_lab.crossing import assigned_centroids

    return Attempt(assigned_centroids.fit(np.random.default_rng(key), sides.source, sides.target, sides.pairs), {})


def _self_learning(key, sides):
    from align_lab.crossing import self_learning

    return Attempt(self_learning.fit(np.random.default_rng(key), sides.source, sides.target, sides.pairs), {})


def orthogonal(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the orthogonal map between pairs `[n, d]` and `[n, e]` about their means, of unit length, whatever d and e.

    Where the target has fewer dimensions, its columns are orthonormal: a projection follows the turn.
    """
    centre, offset = x.mean(0), y.mean(0)
    weight = nearest_rotation(unit(x - centre).T @ unit(y - offset))
    return lambda z: (z - centre) @ weight + offset


METHODS: dict[str, Callable[[int, Sides], Attempt]] = {
    "unpaired": _unpaired,
    "procrustes": _procrustes,
    "ridge": _ridge,
    "mini-vec2vec": _mini_vec2vec,
    "centroids": _centroids,
    "self-learning": _self_learning,
}
