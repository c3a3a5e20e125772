"""Fits from a record alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from align.arrays import inputs
from align.arrays.double import enable_x64
from align.arrays.products import matmul
from align.linalg.decompositions import numerical_rank
from align.linalg.moments import Moments, about_origin
from align.linalg.procrustes import procrustes, through_means
from align.linalg.shrinkage import TOWARDS, RidgePath, default_strengths, shrinkage
from align.maps import AffineMap, diagnosis
from align.streaming.record import Statistics, check_finite

_PROCRUSTES = ("orthogonal", "rigid", "similarity")

_FAMILIES = (*_PROCRUSTES, "linear", "affine")


def fit(statistics: Statistics, solver: str, *, reflection=True, rcond=None, rank=None) -> AffineMap:
    """Fit what the solver of that name would fit to the rows: "orthogonal", "rigid", "similarity", "linear", "affine".

    The options are those of the solvers; `rcond` cannot be resolved below √(d_source ε), as moments square it.
    ValueError for an unknown solver, dimensions that do not fit it, and statistics that are not finite.
    """
    if solver not in _FAMILIES:
        raise ValueError(f"solver must be one of {_FAMILIES}; it is {solver!r}")
    if solver in _PROCRUSTES:
        inputs.check_embeddable(statistics.source_mean[None], statistics.target_mean[None])
    return _map(statistics, *_in_float64(_fit, statistics, _cutoff(statistics, rcond), solver, reflection))


def ridge(statistics: Statistics, *, strengths=None, towards="zero", reflection=True) -> AffineMap:
    """Fit `solvers.ridge` over the path of strengths, chosen by generalised cross-validation.

    A record has no rows to leave out; Σ errors² / (1 − degrees of freedom / rows)² stands in for it (Golub, Heath and
    Wahba 1979) and is reported as `details.leave_one_out`. towards: "zero", "rigid" or "similarity", one of them,
    since what a fit of W₀ costs in degrees of freedom is not counted. Errors as for `fit`.
    """
    possible = TOWARDS[:3]  # a record of centred moments has an intercept
    if towards not in possible:
        raise ValueError(f"towards must be one of {possible}; it is {towards!r}")
    if towards != "zero":
        inputs.check_embeddable(statistics.source_mean[None], statistics.target_mean[None])
    if strengths is not None:
        strengths = np.asarray(strengths, np.float64)
    return _map(statistics, *_in_float64(_fit_ridge, statistics, strengths, towards, reflection))


def _cutoff(statistics, rcond):
    d = statistics.source_mean.size
    rcond = d * jnp.finfo(jnp.result_type(float)).eps if rcond is None else rcond
    return max(rcond, float(np.sqrt(d * np.finfo(np.float64).eps)))


def _in_float64(function, statistics, *arguments):
    check_finite(statistics)
    zeros = [np.zeros_like(mean) for mean in (statistics.source_mean, statistics.target_mean)]
    m = Moments(
        total=statistics.total,
        source_shift=statistics.source_mean,
        source_offset=zeros[0],
        target_shift=statistics.target_mean,
        target_offset=zeros[1],
        cross=statistics.cross,
        source_squares=np.diag(statistics.source),
        target_squares=np.diag(statistics.target),
        source=statistics.source,
    )
    with enable_x64(True):
        return jax.tree.map(np.asarray, function(m, *arguments))


def _map(statistics, weight, bias, rank, condition, error, details=None):
    dtype = jnp.result_type(float)
    fitted = AffineMap(*(jnp.asarray(a, dtype) for a in (weight, bias)), rank, jnp.asarray(condition, dtype))
    if details is not None:
        details = jax.tree.map(lambda a: jnp.asarray(a, dtype if a.dtype.kind == "f" else jnp.int32), details)
    fitted = dataclasses.replace(fitted, details=details)
    spread = np.trace(statistics.target)
    return diagnosis.diagnosed(
        fitted, None, jnp.asarray(error / spread if spread else error, dtype), jnp.ones((), dtype)
    )


@functools.partial(jax.jit, static_argnames=("solver", "reflection"))
def _fit(means, rcond, solver, reflection):
    m = about_origin(means) if solver in ("orthogonal", "linear") else means
    if solver in _PROCRUSTES:
        weight, singular_values = procrustes(m, reflection, scaled=solver == "similarity")
        rank, condition = numerical_rank(singular_values, max(weight.shape) * jnp.finfo(weight.dtype).eps)
    else:
        values, vectors = jnp.linalg.eigh(m.source)
        singular_values = jnp.sqrt(jnp.maximum(values[::-1], 0))
        rank, condition = numerical_rank(singular_values, rcond)
        inverses = shrinkage(values, values > rcond**2 * values[-1], 0)
        weight = matmul(vectors, inverses[:, None] * matmul(vectors.T, m.cross))
    return weight, through_means(m, weight), rank, condition, _error(m, weight)


def _error(m, weight):
    error = m.target_squares.sum() - 2 * (weight * m.cross).sum() + (weight * matmul(m.source, weight)).sum()
    return jnp.maximum(error, 0)


@functools.partial(jax.jit, static_argnames=("towards", "reflection"))
def _fit_ridge(m, strengths, towards, reflection):
    if strengths is None:
        strengths = default_strengths(m)
    start = jnp.zeros_like(m.cross)
    if towards != "zero":
        start = procrustes(m, reflection, scaled=towards == "similarity")[0]
    cross = m.cross - matmul(m.source, start)
    values, vectors = jnp.linalg.eigh(m.source)
    values = jnp.maximum(values, 0)
    keep = values > values.shape[0] * jnp.finfo(values.dtype).eps * values[-1]
    solution = matmul(vectors.T, cross)
    before = _error(m, start)

    def score(strength):
        inverses = shrinkage(values, keep, strength)
        explained = ((solution**2).sum(1) * inverses * (2 - values * inverses)).sum()
        degrees = (values * inverses).sum() + 1
        free = 1 - degrees / m.total
        return jnp.where(free > 0, (before - explained) / free**2, jnp.inf), degrees

    errors, degrees = jax.lax.map(score, strengths)
    k = jnp.argmin(errors)
    weight = start + matmul(vectors, shrinkage(values, keep, strengths[k])[:, None] * solution)
    relative = jnp.sqrt(jnp.maximum(errors, 0) / m.target_squares.sum())
    used = (strengths[k] > 0) | keep
    condition = jnp.sqrt((values[-1] + strengths[k]) / jnp.where(used, values + strengths[k], jnp.inf).min())
    index = jnp.asarray(TOWARDS.index(towards))
    details = RidgePath(strengths[k], index, degrees[k], relative[k], strengths, degrees[None], relative[None])
    return weight, through_means(m, weight), used.sum(), condition, _error(m, weight), details
