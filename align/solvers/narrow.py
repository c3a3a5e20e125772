"""Two clouds of few dimensions: candidates from distances and third moments, refined, scored, and doubted."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from align.arrays.copies import once
from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg.components import nearest_orthogonal
from align.linalg.decompositions import polar
from align.linalg.kmeans import kmeans
from align.linalg.neighbours import discrepancy
from align.linalg.third_moments import climb, third_moments
from align.linalg.transport import by_profiles, gromov_wasserstein
from align.maps import AffineMap
from align.solvers.labels import class_gaussians
from align.solvers.polish import polish, rigid_steps
from align.solvers.ridge import ridge
from align.solvers.rivals import mirrored, turned
from align.solvers.verdict import FEWEST_ROWS, PAIRS_THAT_JUDGE, UnpairedFit, cosine, doubts, unjudged

# Half way between distances and whitened distances, where clusters and fine steps count all directions.
_WHITENING = 0.5
# Rows that are clustered; third moments compared, and from how many starts.
_CLUSTERED, _COMPONENTS, _STARTS = 10_000, 32, 16
# Rows of either side that a candidate's score is of, and images that are compared; random turns, and halves of the
# target, whose scores say what chance attains and how scores scatter.
_SCORED, _IMAGES, _TURNS, _HALVES = 1000, 500, 8, 16
# Candidates agree where they differ by less than this share of the variance; unrelated rotations differ by 2.
_AGREE = 0.25
_LEAST_AGREEMENT = 1 - _AGREE / 2
# A map of d x d numbers is told by d axes of either cloud; with fewer rows for each, axes are those of the draw.
_ROWS_A_DIMENSION = 4
# Rows that differ by less than this share of their mean are constant.
_ROUNDING = 1e-5
# How far centroids are whitened before they are compared, and in how many leading components, None for all.
FORMS = ((0.0, None), (0.5, None), (0.0, 10), (1.0, None))


class Settings(NamedTuple):
    """How much is tried; the fields are arguments of `unpaired`."""

    forms: tuple[tuple[float, int | None], ...]
    restarts: int
    finalists: int
    clusters: int
    sample: int
    subset: int
    contrast: float


def between_narrow(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    pairs: tuple[jax.Array, jax.Array] | None,
    labels: tuple[Any, Any] | None,
    settings: Settings,
) -> tuple[AffineMap, jax.Array | None, UnpairedFit, dict[str, Any]]:
    """Return a map, whether it rests, the evidence (an `UnpairedFit`, not judged yet), and what `judged` asks of it.

    1. Candidates: in each of the `restarts`, k-means centroids of `sample` rows on either side; for each of the `forms`
       (whitening, leading components or None for all), their principal coordinates in that form, coupled by distance
       profiles and then by Gromov-Wasserstein; the orthogonal map closest to the coupling. Third moments laid over
       each other, from random starts, give one more, and pairs or labels theirs.
    2. Each is refined by mutual-neighbour ICP on half of `subset` rows, in distances that the leading components
       dominate, and scored by its `discrepancy`: no knowledge needed, and none to be gained by shrinking.
    3. The best `finalists` go on with `subset` rows in an iteration, half whitened, and are scored again.
    4. `polish` improves the best of them.
    5. Turns and mirror images go the same way, mirrors of independent components the last steps of it. Where one of
       them fits as well and is another map, no data can choose.
    """
    candidate_key, refine_key, score_key, polish_key, other_key = jax.random.split(key, 5)
    forms, restarts, finalists, clusters, sample, subset, contrast = settings
    keys = jax.random.split(candidate_key, restarts)
    maps = _candidates(keys, source, target, forms, clusters, min(sample, _CLUSTERED))
    more = _informed(other_key, source, target, pairs, labels)
    maps = jax.tree.map(lambda *a: jnp.concatenate(a), maps, *more)
    sides, unrelated, spread = _scale(score_key, *(once(array)[0] for array in (source, target)))
    steps = ((0.0, 6, -(-subset // 2)), (_WHITENING, 4, subset))
    for fold, (whitening, iterations, rows) in enumerate(steps):
        icp_key = jax.random.fold_in(refine_key, fold)
        maps = _refined(icp_key, source, target, maps, whitening, iterations, rows)
        final, images = _scored(maps, *sides)
        if fold == 0:
            scores, best = final, jnp.argsort(final)[:finalists]
            maps = jax.tree.map(lambda x, best=best: x[best], maps)

    start, least, image, agreement = _best(maps, final, images)
    others = turned(other_key, source, target, start, whitening=_WHITENING)
    *rival_keys, mirror_key = jax.random.split(jax.random.fold_in(refine_key, len(steps)), 4)
    for k, (whitening, iterations, rows) in zip(rival_keys, (steps[0], *steps), strict=True):  # a long way for some
        others = _refined(k, source, target, others, whitening, iterations, rows)
    others = jax.tree.map(lambda *a: jnp.concatenate(a), others, maps)
    mirrors = mirrored(other_key, source, target, start, whitening=_WHITENING)
    mirrors = _refined(mirror_key, source, target, mirrors, *steps[1])
    rivals = [_scored(m, *sides) for m in (others, mirrors)]
    ratio, alternatives, resolved = doubts(least, image, unrelated, spread, *rivals)

    # The start is close: few steps, and none in distances in which it was found.
    known = {} if labels is None else {"source_labels": labels[0], "target_labels": labels[1]}
    fitted = polish(
        polish_key, source, target, start, whitenings=(_WHITENING, 1.0), iterations=6, subset=subset, **known
    )
    evidence = unjudged(
        scores=scores, final=final, unrelated=unrelated, contrast=ratio, agreement=agreement, alternatives=alternatives
    )
    criteria = {
        "resolved": resolved & _spreads(source) & _spreads(target),
        "fewest": max(FEWEST_ROWS, _ROWS_A_DIMENSION * min(source.shape[1], target.shape[1])),
        "most_contrast": contrast,
        "least_agreement": _LEAST_AGREEMENT,
        "enough_pairs": max(PAIRS_THAT_JUDGE, min(source.shape[1], target.shape[1])),
    }
    return fitted, fitted.converged, evidence, criteria


@jax.jit
def _best(maps, scores, images):
    """Return the map of least score, its score, its images, and the greatest cosine between these and another's."""
    best = jnp.argmin(scores)
    agreement = jnp.where(jnp.arange(len(scores)) == best, -1, cosine(images, images[best])).max()
    return jax.tree.map(lambda x: x[best], maps), scores[best], images[best], agreement


