"""Between two clouds of many dimensions, of which nothing or little is known: a rough map, and then a good one.

Coarse. What second moments say is used up by whitening; third moments say the rest (`linalg.third_moments`). Starts
come from independent components, matched by the moments that they have between them; heat below the melting point of
the right map makes the better ones grow; the value of the third moments tells which is best.

Fine. Every row is sent to the mean of the rows that it resembles under the map, near ones more than far, every row of
the target as much in demand as any other (entropic transport; that is also what corrects for hubs). The orthogonal map
closest to these pairs is the next. What a row is sent to is mostly another's, so that the noise of a cross-moment is as
great as the product of the two directions' spreads: closest is meant where it is divided by these, and directions of
little variance are told as well as others. First few coordinates, then all, until it rests.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.assignment import assigned, traits
from align.linalg.components import CONTRASTS, independent, nearest_orthogonal
from align.linalg.decompositions import polar
from align.linalg.third_moments import climb, third_moments

_tiny = jnp.finfo(jnp.float32).tiny
# Components: enough for this share of the variance, within these bounds; rows that they are found from.
_SHARE, _FEWEST, _MOST, _ROWS_COMPONENTS = 0.55, 16, 64, 4000
# Heat: starts, steps, temperature, chosen on sentence encoders. Briefly where several candidates are grown afterwards.
Growth = tuple[tuple[int, int, float], ...]
AT_LENGTH: Growth = ((12, 200, 0.15), (3, 500, 0.2))
BRIEFLY: Growth = ((12, 80, 0.15), (3, 200, 0.2))


class Stage(NamedTuple):
    """Steps of a refinement: coordinates compared (None for all), the most steps, and rows of either side in each.

    softness: in units of a cosine, or None for `usual` times what the number of rows asks for. resting: the cosine
    between one step's images and the next's at which no more are taken.
    """

    width: int | None
    steps: int
    rows: int
    softness: float | None = None
    usual: float = 1.0
    resting: float = 0.9995


# Hard before soft: what is half right rests at once where matches are soft, and hard ones shake it.
STAGES = (
    Stage(64, 40, 3000, softness=0.1),
    Stage(128, 20, 4000),
    Stage(None, 12, 6000, usual=0.5),
    Stage(None, 12, 12_000),
)
# Where halves of the rows are enough for a search, what it finds is mostly right: more hard steps follow single rows.
BRISK = (STAGES[1], STAGES[2]._replace(steps=4), STAGES[3]._replace(resting=0.999))
# Softness by the number of rows: so much over them, within bounds. What few rows have as neighbours is far from what
# corresponds, and the mean over many of them says more.
_SOFTNESS, _SOFTEST, _HARDEST = 400, 0.27, 0.03
# Directions with less than this share of the mean variance say nothing by themselves.
_SILENT = 0.1
# Each step goes further by this share of the last one's change.
_MOMENTUM, _BALANCING = 0.5, 4


class Directions(NamedTuple):
    """Directions of a cloud: rows less `mean` `[d]`, at unit length, less `shift` `[d]`, in the axes `basis` `[d, d]`.

    variances `[d]`: along the axes, descending. scale: root mean square norm of the rows about their mean, the longest
    hundredth left out: one row that is far out would make it its own.
    """

    mean: jax.Array
    shift: jax.Array
    basis: jax.Array
    variances: jax.Array
    scale: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x - self.mean
        return matmul(x / jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), _tiny) - self.shift, self.basis)


@jax.jit
def directions(array: jax.Array) -> Directions:
    """Return the directions of array `[n, d]`; axes point to the side of positive skewness, however it is turned."""
    mean = array.mean(0)
    centred = array - mean
    norm = jnp.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / jnp.maximum(norm, _tiny)
    shift = unit.mean(0)
    unit = unit - shift
    variances, basis = lapack.eigh(matmul(unit.T, unit) / len(array))
    variances, basis = jnp.maximum(variances[::-1], 0), basis[:, ::-1]
    skewness = (matmul(unit, basis) ** 3).mean(0)
    usual = jnp.sort(norm[:, 0])[: -(-99 * len(norm) // 100)]
    return Directions(mean, shift, basis * jnp.where(skewness < 0, -1, 1), variances, jnp.sqrt((usual**2).mean()))


def number_of_components(*sides: Directions) -> int:
    """Choose how many components to compare: enough for half of the variance on the side that needs more of them."""

    def needed(side):
        share = jnp.cumsum(side.variances) / side.variances.sum()
        return int((share < _SHARE).sum()) + 1

    dimensions = [len(side.variances) for side in sides]
    if any(isinstance(side.variances, jax.core.Tracer) for side in sides):  # a shape cannot depend on what is traced
        return min(_MOST, *dimensions)
    return int(min(max(max(map(needed, sides)), _FEWEST), _MOST, *dimensions))


def effective_rank(side: Directions) -> jax.Array:
    """Return how many directions of even variance have the entropy of these (Roy and Vetterli 2007)."""
    share = side.variances / jnp.maximum(side.variances.sum(), _tiny)
    return jnp.exp(-(share * jnp.log(jnp.maximum(share, _tiny))).sum())


def whitened(side: Directions, coordinates: jax.Array, count: int) -> jax.Array:
    """Return coordinates `[n, d]` whitened, the leading `count`."""
    return coordinates[:, :count] * _inverse_root(side, count)


def _inverse_root(side, count):
    leading = side.variances[:count]
    kept = leading > 1e-6 * leading[0]
    return jnp.where(kept, lax.rsqrt(jnp.where(kept, leading, 1)), 0)


def coarse(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    pull: jax.Array,
    *,
    restarts: int = 3,
    matches: int = 4,
    growth: Growth = AT_LENGTH,
) -> tuple[jax.Array, jax.Array]:
    """Return orthogonal weights between white rows `[n, k]` and `[m, k]`, the best first, and their values.

    pull `[k, k]`: what is known besides; see `climb`. restarts: of the components; matches: of each, to go on
    with; growth: how they are heated.
    """
    component_key, match_key, heat_key = jax.random.split(key, 3)
    # Programs of their own, which both sides and all contrasts share: as one, they would be compiled for each.
    both, starts = [z[:_ROWS_COMPONENTS] for z in (source, target)], []
    for i, contrast in enumerate(CONTRASTS):
        keys = jax.random.split(jax.random.fold_in(component_key, i), 2 * restarts)
        axes = [independent(k, z, contrast=contrast) for k, z in zip((keys[::2], keys[1::2]), both, strict=True)]
        match_keys = jax.random.split(jax.random.fold_in(match_key, i), restarts)
        starts.append(_between_components(match_keys, *both, *axes, pull, matches=matches))
    moments = [third_moments(z) for z in (source, target)]
    weights = _starts(match_key, starts, pull)
    weights, values = climb(heat_key, *moments, weights, pull, temperature=0.0, iterations=40)
    for i, (count, iterations, temperature) in enumerate(growth):
        weights, _ = _best(weights, values, count=count)
        weights, values = climb(
            jax.random.fold_in(heat_key, i), *moments, weights, pull, temperature=temperature, iterations=iterations
        )
    return _best(weights, values, count=len(values))


@functools.partial(jax.jit, static_argnames="matches")
def _between_components(keys, x, y, x_axes, y_axes, pull, *, matches):
    """Return weights `[restarts * matches, k, k]` between white rows, from how their components match."""
    k = len(pull)
    sides = [lax.map(lambda a, z=z: traits(matmul(z, a.T)), axes) for z, axes in ((x, x_axes), (y, y_axes))]
    known = k * matmul(matmul(x_axes, pull), y_axes.mT)
    couplings = jax.vmap(functools.partial(assigned, starts=matches))(keys, *sides, known)
    return matmul(matmul(x_axes.mT[:, None], couplings), y_axes[:, None]).reshape(-1, k, k)


@jax.jit
def _starts(key, starts, pull):
    """Return all starts `[starts, k, k]`, and the pull by itself as one more, as orthogonal matrices."""
    shaken = pull[None] + jax.random.normal(key, (1, *pull.shape), pull.dtype) * jnp.finfo(pull.dtype).eps
    return nearest_orthogonal(jnp.concatenate([*starts, shaken]))


@functools.partial(jax.jit, static_argnames="count")
def _best(weights, values, *, count):
    """Return the weights of the greatest values, in their order, with these."""
    order = jnp.argsort(-values)[:count]
    return weights[order], values[order]


def unwhitened(weight: jax.Array, sides: Sequence[Directions]) -> jax.Array:
    """Return the orthogonal weight `[d_source, d_target]` between directions closest to one between white rows."""
    k = weight.shape[0]
    scaled = _inverse_root(sides[0], k)[:, None] * weight * jnp.sqrt(sides[1].variances[:k])
    full = jnp.zeros((len(sides[0].variances), len(sides[1].variances)), weight.dtype)
    return full.at[:k, :k].set(polar(scaled)[0])


def staged(
    stages: Sequence[Stage], weight: jax.Array, source: jax.Array, target: jax.Array, anchors: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Refine a weight by stages of `STAGES`, and say whether the last of them came to rest."""
    fewer, taken = min(len(source), len(target)), jnp.int32(0)
    for stage in stages:
        softness = stage.softness or stage.usual * usual_softness(min(stage.rows, fewer))
        limits = {"softness": softness, "resting": stage.resting, "iterations": stage.steps, "rows": stage.rows}
        weight, taken = refined(weight, source, target, anchors, width=stage.width, **limits)
    return weight, taken < stages[-1].steps


