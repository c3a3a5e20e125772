"""Centroids matched by a quadratic assignment, refined by assignments of batches; written for comparison.

After what is reported of "Shared Geometry as a Rosetta Stone" (2026, arXiv 2610.09411): clusters of either side are
matched so that their centred Gram matrices are the most alike (CKA), an orthogonal map is fitted to them, and batches
of rows are assigned to each other one to one and fitted again. Known pairs are matched from the start, and take part in
every fit. The numbers of clusters, batches and steps are ours.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment, quadratic_assignment
from sklearn.cluster import KMeans

from align_lab.crossing.rotations import nearest_rotation
from align_lab.texts.unit_length import unit

CLUSTERS, RUNS = 60, 10
STEPS, BATCH = 40, 1500
# The most pairs that the assignment of centroids is given: beyond, they determine it anyway, and it is slow.
_MOST_PAIRS = 100


def fit(
    random: np.random.Generator, source: np.ndarray, target: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a map between clouds `[n, d]` and `[m, e]`, from pairs `[p, d]` and `[p, e]` too, where there are any."""
    centre, offset = source.mean(0), target.mean(0)
    x, y, u, v = unit(source - centre), unit(target - offset), unit(pairs[0] - centre), unit(pairs[1] - offset)
    found = [_matched(random, x, y, u[:_MOST_PAIRS], v[:_MOST_PAIRS]) for _ in range(RUNS)]
    _, a, b = max(found, key=lambda one: one[0])
    known = u.T @ v
    weight = nearest_rotation(a.T @ b + known)
    for _ in range(STEPS):
        some, others = (z[random.permutation(len(z))[:BATCH]] for z in (x, y))
        rows, columns = linear_sum_assignment(unit(some @ weight) @ others.T, maximize=True)
        weight = nearest_rotation(some[rows].T @ others[columns] + known)
    return lambda z: unit(z - centre) @ weight + offset


def _matched(random, x, y, u, v):
    """Match centroids, and pairs with themselves: how alike their Gram matrices are, `[c, d]` and `[c, e]` matched."""
    both = [np.concatenate([known, _centroids(random, z)]) for z, known in ((x, u), (y, v))]
    a, b = (_centred(c @ c.T) for c in both)
    seeds = np.column_stack([np.arange(len(u))] * 2)
    options = {"maximize": True, "partial_match": seeds, "rng": random}
    if not len(u):
        options["P0"] = "randomized"
    found = quadratic_assignment(a, b, method="faq", options=options)
    return found.fun / (np.linalg.norm(a) * np.linalg.norm(b)), both[0], both[1][found.col_ind]


def _centred(gram):
    rows = gram - gram.mean(0)
    return rows - rows.mean(1, keepdims=True)


def _centroids(random, z):
    seed = int(random.integers(2**31))
    return unit(KMeans(CLUSTERS, n_init=1, max_iter=50, random_state=seed).fit(z).cluster_centers_.astype(z.dtype))