@jax.jit
def _spreads(array):
    """Say whether the rows `[n, d]` differ by more than the rounding of their mean."""
    mean = array.mean(0)
    return jnp.sqrt(((array - mean) ** 2).sum(1).mean()) > _ROUNDING * jnp.linalg.norm(mean)


def _informed(key, source, target, pairs, labels):
    """Return maps that third moments, pairs and labels suggest, `[1, d_source, d_target]` each."""
    maps = []
    if min(len(source), len(target)) >= FEWEST_ROWS:
        maps.append(_by_third_moments(key, source, target))
    if pairs is not None and len(pairs[0]) > 1:
        maps.append(ridge(*pairs))
    if labels is not None:
        maps.append(class_gaussians(key, source, labels[0], target, labels[1]))
    return [jax.tree.map(lambda a: a[None], AffineMap(m.weight, m.bias)) for m in maps]


@jax.jit
def _by_third_moments(key, source, target):
    """Return the map that lays the third moments of whitened clouds over each other best, from random starts."""
    a, b = coordinates.principal_of_both(source, target, whitening=1.0)
    count = min(source.shape[1], target.shape[1], _COMPONENTS)
    start_key, climb_key = jax.random.split(key)
    drawn = [_drawn(jax.random.fold_in(key, i), array) for i, array in enumerate((source, target))]
    white = [side.spread * side(rows)[:, :count] for side, rows in zip((a, b), drawn, strict=True)]
    starts = nearest_orthogonal(jax.random.normal(start_key, (_STARTS, count, count), source.dtype))
    weights, values = climb(
        climb_key, *map(third_moments, white), starts, jnp.zeros_like(starts[0]), temperature=0.5, iterations=400
    )
    width = a.down.shape[1]
    weight = jnp.zeros((width, width), source.dtype).at[:count, :count].set(weights[jnp.argmax(values)])
    return coordinates.conjugate(a, weight, b)


def _drawn(key, array):
    """Return up to so many rows as are clustered, at random: they come in some order."""
    return array[jax.random.permutation(key, len(array))[:_CLUSTERED]]


