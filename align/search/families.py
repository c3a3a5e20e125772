"""Families of maps from pairs, each from the same sums, and their blend: what `auto` chooses from.

Whitening, rotation, reweighting and colouring are the steps of Artetxe, Labaka and Agirre 2018 (*Generalizing and
improving bilingual word embedding mappings with a multi-step framework of linear transformations*), here with shrunken
covariances and half of the reweighting on either side.

A ridge expects as much of every direction of the source before it has seen a pair. Encoders have most in common where
they vary most: the graded ridge expects more of these directions, by a power of the variance that further rows of the
source have along them. The fewer the pairs, the more there is in what is expected.
"""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from align.search.documents import in_blocks
from align.solvers import ridge

ROTATION, SIMILARITY, RIDGE, REVERSED = "rotation", "similarity", "ridge", "ridge, reversed"
REWEIGHTED, GRADED, BLEND = "reweighted", "graded ridge", "blend"
NAMES = (ROTATION, SIMILARITY, RIDGE, REVERSED, REWEIGHTED)
BLENDED = (ROTATION, RIDGE, REVERSED, REWEIGHTED, GRADED)  # a similarity is the rotation again
# What is added to a covariance before whitening, in units of its mean eigenvalue: so many times dimensions over pairs,
# as fewer pairs leave more of it unknown, and at most so much.
_UNKNOWN, _MOST = 0.5, 1.0
# A graded ridge multiplies the source by this power of its covariance. In a blend it counts for so many families over
# pairs, and for one at least, as what is expected beforehand matters where few have been seen. Both, and the next, were
# chosen on draws of pairs that the published rows do not use.
_GRADE, _EXPECTED = 0.2, 400
# By how much less a left-out score may be and its family still have 0.6 of the best one's part in a blend.
_NEAR_AS_GOOD = 0.02


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


class Mix(NamedTuple):
    """A blend: the part of each family, which sum to 1, and the scale against the spread of the target."""

    parts: dict[str, float]
    scale: float


def grading(rows: np.ndarray) -> np.ndarray:
    """Return what a graded ridge multiplies source rows by, `[d, d]`, from rows `[m, d]` of the source alone.

    Its greatest eigenvalue is 1, so that no row becomes longer, whatever the scale; the identity where rows are alike.
    """
    mean, squares = rows.mean(0, dtype=np.float64), np.zeros((rows.shape[1],) * 2)
    for block in in_blocks(rows, rows.shape[1]):
        centred = block - mean
        squares += centred.T @ centred
    values, vectors = np.linalg.eigh(squares)
    if not values[-1] > 0:
        return np.eye(len(values))
    return (vectors * np.maximum(values / values[-1], np.finfo(np.float32).eps) ** _GRADE) @ vectors.T


def penalties(source: ArrayLike, target: ArrayLike, graded: np.ndarray | None = None) -> dict[str, Penalty]:
    """Choose how to shrink the ridge from source `[n, d_source]` to target `[n, d_target]`, the one back, and a graded.

    graded: what `grading` has returned, or None for no such ridge.
    """
    paths = {RIDGE: ridge(source, target).details, REVERSED: ridge(target, source).details}
    if graded is not None:
        paths[GRADED] = ridge(_graded(source, graded), target, towards="zero").details
    return {name: Penalty(float(path.strength), path.goal, float(path.leave_one_out)) for name, path in paths.items()}


def fit(
    source: np.ndarray, target: np.ndarray, shrunk: dict[str, Penalty], graded: np.ndarray | None = None
) -> dict[str, Map]:
    """Fit every family, in the order of `NAMES` and then the graded ridge, to pairs `[n, d_source]`, `[n, d_target]`.

    A family is about the means of both sides, but for a ridge without an intercept. Fewer pairs than dimensions say
    nothing beyond what they span: every family is zero there, the rotation too, whose continuation would be arbitrary;
    only a graded ridge has what its further rows say.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    (within, from_source), (onto, from_target) = in_span(source), in_span(target)
    maps = {}
    for name, (weight, bias) in _fit(within, onto, shrunk, (len(from_source), len(from_target))).items():
        maps[name] = Map(from_source @ weight @ from_target.T, from_target @ bias)
    if graded is not None:
        x, basis = in_span(_graded(source, graded))
        weight = graded @ basis @ _ridge(x, target, x, target - target_mean, shrunk[GRADED])[0]
        maps[GRADED] = Map(weight, target_mean - source_mean @ weight)
    return maps


def _graded(source, graded):
    """Return what a graded ridge is fitted to: source rows about their mean, multiplied, in their own dtype."""
    source = np.asarray(source)
    return ((source - source.mean(0, dtype=np.float64)) @ graded).astype(source.dtype)


def parts(scores: dict[str, np.ndarray], pairs: int) -> dict[str, float]:
    """Return the part of each of the families `BLENDED` in a blend, from their scores `[n]` on the same left-out rows.

    By how far each mean is below the best, in units of the difference's standard error and of what such scores miss.
    pairs: that the families are fitted to.
    """
    scores = {name: scores[name] for name in BLENDED if name in scores}
    best = max(scores.values(), key=np.mean)
    shares = {}
    for name, each in scores.items():
        lacking = best - each
        counts = max(1.0, _EXPECTED / pairs) if name == GRADED else 1.0
        shares[name] = counts * np.exp(-(lacking.mean() ** 2) / 2 / (_NEAR_AS_GOOD**2 + lacking.var() / len(lacking)))
    return {name: float(share / sum(shares.values())) for name, share in shares.items()}


def blend(maps: dict[str, Map], mix: Mix, source: np.ndarray, target: np.ndarray) -> Map:
    """Return the blend of maps that were fitted to pairs `[n, d_source]` and `[n, d_target]`.

    Each is brought to map the source to the spread of the target before they are averaged, and the blend to its scale.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    x, spread = source - source_mean, np.linalg.norm(target - target_mean)

    def level(weight):
        reached = np.linalg.norm(x @ weight)
        return weight * (spread / reached if reached > 0 else 0)

    weight = mix.scale * level(sum(part * level(maps[name].weight) for name, part in mix.parts.items()))
    return Map(weight, target_mean - source_mean @ weight)


def in_span(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates `[n, k]` of rows `[n, d]` in what they span, and its basis `[d, k]`, which may be all."""
    if len(rows) >= rows.shape[1]:
        return rows, np.eye(rows.shape[1])
    _, values, axes = np.linalg.svd(rows, full_matrices=False)
    rank = max(int((values > np.finfo(rows.dtype).eps * rows.shape[1] * values[0]).sum()), 1)
    basis = axes[:rank].T
    return rows @ basis, basis


def _fit(source, target, shrunk, dimensions):
    source_mean, target_mean = source.mean(0), target.mean(0)
    x, y = source - source_mean, target - target_mean
    cross, of_x, of_y = x.T @ y, x.T @ x, y.T @ y
    turn = _rotation(cross)
    reached = float((turn * (of_x @ turn)).sum())  # of fewer dimensions, less than the source has
    scale = float((turn * cross).sum()) / reached if reached > 0 else 1.0

    weights = {ROTATION: turn, SIMILARITY: scale * turn}
    weights[RIDGE], free = _ridge(source, target, x, y, shrunk[RIDGE])
    weights[REVERSED] = _ridge(target, source, y, x, shrunk[REVERSED])[0].T
    added = [
        min(_UNKNOWN * d / len(x), _MOST) * np.trace(squares) / d
        for squares, d in zip((of_x, of_y), dimensions, strict=True)
    ]
    weights[REWEIGHTED] = _reweighted(of_x, cross, of_y, *added)

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
