"""Maps that are known before any pair is seen, and ridges that are shrunk towards them.

Between spaces of as many dimensions that is no map at all, and between any the map that a caller has from elsewhere, as
of `unpaired` from two clouds. Pairs say first by which multiple a map is to be taken, and then correct it: where they
speak against it the multiple is near zero, and the ridge that of the pairs alone.
"""

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.maps import AffineMap
from align.search.families import Map, Penalty, in_span
from align.solvers import ridge

NO_MAP, GIVEN = "no map", "given map"
TOWARDS = {NO_MAP: "ridge towards no map", GIVEN: "ridge towards the given map"}


def known(d_source: int, d_target: int, given: AffineMap | None) -> dict[str, Map]:
    """Return by name what is known from a space of so many dimensions to another."""
    maps = {NO_MAP: Map(np.eye(d_source), np.zeros(d_source))} if d_source == d_target else {}
    if given is not None:
        maps[GIVEN] = Map(np.asarray(given.weight, np.float64), np.asarray(given.bias, np.float64))
    return maps


def penalties(source: ArrayLike, target: ArrayLike, maps: dict[str, Map]) -> dict[str, Penalty]:
    """Choose how to shrink the ridge towards each known map, by its name."""
    chosen = {}
    x, y = (np.asarray(side, np.float64) for side in (source, target))
    for name, one in maps.items():
        weight, bias = (jnp.asarray(part, jnp.asarray(source).dtype) for part in _scaled(one, x, y))
        path = ridge(source, target, towards=AffineMap(weight, bias)).details
        chosen[name] = Penalty(float(path.strength), path.goal, float(path.leave_one_out))
    return chosen


def fit(source: np.ndarray, target: np.ndarray, maps: dict[str, Map], shrunk: dict[str, Penalty]) -> dict[str, Map]:
    """Return the known maps and the ridges towards them, fitted to pairs `[n, d_source]` and `[n, d_target]`."""
    fitted: dict[str, Map] = {}
    for name, one in maps.items():
        fitted |= {name: one, TOWARDS[name]: _ridge(source, target, _scaled(one, source, target), shrunk[name])}
    return fitted


def _scaled(one, source, target):
    """Return the multiple of a map, about the mean of what it makes of the source, that is nearest to the pairs."""
    made = one(source)
    mean = made.mean(0)
    made, true = made - mean, target - target.mean(0)
    scale = max(0.0, float((made * true).sum() / max((made**2).sum(), np.finfo(float).tiny)))
    return Map(scale * one.weight, mean + scale * (one.bias - mean))


def _ridge(source, target, goal, penalty):
    """Return the ridge of what a goal leaves of the target; the goal's bias is kept unless the pairs set their own."""
    coordinates, basis = in_span(source)
    mean, left = coordinates.mean(0), target - goal(source)
    x = coordinates - mean
    squares = x.T @ x
    strength = max(penalty.strength, 1e-9 * np.trace(squares) / len(squares), np.finfo(float).tiny)
    change = np.linalg.solve(squares + strength * np.eye(len(squares)), x.T @ (left - left.mean(0)))
    bias = goal.bias - mean @ change + (left.mean(0) if penalty.goal == "map" else 0)
    return Map(goal.weight + basis @ change, bias)
