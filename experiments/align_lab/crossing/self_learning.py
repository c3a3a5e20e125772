"""Self-learning of a dictionary and an orthogonal map in turn, written from Artetxe et al. 2018, for comparison.

It begins with rows whose sorted similarities to all others of their own side are the most alike, or with known pairs;
then fits an orthogonal map, finds the nearest both ways by similarity less that of hubs, and so on. At first most
similarities are dropped at random; ever fewer are, whenever the mean similarity has long not grown. The paper matches
words, which both languages have; of texts that differ, a row has at best a neighbour on the other side. Left out is its
last step, which whitens and weighs directions; and it gives up sooner (`PATIENCE` of 10 steps in place of 50).
"""

from collections.abc import Callable

import numpy as np

from align_lab.crossing.rotations import likeness, nearest_rotation
from align_lab.texts.unit_length import unit

ROWS, PATIENCE, MOST_STEPS = 4000, 10, 200
FIRST_SHARE, LEAST_GAIN = 0.1, 1e-6


def fit(
    random: np.random.Generator, source: np.ndarray, target: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a map between clouds `[n, d]` and `[m, e]`, from pairs `[p, d]` and `[p, e]` too, where there are any."""
    centre, offset = source.mean(0), target.mean(0)
    count = min(len(source), len(target), ROWS)
    x, y = (unit(z - z.mean(0))[random.permutation(len(z))[:count]] for z in (source, target))
    known = unit(pairs[0] - centre).T @ unit(pairs[1] - offset)
    weight = nearest_rotation(known if len(pairs[0]) else _between(x, y, likeness(*map(_profile, (x, y)))))
    share, best, rested = FIRST_SHARE, -np.inf, 0
    for _ in range(MOST_STEPS):
        similarity = likeness(unit(x @ weight), y)
        reached = float(similarity.max(1).mean() + similarity.max(0).mean())
        rested = 0 if reached > best + LEAST_GAIN else rested + 1
        best = max(best, reached)
        if rested > PATIENCE:
            if share >= 1:
                break
            share, rested = min(1.0, 2 * share), 0
        similarity[random.random(similarity.shape, dtype=np.float32) >= share] = -np.inf
        weight = nearest_rotation(_between(x, y, similarity) + known)
    return lambda z: unit(z - centre) @ weight + offset


def _between(x, y, similarity):
    """Sum the products `[d, e]` of rows with their nearest, both ways."""
    return x.T @ y[similarity.argmax(1)] + x[similarity.argmax(0)].T @ y


def _profile(z):
    """Give the sorted similarities `[n, n]` of each row to all, by the root of the Gram matrix, as unit vectors."""
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    ordered = unit(np.sort((u * s) @ u.T, axis=1))
    return unit(ordered - ordered.mean(0)).astype(np.float32)
