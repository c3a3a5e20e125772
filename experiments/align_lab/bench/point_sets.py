"""Pairs of point sets like the latents of two networks, and the error of a map that was fitted to them."""

import functools
from typing import NamedTuple

import numpy as np


class Pairs(NamedTuple):
    """Corresponding rows of two latent spaces, float32 `[n, d]`, contiguous."""

    source: np.ndarray
    target: np.ndarray


@functools.lru_cache(maxsize=2)
def pairs(n: int, d: int, *, rigid: bool = False) -> Pairs:
    """Draw a source of condition 30 about a mean that is not zero, and its image under a random map, with noise.

    Latents of trained networks are like that: correlated, and not centred. The map is an orthogonal one where `rigid`.
    """
    rng = np.random.default_rng(0)
    source = rng.standard_normal((n, d), np.float32) * np.geomspace(1, 1 / 30, d, dtype=np.float32)
    source = source @ _orthogonal(rng, d) + rng.standard_normal(d, np.float32)
    weight = _orthogonal(rng, d) if rigid else rng.standard_normal((d, d), np.float32)
    target = source @ weight + rng.standard_normal(d, np.float32)
    target += 0.1 * rng.standard_normal((n, d), np.float32)
    return Pairs(source, target)


def _orthogonal(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)


def with_ones(source: np.ndarray) -> np.ndarray:
    """Append a column of ones, for solvers without an intercept."""
    return np.hstack([source, np.ones((len(source), 1), source.dtype)])


def centred(pair: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Give source and target about their means."""
    return pair.source - pair.source.mean(0), pair.target - pair.target.mean(0)


def error(weight, exact: np.ndarray) -> dict[str, float]:
    """Give the largest error of an entry of a weight, relative to the largest entry of the exact one."""
    return {"error": float(np.abs(np.asarray(weight, np.float64) - exact).max() / np.abs(exact).max())}
