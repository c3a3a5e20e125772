"""Families of maps from pairs, each from the same sums, and their blends: what `auto` chooses from.

Whitening, rotation, reweighting and colouring are the steps of Artetxe, Labaka and Agirre 2018 (*Generalizing and
improving bilingual word embedding mappings with a multi-step framework of linear transformations*), here with shrunken
covariances and half of the reweighting on either side.
"""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from align.solvers import ridge

ROTATION, SIMILARITY, RIDGE, REVERSED = "rotation", "similarity", "ridge", "ridge, reversed"
REWEIGHTED = "reweighted"
# What is added to a covariance before whitening, in units of its mean eigenvalue: so many times dimensions over pairs,
# as fewer pairs leave more of it unknown, and at most so much.
_UNKNOWN, _MOST = 0.5, 1.0
BOTH = "both ridges"
BLENDS = {
    BOTH: (RIDGE, REVERSED),
    "ridge and reweighted": (RIDGE, REWEIGHTED),
    "both ridges and reweighted": (RIDGE, REVERSED, REWEIGHTED),
    "both ridges and rotation": (RIDGE, REVERSED, ROTATION),
    "both ridges, reweighted and rotation": (RIDGE, REVERSED, REWEIGHTED, ROTATION),
}
NAMES = (ROTATION, SIMILARITY, RIDGE, REVERSED, REWEIGHTED, *BLENDS)


class Penalty(NamedTuple):
    """How a ridge is shrunk: the strength, in squares of the source, and the name of what it is shrunk towards.

    error: of rows left out, over their distances from the mean.
    """

    strength: float
    goal: str
    error: float = float("nan")


class Map(NamedTuple):
    """x ↦ x @ weight + bias, weight `[d_source, d_target]`, in float64."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Map rows `[n, d_source]`."""
        return x @ self.weight + self.bias


def penalties(source: ArrayLike, target: ArrayLike) -> tuple[Penalty, Penalty]:
    """Choose how to shrink the ridge from source `[n, d_source]` to target `[n, d_target]` and the one back."""
    paths = (ridge(source, target).details, ridge(target, source).details)
    forth, back = (Penalty(float(path.strength), path.goal, float(path.leave_one_out)) for path in paths)
    return forth, back


def fit(source: np.ndarray, target: np.ndarray, shrunk: tuple[Penalty, Penalty]) -> dict[str, Map]:
    """Fit every family, in the order of `NAMES`, to pairs `[n, d_source]` and `[n, d_target]`.

    A family is about the means of both sides, but for a ridge without an intercept. Fewer pairs than dimensions say
    nothing beyond what they span: every family is zero there, the rotation too, whose continuation would be arbitrary.
    In a blend, weights are averaged after each has been brought to map the source to the spread of the target.
    """
    (source, from_source), (target, from_target) = in_span(source), in_span(target)
    maps = {}
    for name, (weight, bias) in _fit(source, target, shrunk, (len(from_source), len(from_target))).items():
        maps[name] = Map(from_source @ weight @ from_target.T, from_target @ bias)
    return maps


def in_span(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates `[n, k]` of rows `[n, d]` in what they span, and its basis `[d, k]`, which may be all."""
    if len(rows) >= rows.shape[1]:
        return rows, np.eye(rows.shape[1])
    basis = np.linalg.qr(rows.T)[0]
    return rows @ basis, basis


def _fit(source, target, shrunk, dimensions):
    source_mean, target_mean = source.mean(0), target.mean(0)
    x, y = source - source_mean, target - target_mean
    cross, of_x, of_y = x.T @ y, x.T @ x, y.T @ y
    turn, spread = _rotation(cross), np.trace(of_x)
    scale = float((turn * cross).sum() / spread) if spread else 1.0

    weights = {ROTATION: turn, SIMILARITY: scale * turn}
    weights[RIDGE], free = _ridge(source, target, x, y, shrunk[0])
    weights[REVERSED] = _ridge(target, source, y, x, shrunk[1])[0].T
    added = [
        min(_UNKNOWN * d / len(x), _MOST) * np.trace(squares) / d
        for squares, d in zip((of_x, of_y), dimensions, strict=True)
    ]
    weights[REWEIGHTED] = _reweighted(of_x, cross, of_y, *added)

    def level(weight):
        reached = np.sqrt(max(float((weight * (of_x @ weight)).sum()), 0))
        return weight * (np.sqrt(np.trace(of_y)) / reached if reached > 0 else 0)

    for name, parts in BLENDS.items():
        weights[name] = level(sum(level(weights[part]) for part in parts))
    maps = {name: Map(weights[name], target_mean - source_mean @ weights[name]) for name in NAMES}
    if not free:
        maps[RIDGE] = Map(weights[RIDGE], np.zeros_like(target_mean))
    return maps


def _rotation(cross):
    """Return the weight of orthonormal columns or rows that is nearest to a cross-covariance (Schönemann 1966)."""
    left, _, right = np.linalg.svd(cross, full_matrices=False)
    return left @ right


def _ridge(source, target, x, y, penalty):
    """Return the weight of a ridge, and whether it has an intercept; x, y: source and target about their means."""
    free = penalty.goal != "origin"
    x, y = (x, y) if free else (source, target)
    cross, squares = x.T @ y, x.T @ x
    goal = np.zeros_like(cross)
    if penalty.goal in ("rigid", "similarity"):
        goal = _rotation(cross)
        if penalty.goal == "similarity":
            goal *= (goal * cross).sum() / max(np.trace(squares), np.finfo(float).tiny)
    # Never singular, also where a strength of zero was chosen on more rows than there are here.
    strength = max(penalty.strength, 1e-9 * np.trace(squares) / len(squares), np.finfo(float).tiny)
    return goal + np.linalg.solve(squares + strength * np.eye(len(squares)), cross - squares @ goal), free


def _reweighted(of_x, cross, of_y, to_x, to_y):
    """Return the weight that whitens both sides, turns one to the other, weighs by √correlation, and colours again."""
    (white_x, colour_x), (white_y, colour_y) = _whitening(of_x, to_x), _whitening(of_y, to_y)
    left, correlations, right = np.linalg.svd(white_x @ cross @ white_y, full_matrices=False)
    # x goes to white_x left √c leftᵀ colour_x left, y likewise; the first times the second's transpose is one weight.
    root = np.sqrt(correlations)
    of_source = (white_x @ left * root) @ (left.T @ colour_x @ left)
    of_target = (white_y @ right.T * root) @ (right @ colour_y @ right.T)
    return of_source @ of_target.T


def _whitening(squares, added):
    """Return (squares + added · identity)^(−1/2) and its inverse."""
    values, vectors = np.linalg.eigh(squares)
    roots = np.sqrt(np.maximum(values, 0) + max(added, np.finfo(float).tiny))
    return (vectors / roots) @ vectors.T, (vectors * roots) @ vectors.T
