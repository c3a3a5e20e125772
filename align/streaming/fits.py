"""Fits from a record alone: what the solver of a name would fit to the rows behind it."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.double import enable_x64
from align.arrays.products import matmul
from align.linalg import threads
from align.linalg.decompositions import numerical_rank
from align.linalg.moments import Moments, about_origin
from align.linalg.procrustes import procrustes, procrustes_about_origin, through_means
from align.linalg.shrinkage import TOWARDS, StreamedRidgePath, default_strengths, shrinkage
from align.maps import AffineMap, diagnosis
from align.streaming.record import Statistics, check_statistics, checked, target_squares

_PROCRUSTES = ("orthogonal", "rigid", "similarity")
_OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PROCRUSTES, ("reflection",)),
    **dict.fromkeys(("linear", "affine"), ("rcond",)),
    "ridge": ("strengths", "towards", "reflection"),
}
FAMILIES = tuple(_OPTIONS)


def fit(statistics: Statistics, solver: str, **options: Any) -> AffineMap:
    """Fit "orthogonal", "rigid", "similarity", "linear", "affine" or "ridge" to the rows behind a record.

    The options are those of the solver; `rcond` cannot be resolved below √(d_source ε), as moments square it, and
    "ridge" is chosen otherwise than in memory, see `ridge`.
    ValueError for an unknown solver, options that it does not take, dimensions that do not fit it, and statistics that
    are not finite.
    """
    if not isinstance(solver, str) or solver not in FAMILIES:
        raise ValueError(f"solver must be one of {FAMILIES}; it is {solver!r}")
    if unknown := options.keys() - set(_OPTIONS[solver]):
        raise ValueError(f"{solver} takes {', '.join(_OPTIONS[solver])}; there is {', '.join(sorted(unknown))}")
    check_statistics(statistics)
    if solver == "ridge":
        return ridge(statistics, **options)
    if solver in _PROCRUSTES:
        inputs.check_embeddable(statistics.source_mean[None], statistics.target_mean[None])
        reflection = options.get("reflection", True)
        checks.check_flags(reflection=reflection)
        return _fitted(_fit_procrustes, statistics, solver, reflection)
    return _fitted(_fit_least_squares, statistics, _cutoff(statistics, options.get("rcond")), solver)


def ridge(
    statistics: Statistics, *, strengths: ArrayLike | None = None, towards: str = "zero", reflection: bool = True
) -> AffineMap:
    """Fit `solvers.ridge` over the path of strengths, chosen by generalised cross-validation.

    strengths: `[k]`, absolute, or None for the default path. towards: "zero", "rigid" or "similarity", one of them,
    since what a fit of W₀ costs in degrees of freedom is not counted. reflection: of the rigid map.

    A record has no rows to leave out: where `solvers.ridge` minimises the exact leave-one-out error over strengths and
    goals, this minimises Σ errors² / (1 − degrees of freedom / rows)² (Golub, Heath and Wahba 1979) over strengths
    alone. Weights count rows there, and copies are rows of their own: where they are uneven, or copies many, the error
    is less than that of new rows. `details` of the map is a `StreamedRidgePath`. Errors as for `fit`.
    """
    check_statistics(statistics)
    possible = TOWARDS[:3]  # a record of centred moments has an intercept
    checks.check_flags(reflection=reflection)
    if not isinstance(towards, str) or towards not in possible:
        raise ValueError(f"towards must be one of {possible}; it is {towards!r}")
    if towards != "zero":
        inputs.check_embeddable(statistics.source_mean[None], statistics.target_mean[None])
    if not statistics.total > 1:
        raise ValueError(f"weights must sum to more than one, as they count rows; they sum to {statistics.total:g}")
    if strengths is not None:
        strengths = np.asarray(inputs.as_strengths(strengths), np.float64)
    return _fitted(_fit_ridge, statistics, strengths, towards, reflection)


def _cutoff(statistics, rcond):
    d = statistics.source_mean.size
    if rcond is None:
        rcond = d * jnp.finfo(jnp.result_type(float)).eps
    checks.check_fraction(rcond=rcond)
    return max(float(rcond), float(np.sqrt(d * np.finfo(np.float64).eps)))


def _fitted(function, statistics, *arguments):
    statistics = checked(statistics)
    zeros = [np.zeros_like(mean) for mean in (statistics.source_mean, statistics.target_mean)]
    m = Moments(
        total=statistics.total,
        source_shift=statistics.source_mean,
        source_offset=zeros[0],
        target_shift=statistics.target_mean,
        target_offset=zeros[1],
        cross=statistics.cross,
        source_squares=np.diag(statistics.source),
        target_squares=target_squares(statistics),
        source=statistics.source,
    )
    with enable_x64(True), threads.for_dimensions(max(m.cross.shape)):
        fitted = jax.tree.map(np.asarray, function(m, *arguments))
    return _map(statistics, *fitted)


@np.errstate(over="ignore", under="ignore", divide="ignore")  # what leaves the range of the result is a failure below
def _map(statistics, weight, bias, rank, condition, error, details=None):
    """Return the map in the default float of JAX, with its diagnosis."""
    dtype = jnp.result_type(float)

    def rounded(value):
        return jnp.asarray(np.asarray(value).astype(dtype))

    fitted = AffineMap(rounded(weight), rounded(bias), rank, rounded(condition))
    if details is not None:
        details = jax.tree.map(lambda a: rounded(a) if a.dtype.kind == "f" else jnp.asarray(a, jnp.int32), details)
    fitted = dataclasses.replace(fitted, details=details)
    spread, largest = target_squares(statistics).sum(), np.abs(weight).max()
    share = error / spread if error > 0 else 0.0  # a constant target reached exactly leaves nothing
    resolved = largest == 0 or largest > float(jnp.finfo(dtype).tiny) / float(jnp.finfo(dtype).eps)
    known = jnp.asarray(0.0 if np.isfinite(error) else np.nan, dtype)
    fitted = diagnosis.diagnosed(fitted, None, known, jnp.ones((), dtype), bool(resolved))
    # A share of squares may be beyond the numbers whose root is not.
    return dataclasses.replace(fitted, residual=fitted.residual + rounded(np.sqrt(share)))


# Each of the three returns weight, bias, rank, condition and the sum of squares that the map leaves.


@functools.partial(jax.jit, static_argnames=("solver", "reflection"))
def _fit_procrustes(m, solver, reflection):
    if solver == "orthogonal":
        weight, rank, condition = procrustes_about_origin(m, reflection)
        m = about_origin(m)
    else:
        weight, rank, condition = procrustes(m, reflection, scaled=solver == "similarity")
    return weight, through_means(m, weight), rank, condition, _error(m, weight)


@functools.partial(jax.jit, static_argnames="solver")
def _fit_least_squares(m, rcond, solver):
    m = about_origin(m) if solver == "linear" else m
    values, vectors = jnp.linalg.eigh(m.source)
    rank, condition = numerical_rank(jnp.sqrt(jnp.maximum(values[::-1], 0)), rcond)
    inverses = shrinkage(values, values > rcond**2 * values[-1], 0)
    weight = matmul(vectors, inverses[:, None] * matmul(vectors.T, m.cross))
    return weight, through_means(m, weight), rank, condition, _error(m, weight)


@functools.partial(jax.jit, static_argnames=("towards", "reflection"))
def _fit_ridge(m, strengths, towards, reflection):
    if strengths is None:
        strengths = default_strengths(m, m.total)
    goal = jnp.zeros_like(m.cross)
    if towards != "zero":
        goal = procrustes(m, reflection, scaled=towards == "similarity")[0]
    # With W = W₀ + D, what remains is a ridge towards zero from the source to the target without W₀'s share.
    cross = m.cross - matmul(m.source, goal)
    values, vectors = jnp.linalg.eigh(m.source)
    values = jnp.maximum(values, 0)
    keep = values > values.shape[0] * jnp.finfo(values.dtype).eps * values[-1]
    solution = matmul(vectors.T, cross)
    before = _error(m, goal)

    def generalised_error(strength):
        inverses = shrinkage(values, keep, strength)
        explained = ((solution**2).sum(1) * inverses * (2 - values * inverses)).sum()
        degrees = (values * inverses).sum() + 1
        free = 1 - degrees / m.total
        judged = (free > 0) & (free**2 > len(values) * jnp.finfo(values.dtype).eps)  # else what is left is rounding
        return jnp.where(judged, (before - explained) / free**2, jnp.inf), degrees

    errors, degrees = jax.lax.map(generalised_error, strengths)
    k = jnp.argmin(errors)
    goal = jnp.where(jnp.isfinite(errors[k]), goal, jnp.nan)  # as where no strength can be judged in memory
    weight = goal + matmul(vectors, shrinkage(values, keep, strengths[k])[:, None] * solution)
    used = (strengths[k] > 0) | keep
    condition = jnp.sqrt((values[-1] + strengths[k]) / jnp.where(used, values + strengths[k], jnp.inf).min())
    relative = jnp.sqrt(jnp.maximum(errors, 0) / m.target_squares.sum())
    towards = jnp.asarray(TOWARDS.index(towards))
    path = StreamedRidgePath(strengths[k], towards, degrees[k], relative[k], strengths, degrees, relative)
    return weight, through_means(m, weight), used.sum(), condition, _error(m, weight), path


def _error(m, weight):
    error = m.target_squares.sum() - 2 * (weight * m.cross).sum() + (weight * matmul(m.source, weight)).sum()
    return jnp.maximum(error, 0)
