"""The table of solvers over which every property is tested, with an independent float64 solution of each."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import scipy.linalg

from align import solvers
from align.solvers.ridge import TOWARDS


class Family(NamedTuple):
    """solve: the solver under test; planted(rng, d) -> weight, bias it must recover; reference(x, y) -> the same.

    decomposed(x, y) -> the matrix whose singular values are behind the rank, at most `rank`, and the condition.
    turns: whether the fit turns along with either space; if not, only axes may change places and signs. decomposes:
    whether the solver decomposes a matrix. equal: whether it refuses spaces of unequal dimensions.
    """

    solve: Callable
    planted: Callable
    reference: Callable
    decomposed: Callable
    turns: bool = True
    rank: float = np.inf
    decomposes: bool = True
    equal: bool = False


def _rotation(rng, d, determinant=None):
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    if determinant and np.linalg.det(q) * determinant < 0:
        q[0] *= -1
    return q


def _centred(fit):
    def reference(x, y):
        mean_x, mean_y = x.mean(0), y.mean(0)
        weight = fit(x - mean_x, y - mean_y)
        return weight, mean_y - mean_x @ weight

    return reference


def _through_origin(fit):
    return lambda x, y: (fit(x, y), np.zeros(y.shape[1]))


def _procrustes(x, y):
    return scipy.linalg.orthogonal_procrustes(x, y)[0]


def _procrustes_rotation(x, y):
    u, _, vt = scipy.linalg.svd(x.T @ y)
    return u @ np.diag([*[1] * (len(u) - 1), np.linalg.det(u @ vt)]) @ vt


def _procrustes_scaled(x, y):
    weight, trace = scipy.linalg.orthogonal_procrustes(x, y)
    return weight * trace / (x**2).sum()


def _per_axis(x, y):
    return np.diag((x * y).sum(0) / (x**2).sum(0))


def _lstsq(x, y):
    return np.linalg.lstsq(x, y, rcond=None)[0]


def _rank_two(x, y):
    weight = _lstsq(x, y)
    directions = np.linalg.svd(x @ weight, full_matrices=False)[2][:2]
    return weight @ directions.T @ directions


STRENGTHS = (0.3, 2.0)


def _towards(goal, x, y):
    """What ridge shrinks towards, from centred rows."""
    u, s, vt = np.linalg.svd(x.T @ y, full_matrices=False)
    return {"zero": 0, "rigid": 1, "similarity": s.sum() / (x**2).sum()}[goal] * u @ vt


def _ridge(strengths=None, goals=("zero",), intercept=True):
    """Return what chooses strength and goal for rows: try all on every left-out row, in a loop; and what fits them."""

    def path(x, y, strengths, goal):
        start = _towards(goal, x, y)
        values, vectors = np.linalg.eigh(x.T @ x)
        shrunk = np.add.outer(np.asarray(strengths), values)
        inverses = np.divide(1, shrunk, out=np.zeros_like(shrunk), where=shrunk > 1e-12 * values[-1])
        return start + vectors @ (inverses[:, :, None] * (vectors.T @ x.T @ (y - x @ start)))

    def mean(a):
        return intercept * a.mean(0)

    def choose(x, y):
        tried = strengths
        if tried is None:
            tried = np.geomspace(1e-5, 1e4, 60)
            tried[0] *= len(x) <= x.shape[1] + 1
            tried = tried * ((x - x.mean(0)) ** 2).sum() / min(len(x) - 1, x.shape[1])
        errors = np.zeros((len(goals), len(tried)))
        for i in range(len(x)):
            others = np.arange(len(x)) != i
            mean_x, mean_y = mean(x[others]), mean(y[others])
            for k, goal in enumerate(goals):
                weights = path(x[others] - mean_x, y[others] - mean_y, tried, goal)
                errors[k] += ((y[i] - mean_y - (x[i] - mean_x) @ weights) ** 2).sum(-1)
        k, best = np.unravel_index(errors.argmin(), errors.shape)
        return tried[best], goals[k]

    def fit(x, y):
        strength, goal = choose(x, y)
        weight = path(x - mean(x), y - mean(y), [strength], goal)[0]
        return weight, mean(y) - mean(x) @ weight

    def decomposed(x, y):
        return np.vstack([x - mean(x), np.sqrt(choose(x, y)[0]) * np.eye(x.shape[1])])

    return fit, decomposed


def ridge_reference(strengths, *, intercept):
    """Return what fits and chooses among strengths in the scale of the source, about the means or not."""
    return _ridge(strengths, intercept=intercept)[0]


def _rows(x, y):
    return x - x.mean(0)


def _cross(x, y):
    return (x - x.mean(0)).T @ (y - y.mean(0))


def _spreads(x, y):
    return np.diag(np.linalg.norm(x - x.mean(0), axis=0))


def _with_bias(weight):
    return lambda rng, d: (weight(rng, d), rng.normal(size=d))


def _without_bias(weight):
    return lambda rng, d: (weight(rng, d), np.zeros(d))


def _matrix(rng, d):
    return rng.normal(size=(d, d))


FAMILIES = {
    "orthogonal": Family(
        solvers.orthogonal,
        _without_bias(functools.partial(_rotation, determinant=-1)),
        _through_origin(_procrustes),
        lambda x, y: x.T @ y,
    ),
    "rigid": Family(
        solvers.rigid, _with_bias(functools.partial(_rotation, determinant=-1)), _centred(_procrustes), _cross
    ),
    "rotation": Family(
        functools.partial(solvers.rigid, reflection=False),
        _with_bias(functools.partial(_rotation, determinant=1)),
        _centred(_procrustes_rotation),
        _cross,
    ),
    "similarity": Family(
        solvers.similarity, _with_bias(lambda rng, d: 3 * _rotation(rng, d)), _centred(_procrustes_scaled), _cross
    ),
    "scaling": Family(
        solvers.scaling,
        _with_bias(lambda rng, d: np.diag(rng.normal(size=d))),
        _centred(_per_axis),
        _spreads,
        turns=False,
        decomposes=False,
        equal=True,
    ),
    "linear": Family(solvers.linear, _without_bias(_matrix), _through_origin(_lstsq), lambda x, y: x),
    "affine": Family(solvers.affine, _with_bias(_matrix), _centred(_lstsq), _rows),
    "reduced_rank": Family(
        functools.partial(solvers.reduced_rank, rank=2),
        _with_bias(lambda rng, d: rng.normal(size=(d, 2)) @ rng.normal(size=(2, d))),
        _centred(_rank_two),
        _rows,
        rank=2,
    ),
    "ridge": Family(
        functools.partial(solvers.ridge, strengths=STRENGTHS, towards="zero"),
        lambda rng, d: (np.zeros((d, d)), rng.normal(size=d)),
        *_ridge(STRENGTHS),
    ),
    "ridge_origin": Family(
        functools.partial(solvers.ridge, strengths=(0.0, *STRENGTHS), towards="origin"),
        _without_bias(_matrix),
        *_ridge((0.0, *STRENGTHS), intercept=False),
    ),
    "ridge_auto": Family(  # "origin" is for fewer rows
        solvers.ridge, _with_bias(_matrix), *_ridge(goals=TOWARDS[:3])
    ),
}


ROWS, D = 24, 4


def pairs(seed=0, rows=ROWS, d=D):
    """Uncentred rows related by a rotation, a scale, a shift and noise: a problem that suits every family."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, d)) * np.linspace(1, 2, d) + 2 * rng.normal(size=d)
    y = x @ np.linalg.qr(rng.normal(size=(d, d)))[0] * 1.3 + rng.normal(size=d) + 0.3 * rng.normal(size=(rows, d))
    return x, y


KEY, CLASSES = jax.random.key(0), np.arange(ROWS) % 4
WITHOUT_PAIRS = {
    "icp": functools.partial(solvers.icp, KEY),
    "class_means": lambda x, y: solvers.class_means(x, CLASSES, y, CLASSES),
    "class_gaussians": lambda x, y: solvers.class_gaussians(KEY, x, CLASSES, y, CLASSES),
    "subclass_means": lambda x, y: solvers.subclass_means(KEY, x, CLASSES, y, CLASSES),
    "labels": lambda x, y: solvers.labels(KEY, x, CLASSES, y, CLASSES, whitenings=(0.5,), iterations=2),
    "unpaired": functools.partial(solvers.unpaired, KEY),
}