@functools.partial(jax.jit, static_argnames=("forms", "clusters", "sample"))
def _candidates(keys, source, target, forms, clusters, sample):
    """Return a map for each form and key, `[forms * keys, d_source, d_target]`."""
    sides = coordinates.principal_of_both(source, target, whitening=_WHITENING)
    found = [
        jax.vmap(functools.partial(_clustered, points=side(array), clusters=clusters, sample=sample))(k)
        for side, array, k in zip(sides, (source, target), jax.vmap(jax.random.split, out_axes=1)(keys), strict=True)
    ]
    # The mean of a cluster is the same in all coordinates, so that the forms can share the clusters.
    centroids = [matmul(f.centroids, side.up) + side.mean for side, f in zip(sides, found, strict=True)]
    masses = [jnp.maximum(f.sizes, 1e-3) for f in found]  # an empty cluster must not divide by zero
    masses = [m / m.sum(1, keepdims=True) for m in masses]

    def of_form(form):
        whitening, components = form
        a, b = coordinates.principal_of_both(source, target, whitening=whitening)
        # What has no spread on one side says nothing of the other.
        kept = (a.down != 0).any(0) & (b.down != 0).any(0)
        kept &= jnp.arange(len(kept)) < components
        weight = jax.vmap(_coupled)(*(s(c) * kept for s, c in zip((a, b), centroids, strict=True)), *masses)
        return jax.vmap(lambda w: coordinates.conjugate(a, w * kept * kept[:, None], b))(weight)

    width = max(source.shape[1], target.shape[1])
    whitenings, components = zip(*forms, strict=True)
    counts = jnp.array([width if count is None else count for count in components])
    found = lax.map(of_form, (jnp.array(whitenings, source.dtype), counts))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)


def _clustered(key, points, clusters, sample):
    draw_key, cluster_key = jax.random.split(key)
    rows = jax.random.permutation(draw_key, points.shape[0])[:sample]
    return kmeans(cluster_key, points[rows], min(clusters, len(rows)), iterations=10)


def _coupled(source, target, rows, columns):
    """Return the orthogonal weight between coordinates `[n, k]` and `[m, k]` of weighted points."""
    distances = []
    for points, mass in ((source, rows), (target, columns)):
        apart = jnp.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
        squares = matmul(matmul(mass, apart**2), mass)
        distances.append(apart / jnp.sqrt(jnp.where(squares > 0, squares, 1)))
    start = by_profiles(*distances, rows, columns)
    coupling, _ = gromov_wasserstein(*distances, rows, columns, start)
    return polar(matmul(matmul(source.T, coupling), target))[0]


def _refined(key, source, target, maps, whitening, iterations, subset):
    """Refine maps `[count, d_source, d_target]` by ICP with rigid steps between principal coordinates.

    What is no number in a map, as where too few pairs determine none, counts as zero.
    """
    maps = jax.tree.map(lambda x: jnp.where(jnp.isfinite(x), x, 0), maps)

    def improve(one):
        return rigid_steps(one[0], source, target, one[1], whitening, iterations, subset)

    return _each(improve, (jax.random.split(key, len(maps.weight)), maps))


def _each(function, tree):
    """Return what a function of one makes of each, `[count, ...]`, one after the other.

    A batch is no faster where rows fill the machine, and would be compiled for every count; so would taking it apart.
    """
    leaves, structure = jax.tree.flatten(tree)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return lax.map(function, tree)
    apart = (x if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else np.asarray(x) for x in leaves)
    found = [function(structure.unflatten(one)) for one in zip(*apart, strict=True)]
    return jax.tree.map(lambda *x: jnp.asarray(np.stack(x)), *found)


def _scale(key, source, target):
    """Return the rows that scores are of, scores of random rotations, which know nothing, and how scores scatter.

    The scatter is that of the target against itself, half of the rows against the other half.
    """
    sides, turns, scatter = _unrelated(key, source, target)
    return sides, _scored(turns, *sides)[0], scatter


@jax.jit
def _unrelated(key, source, target):
    """Return the rows that scores are of, random rotations, and the scatter of scores; see `_scale`."""
    turn_key, half_key, *draw_keys = jax.random.split(key, 4)
    sides = [z[jax.random.permutation(k, len(z))[:_SCORED]] for k, z in zip(draw_keys, (source, target), strict=True)]
    a, b = coordinates.principal_of_both(source, target, whitening=_WHITENING)
    turns = jax.random.normal(turn_key, (_TURNS, a.down.shape[1], b.down.shape[1]), source.dtype)
    turns = lax.map(lambda m: coordinates.conjugate(a, polar(m)[0], b), turns)

    if len(sides[1]) < 2:  # all rows are one
        return sides, turns, jnp.zeros((), source.dtype)

    def halves(k):
        y = sides[1][jax.random.permutation(k, len(sides[1]))]
        return discrepancy(y[: len(y) // 2], y[len(y) // 2 :])

    return sides, turns, jnp.std(lax.map(halves, jax.random.split(half_key, _HALVES)))


def _scored(maps, source, target):
    """Return the discrepancy of maps, inf where it is no number, and where they send some rows."""
    return _each(lambda one: _score(one, source, target), maps)


@jax.jit
def _score(fitted, source, target):
    mapped = fitted(source)
    score = discrepancy(mapped, target)
    return jnp.where(jnp.isfinite(score), score, jnp.inf), mapped[:_IMAGES]
