"""Ridge regression whose strength, and what it shrinks towards, are chosen by exact leave-one-out."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.arrays import inputs
from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.least_squares import differentiable
from align.linalg.left_out import motions_left_out
from align.linalg.moments import Moments, about_origin, blocked_sum, moments
from align.linalg.shrinkage import TOWARDS, RidgePath, default_strengths, shrinkage
from align.maps import AffineMap, diagnosis
from align.solvers.rigid import procrustes, through_means


def ridge(source, target, *, weights=None, strengths=None, towards="auto", reflection=True) -> AffineMap:
    """Fit Σ w ‖target − source @ weight − bias‖² + strength ‖weight − W₀‖², the bias unpenalised.

    source `[n, d_source]`, target `[n, d_target]`, at least two rows; weights `[n]` count rows.
    strengths: `[k]`, absolute; unless given, 60 over nine decades about the mean squared singular value of the source,
        zero among them where there are more rows than unknowns.
    towards: W₀, one of "zero", "rigid", "similarity", or "auto" for the best of them ("zero" alone where the source
        has more dimensions than the target, since no map keeps distances there); reflection is that of the rigid map.
        "origin" is zero with a bias of zero, for "auto" a candidate where there are no more rows than dimensions: the
        mean of a handful of rows may be further from that of all than the origin is.

    Strength and W₀ minimise the exact leave-one-out error, W₀ included: each left-out row is predicted by a map that
    never saw it. Where a W₀ for every row would cost too much (beyond 1,000 rows, or some 250 dimensions), rows are
    left out of it a fold at a time, at least 20 folds, which errs on the side of caution.
    `details` of the map is a `RidgePath`. ValueError for shapes that do not fit, an unknown `towards`, and concrete
    input that is not finite or whose weights sum to one or less.
    """
    source, target, weights = inputs.paired(source, target, weights, minimum_rows=2)
    if towards not in (*TOWARDS, "auto"):
        raise ValueError(f"towards must be one of {(*TOWARDS, 'auto')}; it is {towards!r}")
    candidates = (towards,)
    if towards in ("rigid", "similarity"):
        inputs.check_embeddable(source, target)
    elif towards == "auto":
        candidates = ("zero",) if source.shape[1] > target.shape[1] else ("zero", "rigid", "similarity")
        candidates += ("origin",) if source.shape[0] <= source.shape[1] else ()
    if strengths is not None:
        strengths = jnp.asarray(strengths, source.dtype)
        if strengths.ndim != 1 or strengths.size == 0:
            raise ValueError(f"strengths must be [k], at least one; it is {strengths.shape}")
    fitted = _fit(source, target, weights, strengths, candidates, reflection)
    diagnosis.check_fitted(fitted, source=source, target=target, weights=weights, strengths=strengths)
    if diagnosis.failed(fitted):
        if strengths is not None and bool((strengths < 0).any()):
            raise ValueError("strengths must not be negative")
        if weights is not None and not bool(weights.sum() > 1):
            raise ValueError(f"weights must sum to more than one for a row to be left out; they sum to {weights.sum()}")
    return fitted


@functools.partial(jax.jit, static_argnames=("candidates", "reflection"))
def _fit(source, target, weights, strengths, candidates, reflection):
    m = moments(source, target, weights)
    if strengths is None:
        strengths = default_strengths(m)
    bound = tuple(name for name in candidates if name != "origin")
    paths = [_follow(m, source, target, weights, strengths, bound, reflection)] if bound else []
    if "origin" in candidates:
        paths.append(_follow(about_origin(m), source, target, weights, strengths, ("origin",), reflection))

    errors, degrees = (jnp.concatenate([getattr(path, name) for path in paths]) for name in ("errors", "degrees"))
    best, k = jnp.unravel_index(jnp.argmin(errors), errors.shape)
    spread = m.target_squares.sum()
    relative = jnp.sqrt(errors / spread)
    towards = jnp.asarray([TOWARDS.index(name) for name in candidates])[best]  # "origin" comes last
    chosen = RidgePath(strengths[k], towards, degrees[best, k], relative.min(), strengths, degrees, relative)

    ends = [_end(path, source, target, weights, jnp.minimum(best, len(path.goals) - 1), strengths[k]) for path in paths]
    fitted, error = jax.tree.map(lambda *one: jnp.where(best < len(bound), one[0], one[-1]), *ends)
    vanished = (m.source_squares.sum() == 0) & (m.cross != 0).any()  # squares below the range of the numbers
    sound = jnp.isfinite(errors.min()) & (strengths >= 0).all() & ~vanished
    fitted = dataclasses.replace(fitted, details=jax.lax.stop_gradient(chosen))
    return diagnosis.diagnosed(fitted, weights, jnp.where(sound, error, jnp.nan), spread)


class _Path(NamedTuple):
    """What all strengths share about one centre, and for each goal `[candidates, ...]` the errors `[candidates, k]`."""

    moments: Moments
    goals: jax.Array
    values: jax.Array
    keep: jax.Array
    vectors: jax.Array
    errors: jax.Array
    degrees: jax.Array


def _follow(m, source, target, weights, strengths, candidates, reflection):
    goals = [
        procrustes(m, reflection, scaled=name == "similarity")[0]
        if name in ("rigid", "similarity")
        else jnp.zeros_like(m.cross)
        for name in candidates
    ]
    values, vectors = lapack.eigh(jax.lax.stop_gradient(m.source))
    values = jnp.maximum(values, 0)
    keep = values > source.shape[1] * jnp.finfo(values.dtype).eps * values[-1]
    path = functools.partial(_leave_one_out, candidates, reflection)
    errors, degrees = path(*jax.lax.stop_gradient((m, source, target, weights, strengths)), values, keep, vectors)
    return _Path(m, jnp.stack(goals), values, keep, vectors, errors, jnp.broadcast_to(degrees, errors.shape))


def _end(path, source, target, weights, goal, strength):
    """Return the map of one goal and strength, and the squares that it leaves unexplained."""
    m, values = path.moments, path.values
    start = path.goals[goal]
    weight, error = _solve(m, source, target, weights, start, strength, values, path.keep, path.vectors)
    used = (strength > 0) | path.keep
    shrunk = jnp.where(used, values + strength, jnp.inf)
    condition = jnp.sqrt((values[-1] + strength) / shrunk.min())
    return AffineMap(weight, through_means(m, weight), rank=used.sum(), condition=condition), error


def _leave_one_out(candidates, reflection, m, source, target, weights, strengths, values, keep, vectors):
    """Return the squared errors of left-out rows `[candidates, k]`, summed, and the degrees of freedom `[k]`.

    With residuals r of the fit to all rows and leverages h, a row's error when left out is r / (1 − h), h including the
    1/Σw of an intercept. Shrinking towards a map A fits target − source A instead, and the formula is linear in what is
    fitted: the error is that of the target minus that of the source, fitted by itself, times the A of the other rows.
    """
    x, y = m.centred(source, target)
    coordinates = matmul(x, vectors)
    solution = matmul(vectors.T, m.cross)
    bound = candidates != ("origin",)
    motions = motions_left_out(candidates if bound else ("zero",), reflection, m, x, y, weights, vectors)

    inverses = jax.vmap(functools.partial(shrinkage, values, keep))(strengths)
    free = 1 - bound / m.total - matmul(inverses, (coordinates**2).T)

    def errors(each):
        inverse, free = each
        of_target = y - matmul(coordinates, inverse[:, None] * solution)
        of_source = coordinates * (1 - values * inverse)
        # Where nothing is left for a row to be predicted from, no strength can be judged.
        scale = jnp.where(free > 0, 1 / free, jnp.inf)

        def squares(predicted):
            each = ((of_target - predicted) ** 2).sum(1) * scale**2
            return (each if weights is None else jnp.where(weights > 0, each * weights, 0)).sum()

        return jnp.stack([squares(motion(of_source)) for motion in motions])

    errors = jax.lax.map(errors, (inverses, free))
    return jnp.where(jnp.isnan(errors), jnp.inf, errors).T, matmul(inverses, values) + bound


def _solve(m, source, target, weights, start, strength, values, keep, vectors):
    """Return the ridge weight, refined once on the rows, differentiable, and the squares it leaves unexplained."""
    cross = m.cross - matmul(m.source, start)
    inverse = matmul(vectors * shrinkage(values, keep, jax.lax.stop_gradient(strength)), vectors.T)
    first = start + matmul(inverse, cross)

    def at(x, y, w):
        x, y = constant.centred(x, y)
        errors = y - matmul(x, weight)
        weighted = errors if w is None else errors * w[:, None]
        return matmul(x.T, weighted), (errors * weighted).sum()

    constant, weight, rows, goal, penalty = jax.lax.stop_gradient(
        (m, first, (source, target, weights), start, strength)
    )
    ascent, error = blocked_sum(at, rows)
    change = matmul(inverse, ascent - penalty * (weight - goal))
    error = error - 2 * (change * ascent).sum() + (change * matmul(constant.source, change)).sum()
    identity = jnp.eye(values.shape[0], dtype=values.dtype)
    rank = ((penalty > 0) | keep).sum().astype(values.dtype)
    correction = differentiable(m.source + strength * identity, cross, weight + change - goal, rank)
    return start + correction, jnp.maximum(error, 0)
