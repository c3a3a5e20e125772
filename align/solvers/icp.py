"""Iterative closest points: match by distance under the map, fit the matches, repeat (Besl and McKay 1992)."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.clouds import classes
from align.clouds.matching import MATCHINGS
from align.linalg import lapack, threads
from align.linalg.decompositions import polar
from align.maps import AffineMap, diagnosis
from align.solvers.linear import affine, linear
from align.solvers.rigid import rigid

STEPS: dict[str, Callable[..., AffineMap]] = {"rigid": rigid, "linear": linear, "affine": affine}
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
    key: jax.Array,
    source: ArrayLike,
    target: ArrayLike,
    *,
    source_labels: ArrayLike | None = None,
    target_labels: ArrayLike | None = None,
    start: AffineMap | None = None,
    step: str | Callable[..., AffineMap] | Sequence[tuple[str | Callable[..., AffineMap], int]] = "rigid",
    matching: str | Callable[..., tuple[jax.Array, jax.Array]] = "nearest",
    iterations: int = 20,
    subset: int | None = None,
    restarts: int = 1,
) -> AffineMap:
    """Alternate between matching the mapped source to the target and fitting the matches.

    key: of the start, where it is random, and of the subsets.
    source: `[n, d_source]`.
    target: `[m, d_target]`; rows need not correspond to those of source, nor be as many.
    source_labels, target_labels: labels `[n]` and `[m]`, concrete integers: matches then stay within a class, and rows
        of a class that the other side lacks are left out.
    start: the first map; without it the step fitted to the class means where labels are given, else a random
        orthogonal map about the means.
    step: "rigid", "linear", "affine", a callable `(source, target, *, weights)`, or a schedule
        `((step, iterations), ...)`, which overrides `iterations`.
    matching: "nearest" (the paper's: every source row to its nearest target row), "mutual" (rows that are each other's
        nearest), "csls" (mutual after a correction for hubs, Lample et al. 2018), or a callable as in
        `align.clouds.matching`.
    iterations: how many, unless the map comes to rest before.
    subset: rows of each class and side in an iteration, a fresh random window each time. All without it, and every
        class is then padded to the largest: of many classes, one of which is large, that takes memory.
    restarts: keys to try, of which the result with the least final error is kept.

    One-sided matches and an unconstrained step shrink the map a little every time, towards a target of few points:
    the degradation of the paper's Table 4. Its form is `icp(key, source, target, source_labels=..., target_labels=...,
    step="rigid" or "linear")`; section 4.2.3. Mutual matches and a rigid step do not shrink.

    Returns a map whose `iterations` counts the steps until it came to rest and whose `converged` says if it did, with
    the `Trace` as `details`; `residual` is over the last matches. ValueError for input that does not fit.
    """
    checks.check_key(key)
    source, target = inputs.as_clouds(source=source, target=target)
    schedule = read_schedule(step, iterations)
    if not callable(matching):
        checks.check_choice("matching", matching, tuple(MATCHINGS), or_else="callable or ")
    match = matching if callable(matching) else MATCHINGS[matching]
    checks.check_counts(restarts=restarts, **({} if subset is None else {"subset": subset}))
    groups, _ = classes.group(source, target, source_labels, target_labels)
    if start is not None:
        check_start(start)
    elif source_labels is not None and target_labels is not None:
        *positions, count = classes.share(source, source_labels, target, target_labels)
        start = schedule[0][0](
            *(classes.average(a, p, count) for a, p in zip((source, target), positions, strict=True)),
            weights=jnp.ones(count, source.dtype),
        )
    if start is not None:
        start = AffineMap(*(jnp.asarray(a, source.dtype) for a in (start.weight, start.bias)))
        if start.weight.shape != (source.shape[1], target.shape[1]):
            raise ValueError(
                f"start must map {source.shape[1]} to {target.shape[1]} dimensions; its weight is {start.weight.shape}"
            )
    run = functools.partial(_run, schedule=schedule, matching=match, subset=subset)
    keys = jax.random.split(key, restarts)
    with threads.for_rows(source, target):
        if restarts == 1:  # a batch computes on for as long as its slowest member
            fitted = jax.block_until_ready(run(keys[0], (source, target), groups, start))
        else:
            fitted = jax.block_until_ready(jax.vmap(lambda k: run(k, (source, target), groups, start))(keys))
            error = fitted.details.error[:, -1]
            best = jnp.argmin(jnp.where(jnp.isnan(error), jnp.inf, error))
            fitted = jax.tree.map(lambda a: a[best], fitted)
    return diagnosis.check_fitted(fitted, source=source, target=target)


def read_schedule(
    step: str | Callable[..., AffineMap] | Sequence[tuple[str | Callable[..., AffineMap], int]], iterations: int
) -> tuple[tuple[Callable[..., AffineMap], int], ...]:
    """Return `((step, iterations), ...)` with callable steps; ValueError for what is neither a step nor a schedule."""
    pairs: Sequence[Any] = step if isinstance(step, list | tuple) else [(step, iterations)]
    if not pairs or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"step must be one step or a schedule of (step, iterations); it is {step!r}")
    for name, count in pairs:
        check_step(name)
        checks.check_counts(iterations=count)
    return tuple((name if callable(name) else STEPS[name], count) for name, count in pairs)


def check_start(start: object) -> None:
    """Raise ValueError for what is no map to start from, and for a concrete one that is not finite."""
    if not hasattr(start, "weight") or not hasattr(start, "bias"):
        raise ValueError(f"start must be an AffineMap; it is {type(start).__name__}")
    for part in (start.weight, start.bias):
        inputs.check_finite(start=jnp.asarray(part))


def check_step(step: object) -> None:
    """Raise ValueError for what is neither callable nor the name of a step."""
    if not callable(step):
        checks.check_choice("step", step, tuple(STEPS), or_else="callable or ")


class State(NamedTuple):
    """The map that an iteration has led to, how far its step moved it, and the matches that it was fitted to."""

    fitted: AffineMap
    change: jax.Array
    error: jax.Array
    matched: jax.Array
    hit: jax.Array


class Matches(NamedTuple):
    """Rows of both sides `[groups, n, d]` in correspondence, with weight 0 where there is no match; and the shares."""

    source: jax.Array
    target: jax.Array
    weights: jax.Array
    error: jax.Array
    matched: jax.Array
    hit: jax.Array


def _match(fitted, window, matching):
    """Match the mapped source to the target, group by group."""
    (source, inside), (target, target_inside) = window
    penalties = [jnp.where(i, 0, jnp.inf).astype(source.dtype) for i in (inside, target_inside)]
    mapped = fitted(source)
    index, keep = matching(mapped, target, *penalties)
    kept = keep & inside & target_inside.any(1, keepdims=True)
    found = jnp.take_along_axis(target, index[..., None], axis=1)
    hit = jax.vmap(lambda i, k: jnp.zeros(target.shape[1], bool).at[i].max(k))(index, kept)
    squared = jnp.where(kept, ((mapped - found) ** 2).sum(-1), 0).sum() / kept.sum().astype(source.dtype)
    return Matches(
        source,
        found,
        kept.astype(source.dtype),
        jnp.sqrt(squared),
        kept.mean(where=inside, dtype=source.dtype),
        hit.mean(where=target_inside, dtype=source.dtype),
    )


def _refit(last, matches, step):
    """Fit the step to the matches; without any, stay where you are."""
    source, target = (a.reshape(-1, a.shape[-1]) for a in (matches.source, matches.target))
    weights = matches.weights.reshape(-1)
    some = weights.sum() > 0
    fitted = step(source, target, weights=jnp.where(some, weights, 1))
    weight, bias = (jnp.where(some, new, old) for new, old in ((fitted.weight, last.weight), (fitted.bias, last.bias)))
    return AffineMap(weight, bias, fitted.rank, fitted.condition, fitted.residual)


def _moved(last, fitted, spread):
    """Return how far a map moved: of its weight relative to itself, of its bias to the spread of the target."""
    weight = jnp.sqrt(((fitted.weight - last.weight) ** 2).sum() / (last.weight**2).sum())
    return jnp.maximum(weight, jnp.linalg.norm(fitted.bias - last.bias) / spread)


@functools.partial(jax.jit, static_argnames=("schedule", "matching", "subset"))
def _run(key, arrays, groups, start, schedule, matching, subset):
    start_key, *order_keys = jax.random.split(key, 3)
    fitted = _random_start(start_key, *arrays) if start is None else start
    spread = jnp.sqrt(((arrays[1] - arrays[1].mean(0, keepdims=True)) ** 2).sum(1).mean())
    windows = [classes.draw_windows(k, *pair, subset) for k, pair in zip(order_keys, groups, strict=True)]
    # Where every iteration sees all rows, what has come to rest stays there, and is not computed again.
    sees_all = subset is None or all(rows.shape[1] <= subset for rows, _ in groups)

    def iterate(step, fitted, iteration):
        drawn = [window(iteration) for window in windows]
        window = [(array[rows], inside) for array, (rows, inside) in zip(arrays, drawn, strict=True)]
        matches = _match(fitted, window, matching)
        moved = _refit(fitted, matches, step)
        return State(moved, _moved(fitted, moved, spread), matches.error / spread, matches.matched, matches.hit)

    def follow(step, fitted, numbers):
        def advance(state, iteration):
            resting = sees_all & (state.change <= _TOLERANCE)
            state = lax.cond(resting, lambda: state, lambda: iterate(step, state.fitted, iteration))
            return state, state

        # The state before the first step: its map, still moving, and of the rest no more than the shapes.
        shapes = jax.eval_shape(functools.partial(iterate, step), fitted, 0)
        state = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
        state = state._replace(
            fitted=dataclasses.replace(state.fitted, weight=fitted.weight, bias=fitted.bias),
            change=state.change + jnp.inf,
        )
        return lax.scan(advance, state, numbers)

    first, states = 0, []
    for step, iterations in schedule:
        state, part = follow(step, fitted, first + jnp.arange(iterations))
        first, fitted = first + iterations, AffineMap(state.fitted.weight, state.fitted.bias)
        last = jax.tree.map(lambda a: a[-1], part.fitted)
        states.append(part._replace(fitted=None))  # of which one step may say more than another
    states = jax.tree.map(lambda *a: jnp.concatenate(a), *states)
    moving = ~(states.change <= _TOLERANCE)  # a change that is NaN is no rest
    return dataclasses.replace(
        last,
        iterations=jnp.where(moving, jnp.arange(1, len(moving) + 1), 0).max(),
        converged=~moving[-1] & jnp.isfinite(fitted.weight).all(),
        details=Trace(states.error, states.matched, states.hit, lapack.svd(fitted.weight)[1]),
    )


def _random_start(key, source, target):
    """Return a random orthogonal map that takes the mean of the source to that of the target."""
    weight = polar(jax.random.normal(key, (source.shape[1], target.shape[1]), source.dtype))[0]
    return AffineMap(weight, target.mean(0) - matmul(source.mean(0), weight))
