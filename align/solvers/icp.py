"""Iterative closest points: match by distance under the map, fit the matches, repeat (Besl and McKay 1992)."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.clouds import classes
from align.linalg import lapack
from align.linalg.decompositions import polar
from align.linalg.neighbours import mutual, nearest
from align.maps import AffineMap, diagnosis
from align.solvers.linear import affine, linear
from align.solvers.rigid import rigid

STEPS = {"rigid": rigid, "linear": linear, "affine": affine}
# Relative to the weight and the spread of the target, a map that moves less than this has come to rest.
_TOLERANCE = 1e-4


class Trace(NamedTuple):
    """What happened, per iteration `[iterations]`, and the signs of a collapse.

    error: root mean square distance of the matches under the map that made them, over the spread of the target.
    matched: share of the source rows that kept a match. hit: share of the target rows that are somebody's match; a
    map that shrinks the source crowds it onto few of them.
    singular_values: `[min(d_source, d_target)]` of the final weight, 1 throughout for a rigid map.
    """

    error: jax.Array
    matched: jax.Array
    hit: jax.Array
    singular_values: jax.Array


def icp(
    key,
    source,
    target,
    *,
    source_labels=None,
    target_labels=None,
    start=None,
    step="rigid",
    matching="nearest",
    iterations=20,
    subset=None,
    restarts=1,
) -> AffineMap:
    """Alternate between matching the mapped source to the target and fitting the matches.

    source `[n, d_source]` and target `[m, d_target]` need not correspond, nor be as many. With labels `[n]`, `[m]`,
    concrete integers, matches stay within a class, and rows of a class that the other side lacks are left out.

    start: the first map; without it the step fitted to the class means where labels are given, else a random
    orthogonal map about the means. step: "rigid", "linear", "affine", a callable `(source, target, *, weights)`, or a
    schedule `((step, iterations), ...)`, which overrides `iterations`. matching: "nearest" (the paper's: every source
    row to its nearest target row), "mutual" (rows that are each other's nearest), "csls" (mutual after a correction
    for hubs, Lample et al. 2018), or a callable `(mapped, target, mapped_penalty, target_penalty)` of `[classes, rows,
    d]` and `[classes, rows]` arrays, penalty inf for padding, to indices and which of them to keep, `[classes, rows]`.
    subset: rows of each class and side in an iteration, a fresh random window each time, all without it.
    restarts: keys to try, of which the result with the least final error is kept.

    One-sided matches and an unconstrained step shrink the map a little every time, towards a target of few points:
    the degradation of the paper's Table 4. Its form is `icp(key, source, target, source_labels=..., target_labels=...,
    step="rigid" or "linear")`; section 4.2.3. Mutual matches and a rigid step do not shrink.

    Returns a map whose `iterations` counts the steps until it came to rest and whose `converged` says if it did, with
    the `Trace` as `details`; `residual` is over the last matches. ValueError for input that does not fit.
    """
    source, target = inputs.clouds(source, target)
    schedule, matching = _schedule(step, iterations), _matching(matching)
    checks.check_counts(restarts=restarts, **({} if subset is None else {"subset": subset}))
    groups, _ = classes.group(source, target, source_labels, target_labels)
    if start is None and source_labels is not None:
        *positions, count = classes.share(source, source_labels, target, target_labels)
        start = schedule[0][0](
            *(classes.average(a, p, count) for a, p in zip((source, target), positions, strict=True))
        )
    if start is not None:
        start = Motion(*(jnp.asarray(a, source.dtype) for a in (start.weight, start.bias)))
        if start.weight.shape != (source.shape[1], target.shape[1]):
            raise ValueError(
                f"start must map {source.shape[1]} to {target.shape[1]} dimensions; its weight is {start.weight.shape}"
            )
    run = functools.partial(_run, schedule=schedule, matching=matching, subset=subset)
    keys = jax.random.split(key, restarts)
    if restarts == 1:  # a batch computes on for as long as its slowest member
        return diagnosis.check_fitted(run(keys[0], (source, target), groups, start), source=source, target=target)
    fitted = jax.vmap(lambda k: run(k, (source, target), groups, start))(keys)
    error = fitted.details.error[:, -1]
    best = jnp.argmin(jnp.where(jnp.isnan(error), jnp.inf, error))
    return diagnosis.check_fitted(jax.tree.map(lambda a: a[best], fitted), source=source, target=target)


def _schedule(step, iterations):
    """Return `((step, iterations), ...)` with callable steps; ValueError for what is neither a step nor a schedule."""
    pairs = ((step, iterations),) if isinstance(step, str) or callable(step) else tuple(map(tuple, step))
    for name, count in pairs:
        if not callable(name) and name not in STEPS:
            raise ValueError(f"step must be callable or one of {', '.join(STEPS)}; it is {name!r}")
        checks.check_counts(iterations=count)
    return tuple((STEPS.get(name, name), count) for name, count in pairs)


def _matching(matching):
    if not callable(matching) and matching not in MATCHINGS:
        raise ValueError(f"matching must be callable or one of {', '.join(MATCHINGS)}; it is {matching!r}")
    return MATCHINGS.get(matching, matching)


def _one_sided(mapped, target, mapped_penalty, target_penalty):
    return nearest(mapped, target, penalty=target_penalty)[0][..., 0], jnp.ones(mapped.shape[:-1], bool)


def _mutual(mapped, target, mapped_penalty, target_penalty):
    return mutual(mapped, target, query_penalty=mapped_penalty, penalty=target_penalty)


def _csls(mapped, target, mapped_penalty, target_penalty, *, neighbours=10):
    # A hub is close to everything. What counts is 2 |x − y|² − r(x) − r(y), with r a point's mean squared distance to
    # its nearest on the other side; per side, the other's r is all that changes an order.
    def hubness(points, others, penalty):
        count = min(neighbours, others.shape[-2])
        index, squared = nearest(points, others, count=count, penalty=penalty)
        inside = jnp.isfinite(jnp.take_along_axis(penalty[..., None, :], index, axis=-1))
        return jnp.where(inside, squared, 0).sum(-1) / jnp.maximum(inside.sum(-1), 1)

    return mutual(
        mapped,
        target,
        query_penalty=mapped_penalty - hubness(mapped, target, target_penalty) / 2,
        penalty=target_penalty - hubness(target, mapped, mapped_penalty) / 2,
    )


MATCHINGS = {"nearest": _one_sided, "mutual": _mutual, "csls": _csls}


class Motion(NamedTuple):
    """The state of the iteration: weight `[d_source, d_target]` and bias `[d_target]`."""

    weight: jax.Array
    bias: jax.Array

    def __call__(self, x):
        return matmul(x, self.weight) + self.bias


class Matches(NamedTuple):
    """Rows of both sides `[groups, n, d]` in correspondence, with weight 0 where there is no match; and the shares."""

    source: jax.Array
    target: jax.Array
    weights: jax.Array
    error: jax.Array
    matched: jax.Array
    hit: jax.Array


def _match(motion, window, matching):
    """Match the mapped source to the target, group by group."""
    (source, inside), (target, target_inside) = window
    penalties = [jnp.where(i, 0, jnp.inf).astype(source.dtype) for i in (inside, target_inside)]
    mapped = motion(source)
    index, keep = matching(mapped, target, *penalties)
    kept = keep & inside & target_inside.any(1, keepdims=True)
    found = jnp.take_along_axis(target, index[..., None], axis=1)
    hit = jax.vmap(lambda i, k: jnp.zeros(target.shape[1], bool).at[i].max(k))(index, kept)
    squared = jnp.where(kept, ((mapped - found) ** 2).sum(-1), 0).sum() / kept.sum()
    return Matches(
        source,
        found,
        kept.astype(source.dtype),
        jnp.sqrt(squared),
        kept.sum() / inside.sum(),
        hit.sum() / target_inside.sum(),
    )


def _fit(motion, matches, step):
    """Fit the step to the matches; without any, stay where you are."""
    flat = [a.reshape(-1, a.shape[-1]) for a in (matches.source, matches.target)]
    weights = matches.weights.reshape(-1)
    some = weights.sum() > 0
    fitted = step(*flat, weights=jnp.where(some, weights, 1))
    kept = [jnp.where(some, new, old) for new, old in zip((fitted.weight, fitted.bias), motion, strict=True)]
    return Motion(*kept), AffineMap(*kept, fitted.rank, fitted.condition, fitted.residual)


@functools.partial(jax.jit, static_argnames=("schedule", "matching", "subset"))
def _run(key, arrays, groups, start, schedule, matching, subset):
    start_key, *order_keys = jax.random.split(key, 3)
    means = [a.mean(0) for a in arrays]
    if start is None:
        shape = (arrays[0].shape[1], arrays[1].shape[1])
        weight = polar(jax.random.normal(start_key, shape, arrays[0].dtype))[0]
        start = Motion(weight, means[1] - Motion(weight, 0.0)(means[0]))
    spread = jnp.sqrt(((arrays[1] - means[1]) ** 2).sum(1).mean())
    windows = [classes.draw_windows(k, *pair, subset) for k, pair in zip(order_keys, groups, strict=True)]

    def iterate(step, motion, iteration):
        window = [(a[rows], inside) for a, (rows, inside) in zip(arrays, (w(iteration) for w in windows), strict=True)]
        matches = _match(motion, window, matching)
        moved, fitted = _fit(motion, matches, step)
        change = jnp.sqrt(((motion.weight - moved.weight) ** 2).sum() / (motion.weight**2).sum())
        change = jnp.maximum(change, jnp.linalg.norm(moved.bias - motion.bias) / spread)
        return moved, (fitted, change, matches.error / spread, matches.matched, matches.hit)

    # Where every iteration sees all rows, what has come to rest stays there, and is not computed again.
    repeats = subset is None or all(rows.shape[1] <= subset for rows, _ in groups)

    def go_on(step, last, iteration):
        motion, (_, change, *_) = last
        resting = change <= _TOLERANCE if repeats else False
        last = lax.cond(resting, lambda: last, lambda: iterate(step, motion, iteration))
        return last, last[1]

    motion, first, parts = start, 0, []
    for step, iterations in schedule:
        shapes = jax.eval_shape(functools.partial(iterate, step), motion, 0)[1]
        fitted, change, *trace = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
        moving = (fitted, change + jnp.inf, *trace)
        (motion, _), part = lax.scan(functools.partial(go_on, step), (motion, moving), first + jnp.arange(iterations))
        first, parts = first + iterations, [*parts, part]
    fitted, change, *trace = jax.tree.map(lambda *a: jnp.concatenate(a), *parts)
    moving = change > _TOLERANCE
    return dataclasses.replace(
        jax.tree.map(lambda a: a[-1], fitted),
        iterations=jnp.where(moving, jnp.arange(1, len(change) + 1), 0).max(),
        converged=~moving[-1] & jnp.isfinite(motion.weight).all(),
        details=Trace(*trace, lapack.svd(motion.weight)[1]),
    )
