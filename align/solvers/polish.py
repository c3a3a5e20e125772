"""From a rough map between two clouds to a good one: steps that cannot shrink it, then a regression that may."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays.copies import once
from align.clouds import classes, coordinates
from align.linalg.neighbours import discrepancy
from align.maps import AffineMap
from align.solvers.icp import icp
from align.solvers.rigid import orthogonal
from align.solvers.soft_matches import by_soft_matches

# Iterations that are compiled as one.
_AT_A_TIME = 2
# A discrepancy above this: the nearest of the other side are e times as far as those of one's own, and no matches.
_NO_MATCHES = 1.0


class Polished(NamedTuple):
    """What was tried: scores `[2 + whitenings]`, the `discrepancy` of the start, of each ICP, and of the finish.

    chosen: which of them was returned, 0 for the start; by name, `stage`.
    """

    scores: jax.Array
    chosen: jax.Array

    @property
    def stage(self) -> str:
        """The name of what was returned: "start", "icp 1" and so on for the whitenings, or "soft matches"."""
        return {0: "start", len(self.scores) - 1: "soft matches"}.get(int(self.chosen), f"icp {int(self.chosen)}")


def polish(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    start: AffineMap,
    *,
    source_labels: ArrayLike | None = None,
    target_labels: ArrayLike | None = None,
    whitenings: Sequence[float] = (0.0, 0.5, 1.0),
    iterations: int = 10,
    subset: int = 5000,
    tolerance: float = 0.2,
) -> AffineMap:
    """Improve a map between source `[n, d_source]` and target `[m, d_target]`, or keep it.

    ICP on mutual nearest neighbours, within classes where labels are given, takes rigid steps between principal
    coordinates of each of the `whitenings`, the last third of them on `subset` rows of each side and class, those
    before, which need not be as exact, on half as many. Such maps keep the spread of the cloud, so that their
    `discrepancy` can be compared with the start's; the least is kept. Where even that is above 1, the nearest rows are
    no matches to learn from, and the start stays; so it does where no score is a number. `converged` is False then.

    The finish is `by_soft_matches`: a rotation between whitened clouds, and the map of least error along its axes. A
    discrepancy says nothing of how far to shrink, so the rotation is scored in its place; it may be above the least by
    `tolerance` of it.
    """
    known: dict[str, Any] = {"source_labels": source_labels, "target_labels": target_labels}
    finish_key, score_key, *keys = jax.random.split(key, 2 + len(whitenings))
    weights = classes.group(source, target, **known)[1]
    (x, x_labels), (y, y_labels) = once(source, source_labels), once(target, target_labels)
    once_groups, once_weights = classes.group(x, y, x_labels, y_labels)
    sides = _drawn(score_key, (x, y), once_groups, subset)

    def refined(key, whitening):
        fitted, fine = start, min(iterations, 2 * -(-iterations // 6))
        for count, rows in ((iterations - fine, -(-subset // 2)), (fine, subset)):
            step_key = jax.random.fold_in(key, rows)
            fitted = rigid_steps(step_key, source, target, fitted, whitening, count, rows, weights, known)
        return fitted

    start = AffineMap(start.weight, start.bias)
    maps = [start, *(refined(*one) for one in zip(keys, whitenings, strict=True))]
    scores = jnp.stack([_score(m, sides, target) for m in maps])
    best, chosen = _least(scores, maps)
    # A row's copy would be a counterpart that is not hidden.
    rotation, finish = by_soft_matches(finish_key, x, y, chosen, once_groups, once_weights, subset=2 * subset)
    return _finished(scores, best, _score(rotation, sides, target), [*maps, finish], tolerance)


def rigid_steps(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    start: AffineMap,
    whitening: float,
    iterations: int,
    subset: int,
    weights: Sequence[jax.Array | None] = (None, None),
    known: Mapping[str, Any] = MappingProxyType({}),
) -> AffineMap:
    """Refine a map between two clouds by ICP on mutual neighbours, with rigid steps between principal coordinates.

    weights: of the rows of either side, where classes are to count alike; known: the labels, as arguments of `icp`.
    """
    a, b, x, y, fitted = _laid_out(source, target, weights, start, whitening)
    subset = min(subset, max(len(source), len(target)))
    done = 0
    while done < iterations:  # a few at a time, so that what is compiled serves any number
        count = min(_AT_A_TIME, iterations - done)
        fitted = icp(
            jax.random.fold_in(key, done), x, y, start=fitted, step=orthogonal, matching="mutual", iterations=count,
            subset=subset, **known,
        )  # fmt: skip
        done += count
    return coordinates.conjugate(a, fitted.weight, b)


@jax.jit
def _laid_out(source, target, weights, start, whitening):
    """Return the principal coordinates of both sides, the clouds in them, and the map between these."""
    a, b = coordinates.principal_of_both(source, target, weights, whitening=whitening)
    return a, b, a(source), b(target), coordinates.express(a, start, b)


@functools.partial(jax.jit, static_argnames="subset")
def _drawn(key, both, groups, subset):
    """Return `[groups, rows, d]` of either side to score maps by, and penalties that leave out what pads them."""
    sides = []
    for k, array, group in zip(jax.random.split(key), both, groups, strict=True):
        rows, inside = classes.draw_windows(k, *group, subset)(0)
        sides.append((array[rows], jnp.where(inside, 0, jnp.inf)))
    return sides


@jax.jit
def _score(fitted, sides, target):
    (x, x_penalty), (y, y_penalty) = sides
    placed = coordinates.about_the_mean(target)
    return discrepancy(placed(fitted(x)), placed(y), mapped_penalty=x_penalty, target_penalty=y_penalty)


@jax.jit
def _least(scores, maps):
    best = jnp.argmin(_comparable(scores))
    return best, _at(best, maps)


@jax.jit
def _finished(scores, best, finished, maps, tolerance):
    """Return the finish, the last of the maps, or the best one before it; without matches to learn from, the start."""
    least = scores[best]
    chosen = jnp.where(finished <= least + tolerance * jnp.maximum(least, 0), len(maps) - 1, best)
    matched = least <= _NO_MATCHES
    chosen = jnp.where(matched, chosen, 0)
    fitted, scores = _at(chosen, maps), jnp.append(scores, finished)
    converged = matched & jnp.isfinite(fitted.weight).all()
    return dataclasses.replace(fitted, converged=converged, details=Polished(scores, chosen))


def _at(index, maps):
    weight, bias = (jnp.stack([getattr(m, name) for m in maps])[index] for name in ("weight", "bias"))
    return AffineMap(weight, bias)


def _comparable(scores):
    return jnp.where(jnp.isnan(scores), jnp.inf, scores)
