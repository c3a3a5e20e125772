"""Pairs of clouds by kind: those that nothing determines a map between, and one that can be solved."""

from collections.abc import Callable

import numpy as np

from align_lab.verdicts.kinds import KINDS, SOLVABLE

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def _spheres(random, n, d):
    points = random.normal(size=(n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _equal_clusters(random, n, d):
    corners = np.zeros((4, d))
    corners[:, :2] = [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    return 3 * corners[random.integers(4, size=n)] + 0.3 * random.normal(size=(n, d))


def _clusters(random, n, d):
    return (3 * random.normal(size=(6, d)))[random.integers(6, size=n)] + 0.4 * random.normal(size=(n, d))


def _mirrored(random, n, d):
    return np.abs(random.normal(size=(n, d))) * np.sign(random.normal(size=(n, 1)))


def _few_directions(random, n, d):
    few = min(8, d)
    return random.normal(size=(n, few)) @ random.normal(size=(few, d)) + 0.01 * random.normal(size=(n, d))


def arms(random: np.random.Generator, n: int, d: int) -> np.ndarray:
    """Draw points `[n, d]` that look like nothing else when turned: arms of different length, weight and direction."""
    ends = np.random.default_rng(0).normal(size=(d + 2, d)) * np.linspace(1, 4, d + 2)[:, None]
    share = np.linspace(2, 1, d + 2)
    arm = random.choice(d + 2, n, p=share / share.sum())
    return random.uniform(size=(n, 1)) * ends[arm] + 0.1 * random.normal(size=(n, d))


# Either side is drawn by itself.
DRAWS: dict[str, Draw] = {
    "Gaussian": lambda random, n, d: random.normal(size=(n, d)),
    "Gaussian, uneven": lambda random, n, d: random.normal(size=(n, d)) * np.linspace(3, 1, d),
    "cube": lambda random, n, d: random.uniform(size=(n, d)),
    "sphere": _spheres,
    "four equal clusters": _equal_clusters,
    "unrelated clusters": _clusters,
    "mirrored": _mirrored,
    "constant": lambda random, n, d: np.ones((n, d)),
    "duplicates": lambda random, n, d: np.repeat(random.normal(size=(max(n // 5, 1), d)), 5, 0)[:n],
    SOLVABLE: arms,
    "Gaussian, decaying": lambda random, n, d: random.normal(size=(n, d)) / np.arange(1, d + 1),
    "Gaussian, few directions": _few_directions,
}


def draw(kind: str, rows: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Draw source and target `[rows, dimensions]`, float32, and the weight that relates them, None where none does."""
    random = np.random.default_rng([seed, rows, dimensions, KINDS.index(kind)])
    make = DRAWS[kind]
    source, target = make(random, rows, dimensions), make(random, rows, dimensions)
    weight = None
    if kind == SOLVABLE:
        weight = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0]
        target = target @ weight + random.normal(size=dimensions)
    return source.astype(np.float32), target.astype(np.float32), weight
