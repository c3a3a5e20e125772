"""Alignment with nothing known, or a few pairs: two clouds, and a verdict on whether it worked."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.copies import once
from align.arrays.products import matmul
from align.clouds import coordinates, far_out
from align.linalg import threads
from align.maps import AffineMap, diagnosis
from align.solvers.corrected import corrected
from align.solvers.narrow import FORMS, Settings, between_narrow
from align.solvers.ridge import ridge
from align.solvers.verdict import FEWEST_ROWS, judged
from align.solvers.wide import between_wide
from align.solvers.wide_search import directions, effective_rank

# Beyond so many dimensions on both sides, distances are all alike and third moments plenty, if the variance is spread
# over more than so many of them.
_WIDE, _SPREAD_OVER = 128, 64
# Up to there at most so many times `sample` rows of a side are looked at.
_SAMPLES = 4


def unpaired(
    key: jax.Array,
    source: ArrayLike,
    target: ArrayLike,
    *,
    pairs: tuple[ArrayLike, ArrayLike] | None = None,
    source_labels: ArrayLike | None = None,
    target_labels: ArrayLike | None = None,
    forms: Sequence[tuple[float, int | None]] = FORMS,
    restarts: int | None = None,
    finalists: int = 3,
    clusters: int = 200,
    sample: int = 24_000,
    subset: int = 5000,
    contrast: float = 0.4,
) -> AffineMap:
    """Fit a map between two clouds of which nothing is known, or a few pairs, and say whether to trust it.

    source `[n, d_source]`, target `[m, d_target]`, n, m ≥ 2: no row corresponds to another. The paper calls this not
    achieved (section 4.2.3). Second moments leave an orthogonal map between whitened clouds open; what decides it
    depends on how many dimensions both sides have (docs/unpaired.md has the derivation).

    - Up to 128, distances: centroids coupled by Gromov-Wasserstein, and third moments laid over each other; refined by
      mutual nearest neighbours, then on soft matches (`narrow`). So are the 128 leading principal coordinates of more,
      where a few have most of the variance: an effective rank up to 64 on both sides.
    - Beyond, third moments: matched independent components as starts, heat to grow the better ones, then transport
      between the clouds until the map rests (`wide`). An orthogonal map and a scale, for codes that are compared by
      cosines about their mean.

    pairs: `(x, y)`, x `[p, d_source]` and y `[p, d_target]` in correspondence, p ≥ 2, rows of the clouds or not. They
        enter the search and finish it: regression from the pairs, towards the map from the clouds (`corrected`; beyond
        128 dimensions `ridge`, towards the multiple of it that suits the pairs) or by itself, by the error of pairs
        left out. With ever more of them the result is that of `ridge`. Equal pairs are one.
    source_labels, target_labels: labels `[n]`, `[m]`, concrete integers; classes that both sides have are the same.
    forms: of centroids' coordinates up to 128 dimensions, (whitening, leading components or None for all).
    restarts: of each kind of start; 2 up to 128 dimensions and 3 beyond, unless given.
    finalists, clusters, subset: how many candidates are refined (two at least, which must agree), centroids, and rows
        in an iteration, up to 128.
    sample: rows of either side that are looked at; four times as many where distances decide, and all that have labels.
        Rows more than ten times as far from the median as is usual are left out, where they are at most a hundredth of
        a side that is concrete.
    contrast: of what chance attains, the discrepancy that is trusted at most; beyond 128 dimensions less where rows are
        few.

    `trusted` of the map says whether to believe it, and `details.explanation`, of an `UnpairedFit`, why; `converged`,
    whether it came to rest. A map that is not trusted is returned all the same. Clouds turned, or without labels their
    rows in another order, lead to the same map, but for how near to it the search rests. ValueError for input that does
    not fit.
    """
    checks.check_key(key)
    source, target = inputs.as_clouds(minimum_rows=2, source=source, target=target)
    restarts = restarts if restarts is not None else (3 if min(source.shape[1], target.shape[1]) > _WIDE else 2)
    checks.check_counts(restarts=restarts, finalists=finalists, clusters=clusters, sample=sample, subset=subset)
    if finalists < 2:
        raise ValueError("finalists must be at least 2, for two to agree; it is 1")
    checks.check_between(0, math.inf, contrast=contrast)
    _check_forms(forms)
    if (source_labels is None) != (target_labels is None):
        raise ValueError("source_labels and target_labels must be given together")
    labels = None if source_labels is None else (source_labels, target_labels)
    pairs = None if pairs is None else _pairs(source, target, pairs)
    listed = tuple((whitening, components) for whitening, components in forms)  # hashable
    settings = Settings(listed, restarts, finalists, clusters, sample, subset, contrast)
    # What follows is traced by JAX's own rules of promotion, whatever a caller's are: it mixes no dtypes of arrays.
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        threads.for_rows(source, target),
    ):
        return jax.block_until_ready(_fit(key, source, target, pairs, labels, settings))


def _check_forms(forms):
    """Raise ValueError for what is no sequence of (whitening, components)."""
    if not isinstance(forms, list | tuple) or not forms:
        came = "empty" if isinstance(forms, list | tuple) else repr(forms)
        raise ValueError(f"forms must name at least one (whitening, components); it is {came}")
    for form in forms:
        if not isinstance(form, list | tuple) or len(form) != 2:
            raise ValueError(f"forms must be of (whitening, components); one of them is {form!r}")
        whitening, components = form
        if not checks.is_number(whitening, least=0, most=1) or not (components is None or checks.is_whole(components)):
            raise ValueError(
                f"forms must be of a whitening from 0 to 1 and a number of components or None; one of them is {form!r}"
            )


def _fit(key, source, target, pairs, labels, settings):
    """Search, finish with the pairs, and judge; see `unpaired`."""
    sides = [far_out.without(*side) for side in zip((source, target), labels or (None, None), strict=True)]
    if labels is None:
        sides = [(_ordered(rows), None) for rows, _ in sides]
    search = _search_for(*(rows for rows, _ in sides))
    if search is between_wide:  # narrow clouds are taken so where they are scored
        sides = [once(*side) for side in sides]
    elif labels is None:
        most = _SAMPLES * settings.sample
        sides = [(_some(jax.random.fold_in(key, i), rows, most), None) for i, (rows, _) in enumerate(sides)]
    (source, source_labels), (target, target_labels) = sides
    labels = None if labels is None else (source_labels, target_labels)
    fitted, rests, evidence, criteria = search(key, source, target, pairs, labels, settings)

    fitted = AffineMap(fitted.weight, fitted.bias, converged=jnp.isfinite(fitted.weight).all())
    diagnosis.check_fitted(fitted, source=source, target=target)
    known = 0
    if pairs is not None and len(pairs[0]) > 1:
        known, finish = len(pairs[0]), _among_ridges if search is between_wide else _corrected
        fitted, left_out, independent = finish(source, target, fitted, *pairs)
        evidence, criteria = evidence._replace(left_out=left_out), criteria | {"foretold": independent}
    details, trusted = judged(
        evidence, rows=min(len(source), len(target)), finite=fitted.converged, pairs=known, **criteria
    )
    return dataclasses.replace(fitted, converged=rests, trusted=trusted, details=details)


def _search_for(source, target):
    if min(source.shape[1], target.shape[1]) <= _WIDE or min(len(source), len(target)) < FEWEST_ROWS:
        return between_narrow
    return _between_leading if _in_few_directions(source, target) else between_wide


def _some(key, array, most):
    """Return at most so many rows, at random, in the order in which they came."""
    return array if len(array) <= most else array[jnp.sort(jax.random.permutation(key, len(array))[:most])]


def _in_few_directions(source, target):
    """Say whether a few directions have most of the variance of both sides; of what is traced, that is not known."""
    if isinstance(source, jax.core.Tracer) or isinstance(target, jax.core.Tracer):
        return False
    with jax.ensure_compile_time_eval():
        return max(float(effective_rank(directions(side))) for side in (source, target)) <= _SPREAD_OVER


def _between_leading(key, source, target, pairs, labels, settings):
    """Do what `between_narrow` does for leading principal coordinates of either side; the rest stays at its mean."""
    sides = [_leading(array) for array in (source, target)]
    pairs = None if pairs is None else tuple(side(array) for side, array in zip(sides, pairs, strict=True))
    (a, b), (x, y) = sides, (side(array) for side, array in zip(sides, (source, target), strict=True))
    fitted, *found = between_narrow(key, x, y, pairs, labels, settings)
    return _of_leading(a, fitted, b), *found


@jax.jit
def _leading(array):
    mean, down, up = coordinates.principal(array, components=_WIDE)
    return coordinates.Coordinates(mean, down[:, :_WIDE], up[:_WIDE])


@jax.jit
def _of_leading(a, fitted, b):
    """Return the map of the clouds that is `fitted` between coordinates of theirs."""
    weight = matmul(matmul(a.down, fitted.weight), b.up)
    return AffineMap(weight, matmul(fitted.bias, b.up) + b.mean - matmul(a.mean, weight))


@jax.jit
def _ordered(array):
    """Return the rows by their leading coordinate, so that the order in which they came does not matter."""
    leading = coordinates.principal(array, components=1)
    return array[jnp.argsort(leading(array)[:, 0])]


def _among_ridges(source, target, fitted, x, y):
    """Return the better of ridge regressions from the pairs, by itself and towards the map, with its left-out error.

    The map is rigid but for one scale, and too long for what it leaves unexplained: the pairs say by how much. Pairs
    helped to search for it, and it remembers some of them where the clouds say nothing. What knew nothing of a pair
    that is left out is the regression by itself, whose error comes third.
    """
    mean = target.mean(0)
    images = fitted(x) - mean[None]
    squares = (images**2).sum()
    share = jnp.where(squares > 0, jnp.maximum((images * (y - mean[None])).sum() / squares, 0), 1)
    shrunk = AffineMap(share * fitted.weight, mean + share * (fitted.bias - mean))
    fits = [ridge(x, y), ridge(x, y, towards=shrunk)]
    errors = [f.details.leave_one_out for f in fits]
    return *_better(fits, errors), errors[0]


def _corrected(source, target, fitted, x, y):
    """Return the map corrected by the pairs, or a ridge regression from them alone, with its left-out error, twice.

    The regression has chosen among many by that error, and must be better the more, the fewer the pairs.
    """
    alone, (towards, error) = ridge(x, y), corrected(source, target, fitted, x, y)
    better, left_out = _better([alone, towards], [alone.details.leave_one_out, error], margin=0.5 / math.sqrt(len(x)))
    return better, left_out, left_out


def _better(fits, errors, margin=0.0):
    """Return the second of two maps, or the first where its error is less by the margin, and the error."""
    first = errors[0] < (1 - margin) * errors[1]
    weight, bias = (jnp.where(first, *(getattr(f, name) for f in fits)) for name in ("weight", "bias"))
    return AffineMap(weight, bias, converged=jnp.isfinite(weight).all()), jnp.where(first, *errors)


def _pairs(source, target, pairs):
    try:
        x, y = pairs
    except (TypeError, ValueError) as error:
        raise ValueError("pairs must be (x, y), arrays in correspondence") from error
    x, y = inputs.as_floats(**{"pairs[0]": x, "pairs[1]": y})
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(
            f"pairs[0] and pairs[1] must be [rows, dimensions], as many rows; they are {x.shape} and {y.shape}"
        )
    if (x.shape[1], y.shape[1]) != (source.shape[1], target.shape[1]):
        turned = " (the other way round)" if (y.shape[1], x.shape[1]) == (source.shape[1], target.shape[1]) else ""
        raise ValueError(
            f"pairs must have the dimensions of the clouds, {source.shape[1]} and {target.shape[1]}; "
            f"they are {x.shape} and {y.shape}{turned}"
        )
    if len(x) < 2:
        raise ValueError(f"pairs must have at least two rows; they have {len(x)}")
    inputs.check_finite(**{"pairs[0]": x, "pairs[1]": y})
    return once(x.astype(source.dtype), y.astype(target.dtype))  # a copy of one that is left out would foretell it