def usual_softness(rows: int) -> float:
    """Return the softness of matches between so many rows."""
    return min(max(_SOFTNESS / rows, _HARDEST), _SOFTEST)


@functools.partial(jax.jit, static_argnames=("width", "iterations", "rows"))
def refined(
    weight: jax.Array,
    source: jax.Array,
    target: jax.Array,
    anchors: jax.Array,
    *,
    width: int | None,
    softness: float,
    resting: float,
    iterations: int,
    rows: int,
) -> tuple[jax.Array, jax.Array]:
    """Take transport steps from an orthogonal weight until it rests; source `[n, d]`, target `[m, e]`: directions.

    anchors `[d, e]`: the cross-moments of known pairs, weighted as they count against the rows. Returns the weight and
    the number of steps.
    """
    # Only the leading coordinates take part, on both sides: they are what the two clouds share first.
    full, (d, e) = weight, (min(width or z.shape[1], z.shape[1]) for z in (source, target))
    source, target, anchors = source[:, :d], target[:, :e], anchors[:d, :e]
    weight = semiorthogonal(full[:d, :e])
    spread = matmul(source.T, source)
    even = [evenly(z) for z in (source, target)]

    def step(state):
        weight, before, i, _ = state
        windows = []
        for array in (source, target):
            count = min(rows, len(array))
            windows.append(lax.dynamic_slice_in_dim(array, (i * count) % (len(array) - count + 1), count))
        moved = semiorthogonal(even[0][:, None] * matched(weight, *windows, anchors, softness) * even[1])
        ahead = nearest_orthogonal(moved + _MOMENTUM * (moved - before), iterations=8)
        return ahead, moved, i + 1, _alike(moved, before, spread)

    def going(state):
        return (state[2] < iterations) & (state[3] < resting)

    start = (weight, weight, jnp.int32(0), jnp.zeros((), weight.dtype))
    _, weight, taken, _ = lax.while_loop(going, step, start)
    return jnp.zeros_like(full).at[:d, :e].set(weight), taken


