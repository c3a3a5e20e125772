"""Ridge regression whose strength, and what it shrinks towards, are chosen by exact leave-one-out."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.copies import first_of_equal
from align.linalg import far_means, penalised, threads
from align.linalg.moments import Moments, moments, within_range
from align.linalg.procrustes import procrustes, through_means
from align.linalg.shrinkage import TOWARDS, RidgePath, default_strengths
from align.maps import AffineMap, diagnosis

_LARGEST = 2048**3  # d_source² d_target up to which "auto" fits rotations as well


def ridge(
    source: ArrayLike,
    target: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    strengths: ArrayLike | None = None,
    towards: str | AffineMap = "auto",
    reflection: bool = True,
) -> AffineMap:
    """Fit Σ w ‖target − source @ weight − bias‖² + strength ‖weight − W₀‖², the bias unpenalised.

    source: `[n, d_source]`, at least two rows, in correspondence with target.
    target: `[n, d_target]`.
    weights: `[n]`, count rows. A row is left out with all that it counts, and pairs that are equal are one that counts
        as often (but under transformations, which do not look for them): a copy that stays would predict it.
    strengths: `[k]`, absolute; unless given, 60 over nine decades about the mean squared singular value of the source,
        zero among them where there are more rows than unknowns.
    towards: W₀, one of "zero", "rigid", "similarity", or "auto" for the best of them ("zero" alone where the source
        has more dimensions than the target, since no map keeps distances there, and beyond some 2,000 dimensions,
        where the rotations that judge the others take minutes).
        "origin" is zero with a bias of zero, for "auto" a candidate where there are no more rows than dimensions: the
        mean of a handful of rows may be further from that of all than the origin is.
        An `AffineMap` that is known from elsewhere: its weight, with a bias of its own or with what the map makes of
        the pairs' mean kept ("map" and "whole map" among the candidates), so that few pairs correct it and many
        replace it.
    reflection: False keeps the rigid map and the similarity among the goals to rotations.

    Strength and W₀ minimise the exact leave-one-out error, W₀ included: each left-out row is predicted by a map that
    never saw it. Where a W₀ for every row would cost too much (beyond 1,000 rows, or some 100 dimensions), rows are
    left out of it a fold at a time, which errs on the side of caution: at least 5 folds, and up to 768 dimensions 20
    where there are less than two rows for each.
    A strength of 0 predicts no row that the others do not determine: where no strength can be judged, the map is NaN
    and has not converged.
    `details` of the map is a `RidgePath`. ValueError for shapes that do not fit, an unknown `towards`, and concrete
    input, `towards` included, that is not finite or of whose rows less than two have a weight.
    """
    source, target, weights = inputs.as_pairs(source, target, weights, minimum_rows=2)
    checks.check_flags(reflection=reflection)
    counts = _together(source, target, weights)
    given, candidates = _candidates(towards, source, target, _counted(counts, source))
    if strengths is not None:
        strengths = inputs.as_strengths(strengths).astype(source.dtype)
    with threads.for_rows(source, target):
        fitted = _fit_ridge(source, target, counts, strengths, given, candidates, reflection)
        diagnosis.check_fitted(fitted, source=source, target=target, weights=weights, strengths=strengths)
    if diagnosis.failed(fitted) and weights is not None and _counted(weights, source) < 2:
        raise ValueError(f"weights must be positive for two rows, that one may be left out; they are {weights}")
    return fitted


def _together(source, target, weights):
    """Return weights that give the first of equal pairs what all of them count; as they are where none are equal."""
    if any(isinstance(array, jax.core.Tracer) for array in (source, target, weights)):
        return weights
    if not (source.is_fully_addressable and target.is_fully_addressable):  # other processes hold the other rows
        return weights
    if weights is not None and not (np.asarray(weights) >= 0).all():  # which is said of all solvers alike
        return weights
    first = first_of_equal(np.asarray(source), np.asarray(target))
    if first is None:
        return weights
    counts = np.ones(len(first)) if weights is None else np.asarray(weights, np.float64)
    together = np.bincount(first, counts, len(first))
    # Where all that count are one pair, there is none to predict it from.
    return weights if (together > 0).sum() < 2 else jnp.asarray(together, source.dtype)


def _counted(weights, source):
    """Return how many rows there are that count, as far as that is known."""
    known = weights is not None and not isinstance(weights, jax.core.Tracer)
    if not known:
        return source.shape[0]
    with jax.ensure_compile_time_eval():
        return int((weights > 0).sum())


def _candidates(towards, source, target, rows):
    """Return the map to shrink towards, if one is given, and the names of what is tried; ValueError for neither."""
    if isinstance(towards, AffineMap):
        shape = (source.shape[1], target.shape[1])
        if towards.weight.shape != shape:
            raise ValueError(
                f"towards must map {shape[0]} to {shape[1]} dimensions; its weight is {towards.weight.shape}"
            )
        given = AffineMap(towards.weight.astype(source.dtype), towards.bias.astype(source.dtype))
        for part in (given.weight, given.bias):
            inputs.check_finite(towards=part)
        return given, ("map", "whole map")
    possible = (*TOWARDS[:4], "auto")
    if not isinstance(towards, str) or towards not in possible:
        raise ValueError(f"towards must be an AffineMap or one of {possible}; it is {towards!r}")
    if towards in ("rigid", "similarity"):
        inputs.check_embeddable(source, target)
    if towards != "auto":
        return None, (towards,)
    d_source, d_target = source.shape[1], target.shape[1]
    rigid = d_source <= d_target and d_source**2 * d_target <= _LARGEST
    kept = ("zero", "rigid", "similarity") if rigid else ("zero",)
    return None, kept + (("origin",) if rows <= d_source else ())


def _moments(source, target, weights):
    """Return the moments without what rounding leaves of dimensions of the source in which all rows are the same."""
    m = moments(source, target, weights)
    one = source[0 if weights is None else jnp.argmax(weights)]
    same = source == one[None]
    constant = (same if weights is None else same | (weights == 0)[:, None]).all(0)

    def without(term, where):  # by subtraction, as derivatives are not those of zero
        return term - jax.lax.stop_gradient(jnp.where(where, term, 0))

    return m._replace(
        cross=without(m.cross, constant[:, None]),
        source_squares=without(m.source_squares, constant),
        source=without(m.source, constant[:, None] | constant[None]),
    )


class _Path(NamedTuple):
    """What all strengths share about one centre.

    names: of the goals (static). base: the map that the goals add to. normal `[d_source]`: of the reflection that took
    the rows to source `[n, d_source]`, None where they are as they came. target `[n, d_target]`: what the base leaves
    of it. goals `[names, d_source, d_target]`; errors `[names, k]` of left-out rows, degrees `[k]`.
    """

    names: tuple[str, ...]
    base: AffineMap | None
    normal: jax.Array | None
    moments: Moments
    spectrum: penalised.Spectrum
    source: jax.Array
    target: jax.Array
    goals: jax.Array
    errors: jax.Array
    degrees: jax.Array


@functools.partial(jax.jit, static_argnames=("candidates", "reflection"))
def _fit_ridge(source, target, weights, strengths, given, candidates, reflection):
    m = _moments(source, target, weights)
    if strengths is None:
        strengths = default_strengths(m, source.shape[0] if weights is None else (weights > 0).sum())
    follow = functools.partial(_follow, source, weights, strengths, reflection)
    centred = tuple(name for name in candidates if name in ("zero", "rigid", "similarity"))
    paths = [follow(centred, None, m, target)] if centred else []
    if "origin" in candidates:
        paths.append(follow(("origin",), None, m, target))
    if given is not None:
        left = target - given(source)
        of_left = _moments(source, left, weights)
        paths.append(follow(("map",), given, of_left, left))
        paths.append(follow(("whole map",), given, _without_target_mean(of_left), left))

    names = sum((path.names for path in paths), ())
    errors = jnp.concatenate([path.errors for path in paths])
    degrees = jnp.concatenate([jnp.broadcast_to(path.degrees, path.errors.shape) for path in paths])
    best, k = jnp.unravel_index(jnp.argmin(errors), errors.shape)
    spread = m.target_squares.sum()
    relative = jnp.sqrt(errors / spread)
    towards = jnp.asarray([TOWARDS.index(name) for name in names])[best]
    chosen = RidgePath(strengths[k], towards, degrees[best, k], relative.min(), strengths, degrees, relative)

    ends, first = [], 0
    for path in paths:
        within = jnp.clip(best - first, 0, len(path.names) - 1)
        ends.append(_end(path, weights, path.goals[within], strengths[k]))
        first += len(path.names)
    which = jnp.asarray([i for i, path in enumerate(paths) for _ in path.names])[best]
    fitted, error = jax.tree.map(lambda *one: jnp.stack(one)[which], *ends)

    sound = jnp.isfinite(errors.min()) & (strengths >= 0).all() & within_range(m, source, target)
    fitted = dataclasses.replace(fitted, details=jax.lax.stop_gradient(chosen))
    return diagnosis.diagnosed(fitted, weights, jnp.where(sound, error, jnp.nan), spread)


def _without_target_mean(m):
    """Return the moments with the target about the origin; the source stays centred, and the cross term what it was."""
    squares = m.target_squares + m.total * m.target_mean**2
    nothing = jnp.zeros_like(m.target_shift)
    return m._replace(target_shift=nothing, target_offset=nothing, target_squares=squares)


def _follow(source, weights, strengths, reflection, names, base, m, target):
    normal = None
    if names == ("origin",):
        turned = far_means.turned(m, source)
        of, (_, normal, m, source) = penalised.spectrum_apart(turned, weights), turned
    else:
        of = penalised.spectrum(m, source, weights)
    goals = [
        procrustes(m, reflection, scaled=name == "similarity")[0]
        if name in ("rigid", "similarity")
        else jnp.zeros_like(m.cross)
        for name in names
    ]
    fitted_as = [name if name in ("rigid", "similarity") else "zero" for name in names]
    intercept = names[0] not in ("origin", "whole map")
    constants = jax.lax.stop_gradient((m, of, source, target, weights, strengths))
    errors, degrees = penalised.left_out_errors(fitted_as, reflection, intercept, *constants)
    return _Path(names, base, normal, m, of, source, target, jnp.stack(goals), errors, degrees)


def _end(path, weights, goal, strength):
    """Return the map of one goal and strength, and the squares that it leaves unexplained."""
    weight, error = penalised.solve(path.moments, path.spectrum, path.source, path.target, weights, goal, strength)
    bias = through_means(path.moments, weight)
    values, keep, _ = path.spectrum
    used = (strength > 0) | keep
    shrunk = jnp.where(used, values + strength, jnp.inf)
    condition = jnp.where(used.any(), jnp.sqrt((values[-1] + strength) / shrunk.min()), jnp.inf)
    if path.normal is not None:
        weight = far_means.reflect(path.normal, weight)
    if path.base is not None:
        weight, bias = path.base.weight + weight, path.base.bias + bias
    return AffineMap(weight, bias, rank=used.sum(), condition=condition), error
