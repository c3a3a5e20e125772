"""The recipe of mini-vec2vec (Dar 2025, arXiv 2510.02348), written from the paper's description, for comparison.

Clouds are centred and at unit length. Clusters of either side are matched by a quadratic assignment between their
cosines, over several runs; every source row is then paired with the mean of the target rows whose cosines to the
matched centroids are the most alike; an orthogonal map of these pairs is refined twice. Where the paper leaves it open,
the quadratic assignment is the best of several relaxations, each improved by exchanges of two.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import quadratic_assignment
from sklearn.cluster import KMeans

from align_lab.crossing.rotations import nearest_rotation, neighbours_mean
from align_lab.texts.unit_length import unit

RUNS, CLUSTERS, NEIGHBOURS = 30, 20, 50
# Of the first refinement: iterations, rows in one, and what remains of the map before it.
ITERATIONS, SAMPLE, KEPT = 30, 4000, 0.5
FINE_CLUSTERS = 500
_ASSIGNMENTS = 5


def fit(random: np.random.Generator, source: np.ndarray, target: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a map between clouds `[n, d]` and `[m, e]` of which nothing is known."""
    centre, offset = source.mean(0), target.mean(0)
    x, y = unit(source - centre), unit(target - offset)
    weight = nearest_rotation(x.T @ _matched(random, x, y))
    for _ in range(ITERATIONS):
        some = random.permutation(len(x))[:SAMPLE]
        images = unit(x[some] @ weight)
        step = nearest_rotation(x[some].T @ neighbours_mean(images, y, y, NEIGHBOURS))
        weight = nearest_rotation(KEPT * weight + (1 - KEPT) * step)
    centroids = _clusters(random, x, min(FINE_CLUSTERS, len(x) // 4, len(y) // 4))
    moved = KMeans(len(centroids), init=centroids @ weight, n_init=1, max_iter=50).fit(y).cluster_centers_
    weight = nearest_rotation(KEPT * weight + (1 - KEPT) * nearest_rotation(centroids.T @ moved))
    return lambda z: unit(z - centre) @ weight + offset


def _matched(random, x, y):
    """Pair every source row with a mean of target rows `[n, e]`, alike in their cosines to matched centroids."""
    likenesses = []
    for _ in range(RUNS):
        both = [unit(_clusters(random, z, CLUSTERS)) for z in (x, y)]
        order = _assignment(random, *(c @ c.T for c in both))
        likenesses.append((x @ both[0].T, y @ both[1][order].T))
    ours, theirs = (unit(np.concatenate(side, axis=1)) for side in zip(*likenesses, strict=True))
    return neighbours_mean(ours, theirs, y, NEIGHBOURS)


def _assignment(random, a, b):
    """Give the order of b that is the most like a, both symmetric `[c, c]`."""
    best = None
    for _ in range(_ASSIGNMENTS):
        options = {"maximize": True, "P0": "randomized", "rng": random}
        relaxed = quadratic_assignment(a, b, method="faq", options=options).col_ind
        guess = np.column_stack([np.arange(len(a)), relaxed])
        options = {"maximize": True, "partial_guess": guess, "rng": random}
        found = quadratic_assignment(a, b, method="2opt", options=options)
        if best is None or found.fun > best.fun:
            best = found
    return best.col_ind


def _clusters(random, z, count):
    seed = int(random.integers(2**31))
    return KMeans(count, n_init=1, max_iter=50, random_state=seed).fit(z).cluster_centers_.astype(z.dtype)
