"""The table of solvers over which every property is tested, with an independent float64 solution of each."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg

from align import solvers


class Family(NamedTuple):
    """solve: the solver under test; planted(rng, d) -> weight, bias it must recover; reference(x, y) -> the same."""

    solve: Callable
    planted: Callable
    reference: Callable
    turns: bool = True  # whether the fit turns along with either space


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


def _ridge(x, y):
    """Try every strength on every left-out row, in a loop."""

    def fit(x, y, strength):
        return np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)

    def left_out(strength):
        total = 0
        for i in range(len(x)):
            others = np.arange(len(x)) != i
            weight, bias = _centred(functools.partial(fit, strength=strength))(x[others], y[others])
            total += ((y[i] - x[i] @ weight - bias) ** 2).sum()
        return total

    return fit(x, y, min(STRENGTHS, key=left_out))


def _with_bias(weight):
    return lambda rng, d: (weight(rng, d), rng.normal(size=d))


def _without_bias(weight):
    return lambda rng, d: (weight(rng, d), np.zeros(d))


def _matrix(rng, d):
    return rng.normal(size=(d, d))


FAMILIES = {
    "orthogonal": Family(
        solvers.orthogonal, _without_bias(functools.partial(_rotation, determinant=-1)), _through_origin(_procrustes)
    ),
    "rigid": Family(solvers.rigid, _with_bias(functools.partial(_rotation, determinant=-1)), _centred(_procrustes)),
    "rotation": Family(
        functools.partial(solvers.rigid, reflection=False),
        _with_bias(functools.partial(_rotation, determinant=1)),
        _centred(_procrustes_rotation),
    ),
    "similarity": Family(
        solvers.similarity, _with_bias(lambda rng, d: 3 * _rotation(rng, d)), _centred(_procrustes_scaled)
    ),
    "scaling": Family(
        solvers.scaling, _with_bias(lambda rng, d: np.diag(rng.normal(size=d))), _centred(_per_axis), turns=False
    ),
    "linear": Family(solvers.linear, _without_bias(_matrix), _through_origin(_lstsq)),
    "affine": Family(solvers.affine, _with_bias(_matrix), _centred(_lstsq)),
    "reduced_rank": Family(
        functools.partial(solvers.reduced_rank, rank=2),
        _with_bias(lambda rng, d: rng.normal(size=(d, 2)) @ rng.normal(size=(2, d))),
        _centred(_rank_two),
    ),
    "ridge": Family(
        functools.partial(solvers.ridge, strengths=STRENGTHS, towards="zero"),
        lambda rng, d: (np.zeros((d, d)), rng.normal(size=d)),
        _centred(_ridge),
    ),
    "ridge_auto": Family(solvers.ridge, _with_bias(_matrix), None),
}
