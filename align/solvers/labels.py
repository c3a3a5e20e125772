"""Alignment from class labels alone: no pair of samples, source and target codes may come from different images."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.clouds import classes, coordinates, far_out
from align.linalg import threads
from align.linalg.decompositions import polar
from align.linalg.kmeans import kmeans
from align.maps import AffineMap, diagnosis
from align.solvers.icp import STEPS, check_start, check_step, icp, read_schedule
from align.solvers.polish import polish

# Numbers that are held at a time where classes, or restarts, are many.
_HELD = 2**26


def class_means(
    source: ArrayLike,
    source_labels: ArrayLike,
    target: ArrayLike,
    target_labels: ArrayLike,
    *,
    step: str | Callable[..., AffineMap] = "rigid",
) -> AffineMap:
    """Fit a step to the means of the classes that both sides have.

    source: `[n, d_source]`.
    source_labels: the labels `[n]` of its rows, concrete integers.
    target: `[m, d_target]`.
    target_labels: the labels `[m]` of its rows; a class that one side lacks is left out.
    step: "rigid", "linear", "affine" or a callable `(source, target)`. With fewer classes than dimensions the linear
        one is the map of minimum norm, and the rigid one is arbitrary outside the span of the means.

    Section 4.2.3 and Table 4 of the paper. ValueError for input that does not fit.
    """
    source, target = inputs.as_clouds(source=source, target=target)
    check_step(step)
    *positions, count = classes.share(source, source_labels, target, target_labels)
    means = [classes.average(a, p, count) for a, p in zip((source, target), positions, strict=True)]
    return (step if callable(step) else STEPS[step])(*means)


def class_gaussians(
    key: jax.Array,
    source: ArrayLike,
    source_labels: ArrayLike,
    target: ArrayLike,
    target_labels: ArrayLike,
    *,
    whitening: float = 1.0,
    restarts: int = 16,
    iterations: int = 100,
) -> AffineMap:
    """Fit the map that takes class means to class means and class covariances to class covariances.

    key: of the starts. source, target, their labels, and errors as for `class_means`.
    whitening: between principal coordinates of mean squared norm 1 the map is orthogonal; 1 makes it keep the spread of
        the whole (any linear map with the covariance of the target), 0 distances up to one scale, what lies between is
        a compromise.
    restarts: random starts, of which the result of least cost is kept; the first rely on the class means, the last do
        not. `details` of the map holds the costs `[restarts]`.
    iterations: of each start, all of which are taken: `converged` says that the result is finite.

    Every class has a covariance matrix on either side in memory.
    """
    checks.check_key(key)
    checks.check_between(0, 1, whitening=whitening)
    checks.check_counts(restarts=restarts, iterations=iterations)
    source, target = inputs.as_clouds(source=source, target=target)
    *positions, count = classes.share(source, source_labels, target, target_labels)
    weights = [classes.balance(p, count).astype(source.dtype) for p in positions]
    a, b = coordinates.principal_of_both(source, target, weights, whitening=whitening)
    groups = [classes.sort_rows(p, count) for p in positions]
    points = [a(source), b(target)]
    means = [classes.average(a, p, count) for a, p in zip(points, positions, strict=True)]
    weight, costs = _match_gaussians(key, points, groups, means, restarts, iterations)
    fitted = coordinates.conjugate(a, weight, b)
    return diagnosis.check_fitted(
        dataclasses.replace(
            fitted,
            iterations=jnp.asarray(iterations, jnp.int32),
            converged=jnp.isfinite(fitted.weight).all(),
            details=costs,
        ),
        source=source,
        target=target,
    )


@functools.partial(jax.jit, static_argnames=("restarts", "iterations"))
def _match_gaussians(key, points, groups, means, restarts, iterations):
    # Over orthogonal R, Σ |μR − ν|² + |R'SR − T|² is least where Σ ν'μR + tr(R'SRT) is greatest, a convex function as S
    # and T are semi-definite: its tangent lies below it, and its maximum over R, a polar factor, never loses.
    (mu, nu), (s, t) = means, [_covariances(*one) for one in zip(points, groups, means, strict=True)]

    def improve(_, r):
        return polar(matmul(mu.T, nu) + 2 * matmul(matmul(s, r), t).sum(0))[0]

    def run(r):
        r = lax.fori_loop(0, iterations, improve, r)
        return r, ((matmul(mu, r) - nu) ** 2).sum() + ((matmul(matmul(r.T, s), r) - t) ** 2).sum()

    # The means say where their span goes, and chance the rest; the later a start, the less it heeds the means.
    cross = matmul(mu.T, nu)
    noise = jax.random.normal(key, (restarts, *cross.shape), mu.dtype) * jnp.linalg.norm(cross) / len(cross)
    starts = cross[None] + noise * jnp.geomspace(1e-3, 10, restarts, dtype=mu.dtype)[:, None, None]
    weights, costs = _by_parts(lambda m: run(polar(m)[0]), starts, s.size)
    return weights[jnp.argmin(jnp.where(jnp.isnan(costs), jnp.inf, costs))], costs


def _covariances(points, group, means):
    def of_class(one):
        rows, size, mean = one
        inside = jnp.arange(len(rows)) < size
        centred = jnp.where(inside[:, None], points[rows] - mean[None], 0)
        return matmul(centred.T, centred) / size.astype(centred.dtype)

    rows, sizes = map(jnp.asarray, group)
    return _by_parts(of_class, (rows, sizes, means), rows.shape[1] * points.shape[1])


def _by_parts(function, arrays, size):
    """Map a function over the leading axis: all at once, or as many as fit where each holds `size` numbers."""
    count, together = len(jax.tree.leaves(arrays)[0]), max(1, _HELD // size)
    return jax.vmap(function)(arrays) if count <= together else lax.map(function, arrays, batch_size=together)


def subclass_means(
    key: jax.Array,
    source: ArrayLike,
    source_labels: ArrayLike,
    target: ArrayLike,
    target_labels: ArrayLike,
    *,
    clusters: int = 20,
    sample: int = 2000,
    start: AffineMap | None = None,
    step: str | Callable[..., AffineMap] = "rigid",
    iterations: int = 10,
) -> AffineMap:
    """Fit a step to centroids within the classes: more anchors than there are classes.

    In every class and on either side, the centroids of k-means; `icp` on mutual nearest neighbours within the class
    finds out which belong together.

    key: of the samples, the centroids and the start. source, target, their labels, and errors as for `class_means`.
    clusters: how many centroids of a class.
    sample: rows that they are the centroids of, drawn from the class.
    start: the first map, that of `class_gaussians` without it.
    step, iterations: of `icp`.
    """
    source, target = inputs.as_clouds(source=source, target=target)
    checks.check_key(key)
    checks.check_counts(clusters=clusters, sample=sample)
    read_schedule(step, iterations)  # before any work
    if start is not None:
        check_start(start)
    start_key, icp_key, *cluster_keys = jax.random.split(key, 4)
    if start is None:
        start = class_gaussians(start_key, source, source_labels, target, target_labels)
    *positions, count = classes.share(source, source_labels, target, target_labels)
    centroids = []
    for k, array, position in zip(cluster_keys, (source, target), positions, strict=True):
        draw_key, cluster_key = jax.random.split(k)
        rows, sizes = classes.sort_rows(position, count)
        # Drawn with replacement, so that a class of any size gives as many.
        drawn = jax.random.randint(draw_key, (count, sample), 0, sizes[:, None])
        points = array[jnp.take_along_axis(jnp.asarray(rows), drawn, axis=1)]
        cluster = functools.partial(kmeans, count=min(clusters, sample))
        centroids.append(jax.vmap(cluster)(jax.random.split(cluster_key, count), points).centroids)
    owners = [np.repeat(np.arange(count), c.shape[1]) for c in centroids]
    flat = [c.reshape(-1, c.shape[-1]) for c in centroids]
    return icp(
        icp_key, *flat, source_labels=owners[0], target_labels=owners[1], start=start, step=step, matching="mutual",
        iterations=iterations,
    )  # fmt: skip


def labels(
    key: jax.Array,
    source: ArrayLike,
    source_labels: ArrayLike,
    target: ArrayLike,
    target_labels: ArrayLike,
    *,
    whitenings: Sequence[float] = (0.0, 0.5, 1.0),
    restarts: int = 16,
    iterations: int = 10,
    subset: int = 1500,
    tolerance: float = 0.5,
) -> AffineMap:
    """Fit a map from class labels alone: match the classes' Gaussians, then their samples, hard and soft.

    The start is that of `class_gaussians`; `align.solvers.polish` improves on it, class by class, or keeps it, and its
    record, `Polished`, is the `details` of the map. `converged` is False where nearest rows are no matches to learn
    from, and the map is the start, which may then be far off. A few rows that are far out are left out, as by
    `unpaired`.

    key: of the starts and of the subsets.
    source: `[n, d_source]`.
    source_labels: the labels `[n]` of its rows, concrete integers.
    target: `[m, d_target]`.
    target_labels: the labels `[m]` of its rows; a class that one side lacks is left out.
    whitenings: of the principal coordinates in which the matches are refined, one after the other.
    restarts: of `class_gaussians`.
    iterations: of each refinement.
    subset: rows of each class and side in an iteration.
    tolerance: by what share of the least discrepancy the finish may be above it and be taken; see `polish`.

    ValueError for input that does not fit, and for more than a hundred classes of less than two rows each.
    """
    checks.check_key(key)
    checks.check_counts(restarts=restarts, iterations=iterations, subset=subset)
    checks.check_between(0, math.inf, tolerance=tolerance)
    if not isinstance(whitenings, list | tuple):
        raise ValueError(f"whitenings must be a sequence of numbers from 0 to 1; it is {whitenings!r}")
    for whitening in whitenings:
        checks.check_between(0, 1, whitenings=whitening)
    source, target = inputs.as_clouds(source=source, target=target)
    *positions, count = classes.share(source, source_labels, target, target_labels)
    for name, position in zip(("source", "target"), positions, strict=True):
        classes.check_several(position, count, name)
    start_key, polish_key = jax.random.split(key)
    with threads.for_rows(source, target):
        (source, source_labels), (target, target_labels) = (
            far_out.without(*side) for side in ((source, source_labels), (target, target_labels))
        )
        start = class_gaussians(start_key, source, source_labels, target, target_labels, restarts=restarts)
        polished = polish(
            polish_key, source, target, start, source_labels=source_labels, target_labels=target_labels,
            whitenings=whitenings, iterations=iterations, subset=subset, tolerance=tolerance,
        )  # fmt: skip
        jax.block_until_ready(polished)
    return diagnosis.check_fitted(polished, source=source, target=target)
