"""Alignment with nothing known: two clouds, no pairs, no labels, and a verdict on whether it worked."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg.decompositions import polar
from align.linalg.kmeans import kmeans
from align.linalg.neighbours import discrepancy
from align.linalg.transport import by_profiles, gromov_wasserstein
from align.maps import AffineMap, diagnosis
from align.solvers.icp import icp
from align.solvers.polish import Polished, polish
from align.solvers.rigid import orthogonal

# Half way between distances and whitened distances, where clusters and fine steps count all directions.
_WHITENING = 0.5
# Rows of either side that a candidate's score is of.
_SCORED = 1000
# Candidates agree where they differ by less than this share of the variance; unrelated rotations differ by 2.
_AGREE = 0.25
# Differences of scores below this are those of samples of one distribution.
_RESOLVED = 0.05


class UnpairedFit(NamedTuple):
    """What was tried, and what speaks for the result.

    losses: `[candidates]` of Gromov–Wasserstein. scores: `[candidates]`, their `discrepancy` after coarse steps.
    final: `[finalists]`, that of the best of them after fine steps. unrelated: `[8]`, that of random rotations.
    contrast: the least of `final` over the median of `unrelated`, or 1 where they cannot be told apart: the clouds look
    the same however they are turned, or never alike. agreement: how many finalists lead to the same map, the chosen one
    included. polished: what became of it, a `Polished`.
    """

    losses: jax.Array
    scores: jax.Array
    final: jax.Array
    unrelated: jax.Array
    contrast: jax.Array
    agreement: jax.Array
    polished: Polished


def unpaired(
    key: jax.Array,
    source: ArrayLike,
    target: ArrayLike,
    *,
    forms: Sequence[tuple[float, int | None]] = ((0.0, None), (0.5, None), (0.0, 10), (1.0, None)),
    restarts: int = 2,
    finalists: int = 3,
    clusters: int = 200,
    sample: int = 10_000,
    subset: int = 5000,
    contrast: float = 0.5,
    agreement: int = 2,
) -> AffineMap:
    """Fit a map between two clouds of which nothing is known, and say whether to trust it.

    source `[n, d_source]`, target `[m, d_target]`: no row corresponds to another, and no label is known.

    1. Candidates: in each of the `restarts`, k-means centroids of `sample` rows on either side; for each of the `forms`
       (whitening, leading components or None for all), their principal coordinates in that form, coupled by distance
       profiles and then by Gromov–Wasserstein; the orthogonal map closest to the coupling.
    2. Each is refined by mutual-neighbour ICP on half of `subset` rows, in distances that the leading components
       dominate, and scored by its `discrepancy`: no knowledge needed, and none to be gained by shrinking.
    3. The best `finalists` go on with `subset` rows in an iteration, half whitened, and are scored again.
    4. `polish` improves the best of them.

    `converged` is True where the result can be trusted: at least `agreement` finalists lead to it, and its score is
    below `contrast` times that of random rotations. Neither holds of unrelated clouds, nor of Gaussian noise. A map
    that is not trusted is returned all the same; `details`, an `UnpairedFit`, says why.

    The paper calls this not achieved (section 4.2.3). ValueError for input that does not fit.
    """
    source, target = inputs.clouds(source, target)
    checks.check_counts(restarts=restarts, finalists=finalists, clusters=clusters, sample=sample, subset=subset)
    if not forms:
        raise ValueError("forms must name at least one (whitening, components); it is empty")
    candidate_key, refine_key, score_key, polish_key = jax.random.split(key, 4)
    keys = jax.random.split(candidate_key, restarts)
    maps, losses = _candidates(keys, source, target, tuple(map(tuple, forms)), clusters, sample)
    sides, unrelated = _scale(score_key, source, target)
    for fold, (whitening, iterations, rows) in enumerate(((0.0, 6, -(-subset // 2)), (_WHITENING, 3, subset))):
        icp_key = jax.random.fold_in(refine_key, fold)
        maps = _refined(icp_key, source, target, maps, whitening, iterations, rows)
        final, probes = _scored(maps, *sides)
        if fold == 0:
            scores, best = final, jnp.argsort(final)[:finalists]
            maps = jax.tree.map(lambda x, best=best: x[best], maps)

    best = jnp.argmin(final)
    at_best = probes[best]
    difference = ((probes - at_best) ** 2).sum((1, 2)) / ((at_best - at_best.mean(0)) ** 2).sum()
    agreeing = (difference < _AGREE).sum()
    chance = jnp.median(unrelated)
    ratio = 1 - (chance - final[best]) / jnp.maximum(chance, _RESOLVED)
    start = jax.tree.map(lambda x: x[best], maps)
    # The start is close: few steps, and none in distances in which it was found.
    fitted = polish(polish_key, source, target, start, whitenings=(_WHITENING, 1.0), iterations=6, subset=subset)
    trusted = (ratio < contrast) & (agreeing >= agreement) & fitted.converged
    details = UnpairedFit(losses, scores, final, unrelated, ratio, agreeing, fitted.details)
    return diagnosis.check_fitted(
        dataclasses.replace(fitted, converged=trusted, details=details), source=source, target=target
    )


@functools.partial(jax.jit, static_argnames=("forms", "clusters", "sample"))
def _candidates(keys, source, target, forms, clusters, sample):
    """Return a map for each form and key, `[forms * keys, d_source, d_target]`, and their losses."""
    sides = coordinates.principal_of_both(source, target, whitening=_WHITENING)
    found = [
        jax.vmap(functools.partial(_clustered, points=side(array), clusters=clusters, sample=sample))(k)
        for side, array, k in zip(sides, (source, target), jax.vmap(jax.random.split, out_axes=1)(keys), strict=True)
    ]
    # The mean of a cluster is the same in all coordinates, so that the forms can share the clusters.
    centroids = [matmul(f.centroids, side.up) + side.mean for side, f in zip(sides, found, strict=True)]
    masses = [jnp.maximum(f.sizes, 1e-3) for f in found]  # an empty cluster must not divide by zero
    masses = [m / m.sum(1, keepdims=True) for m in masses]

    maps = []
    for whitening, components in forms:
        a, b = coordinates.principal_of_both(source, target, whitening=whitening)
        # What has no spread on one side says nothing of the other.
        kept = (a.down != 0).any(0) & (b.down != 0).any(0)
        kept &= jnp.arange(len(kept)) < (components or len(kept))
        weight, loss = jax.vmap(_coupled)(*(s(c) * kept for s, c in zip((a, b), centroids, strict=True)), *masses)
        weight = weight * kept * kept[:, None]
        maps.append((jax.vmap(lambda w, a=a, b=b: coordinates.conjugate(a, w, b))(weight), loss))
    return jax.tree.map(lambda *x: jnp.concatenate(x), *maps)


def _clustered(key, points, clusters, sample):
    draw_key, cluster_key = jax.random.split(key)
    rows = jax.random.permutation(draw_key, points.shape[0])[:sample]
    return kmeans(cluster_key, points[rows], min(clusters, len(rows)), iterations=10)


def _coupled(source, target, rows, columns):
    """Return the orthogonal weight between coordinates `[n, k]` and `[m, k]` of weighted points, and its loss."""
    distances = []
    for points, mass in ((source, rows), (target, columns)):
        apart = jnp.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
        distances.append(apart / jnp.sqrt(matmul(matmul(mass, apart**2), mass)))
    start = by_profiles(*distances, rows, columns)
    coupling, loss = gromov_wasserstein(*distances, rows, columns, start)
    return polar(matmul(matmul(source.T, coupling), target))[0], loss


@functools.partial(jax.jit, static_argnames=("whitening", "iterations", "subset"))
def _refined(key, source, target, maps, whitening, iterations, subset):
    """Refine maps `[count, d_source, d_target]` by ICP with rigid steps between principal coordinates."""
    a, b = coordinates.principal_of_both(source, target, whitening=whitening)
    x, y = a(source), b(target)

    def improve(k, fitted):
        start = coordinates.express(a, fitted, b)
        moved = icp(k, x, y, start=start, step=orthogonal, matching="mutual", iterations=iterations, subset=subset)
        return coordinates.conjugate(a, moved.weight, b)

    return jax.vmap(improve)(jax.random.split(key, maps.weight.shape[0]), maps)


@jax.jit
def _scale(key, source, target):
    """Return the rows of either side that scores are of, and the scores of random rotations, which know nothing."""
    turn_key, *draw_keys = jax.random.split(key, 3)
    sides = [z[jax.random.permutation(k, len(z))[:_SCORED]] for k, z in zip(draw_keys, (source, target), strict=True)]
    a, b = coordinates.principal_of_both(source, target, whitening=_WHITENING)
    turns = jax.random.normal(turn_key, (8, a.down.shape[1], b.down.shape[1]), source.dtype)
    turns = jax.vmap(lambda m: coordinates.conjugate(a, polar(m)[0], b))(turns)
    return sides, _scored(turns, *sides)[0]


@jax.jit
def _scored(maps, source, target):
    """Return the discrepancy of maps, inf where it is no number, and where they send some rows."""
    mapped = maps(source)
    scores = jax.vmap(lambda m: discrepancy(m, target))(mapped)
    return jnp.where(jnp.isfinite(scores), scores, jnp.inf), mapped[:, :500]
