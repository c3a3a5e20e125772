"""How fast exact nearest neighbours within classes are found.

10 classes of 6,000 queries and 6,000 points of 150 dimensions, float32.
"""

import functools

import jax
import numpy as np

from align.linalg.neighbours import nearest
from align_lab.bench import harness, point_sets


def jobs(small):
    """List the one question."""
    classes, n, d = (3, 200, 10) if small else (10, 6_000, 150)

    @functools.cache
    def points():
        return [array.reshape(classes, n, d) for array in point_sets.pairs(classes * n, d, rigid=True)]

    def ours():
        queries, targets = map(jax.numpy.asarray, points())
        return lambda: nearest(queries, targets)[0][..., 0]

    def scikit_learn():
        from sklearn.neighbors import NearestNeighbors

        def run():
            return [
                NearestNeighbors(n_neighbors=1, algorithm="brute").fit(y).kneighbors(x, return_distance=False)[:, 0]
                for x, y in zip(*points(), strict=True)
            ]

        return run

    def faiss_flat():
        import faiss

        def one(x, y):
            index = faiss.IndexFlatL2(d)
            index.add(y)
            return index.search(x, 1)[1][:, 0]

        return lambda: [one(x, y) for x, y in zip(*points(), strict=True)]

    def mean_distance(indices):
        queries, targets = points()
        found = np.take_along_axis(targets, np.asarray(indices)[..., None], 1)
        return {"mean_distance": np.linalg.norm((queries - found).astype(np.float64), axis=-1).mean()}

    case = harness.Case(
        question=f"nearest neighbours, {classes} x ({n:,} x {n:,} x {d})",
        ours=ours,
        peers={"scikit-learn brute force": scikit_learn, "faiss-cpu flat": faiss_flat},
        goals=[harness.Goal("scikit-learn brute force", 1.0), harness.Goal("faiss-cpu flat", 1.0)],
        work=harness.Work(classes * n * n * d, "float32", bytes=8 * classes * n * d),
        check=mean_distance,
    )
    return [harness.comparison(case)]
