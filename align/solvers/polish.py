"""From a rough map between two clouds to a good one: steps that cannot shrink it, then a regression that may."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.clouds import classes, coordinates
from align.linalg.neighbours import discrepancy
from align.maps import AffineMap
from align.solvers.icp import icp
from align.solvers.rigid import orthogonal
from align.solvers.soft_matches import by_soft_matches

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
    no matches to learn from, and the start stays.

    The finish is `by_soft_matches`: a rotation between whitened clouds, and the map of least error along its axes. A
    discrepancy says nothing of how far to shrink, so the rotation is scored in its place; it may be above the least by
    `tolerance` of it.
    """
    known: dict[str, Any] = {"source_labels": source_labels, "target_labels": target_labels}
    finish_key, score_key, *keys = jax.random.split(key, 2 + len(whitenings))
    groups, weights = classes.group(source, target, **known)
    placed, sides = coordinates.about_the_mean(target), []
    for k, array, group in zip(jax.random.split(score_key), (source, target), groups, strict=True):
        rows, inside = classes.draw_windows(k, *group, subset)(0)
        sides.append((array[rows], jnp.where(inside, 0, jnp.inf)))

    def score(fitted):
        (x, x_penalty), (y, y_penalty) = sides
        return discrepancy(placed(fitted(x)), placed(y), mapped_penalty=x_penalty, target_penalty=y_penalty)

    def refined(key, whitening):
        a, b = coordinates.principal_of_both(source, target, weights, whitening=whitening)
        fitted, fine = coordinates.express(a, start, b), -(-iterations // 3)
        for count, rows in ((iterations - fine, -(-subset // 2)), (fine, subset)):
            if count:
                fitted = icp(
                    jax.random.fold_in(key, rows), a(source), b(target), start=fitted, step=orthogonal,
                    matching="mutual", iterations=count, subset=rows, **known,
                )  # fmt: skip
        return coordinates.conjugate(a, fitted.weight, b)

    maps = [start, *(refined(*one) for one in zip(keys, whitenings, strict=True))]
    scores = jnp.stack([score(m) for m in maps])
    best = jnp.argmin(_comparable(scores))
    matched = scores[best] <= _NO_MATCHES
    weight, bias = (jnp.stack([getattr(m, name) for m in maps])[best] for name in ("weight", "bias"))
    rotation, finish = by_soft_matches(
        finish_key, source, target, AffineMap(weight, bias), groups, weights, subset=2 * subset
    )
    maps.append(finish)
    least, finished = scores[best], score(rotation)
    scores = jnp.append(scores, finished)
    best = jnp.where(finished <= least + tolerance * jnp.maximum(least, 0), len(maps) - 1, best)
    best = jnp.where(matched, best, 0)
    weight, bias = (jnp.stack([getattr(m, name) for m in maps])[best] for name in ("weight", "bias"))
    return AffineMap(weight, bias, converged=jnp.isfinite(weight).all(), details=Polished(scores, best))


def _comparable(scores):
    return jnp.where(jnp.isnan(scores), jnp.inf, scores)