def matched(weight: jax.Array, x: jax.Array, y: jax.Array, anchors: jax.Array, softness: float) -> jax.Array:
    """Return the cross-moment `[d, e]` of balanced soft matches of x `[n, d]`, as a weight maps it, with y `[m, e]`."""
    narrower = len(weight) <= weight.shape[1]
    # Cosines and means in the coordinates of the side that has fewer.
    left, right = (_unit(x), matmul(_unit(y), weight.T)) if narrower else (_unit(matmul(x, weight)), _unit(y))
    alike = matmul(left, right.T)
    # Within the range of the numbers, of cosines and a softness of some hundredths. Maxima of the rows, taken from them
    # first, XLA (jaxlib 0.10) fuses with both products into a far slower program.
    kernel = jnp.exp(alike / softness)

    def balance(_, v):
        u = 1 / matmul(kernel, v)
        return len(x) / len(y) / matmul(u, kernel)

    v = lax.fori_loop(0, _BALANCING, balance, jnp.ones(len(y), x.dtype))
    x, y = x / matmul(kernel, v)[:, None], v[:, None] * y
    together = matmul(matmul(x.T, kernel), y) if narrower else matmul(x.T, matmul(kernel, y))
    return together / len(x) + anchors


def evenly(z: jax.Array) -> jax.Array:
    """Return what makes the directions of z `[n, d]` vary alike, but for those that are silent."""
    variances = (z**2).mean(0)
    return lax.rsqrt(variances + _SILENT * variances.mean())


def _unit(x):
    return x / jnp.maximum(jnp.linalg.norm(x, axis=1, keepdims=True), _tiny)


def _alike(a, b, spread):
    """Return the cosine between the images under two weights of rows whose moments are spread `[d, d]`."""
    products = [(matmul(spread, one) * other).sum() for one, other in ((a, b), (a, a), (b, b))]
    return products[0] / jnp.sqrt(products[1] * products[2])


def semiorthogonal(matrix: jax.Array) -> jax.Array:
    """Return the matrix of orthonormal rows or columns that is closest."""
    u, _, vt = lapack.svd(matrix)
    return matmul(u, vt)
