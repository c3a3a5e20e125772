"""How long iterative closest points takes to come to rest.

    python experiments/benchmarks/icp.py

60,000 points of 50 dimensions on each side in 10 classes, no pairs; rigid steps from the class means, matches one-sided
and within the class, as in the paper. The peer is the same loop: the same start, matches, step and test for rest, after
which it stops; ours goes through the iterations it is given.
"""

import functools

import harness
import jax
import numpy as np

from align import solvers

TOLERANCE = 1e-4


def procrustes(source, target):
    """Fit a rigid map: weight and bias."""
    x, y = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - x).T @ (target - y))
    weight = u @ vt
    return weight, y - x @ weight


def jobs(small):
    """List the one question."""
    n, d, classes, iterations = (600, 8, 3, 20) if small else (60_000, 50, 10, 20)

    @functools.cache
    def clouds():
        """Draw two samples of one mixture, the target turned and moved: points `[n, d]` and labels `[n]` of each."""
        rng = np.random.default_rng(0)
        means = rng.standard_normal((classes, d), np.float32)
        spreads = np.geomspace(2, 0.2, d, dtype=np.float32)
        labels = [rng.integers(classes, size=n) for _ in range(2)]
        source, target = (means[which] + spreads * rng.standard_normal((n, d), np.float32) for which in labels)
        turn = np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)
        return source, labels[0], target @ turn + 1, labels[1]

    def ours():
        source, source_labels, target, target_labels = clouds()
        source, target = jax.numpy.asarray(source), jax.numpy.asarray(target)

        def run():
            fitted = solvers.icp(
                jax.random.key(0),
                source,
                target,
                source_labels=source_labels,
                target_labels=target_labels,
                iterations=iterations,
            )
            return fitted.weight, fitted.bias, fitted.iterations

        return run

    def scikit_learn():
        from sklearn.neighbors import NearestNeighbors

        def run():
            source, source_labels, target, target_labels = clouds()
            rows = [np.flatnonzero(source_labels == k) for k in range(classes)]
            sides = [target[target_labels == k] for k in range(classes)]
            indices = [NearestNeighbors(n_neighbors=1, algorithm="brute").fit(y) for y in sides]
            starts = [source[own].mean(0) for own in rows], [y.mean(0) for y in sides]
            weight, bias = procrustes(*map(np.stack, starts))
            spread = np.sqrt(((target - target.mean(0)) ** 2).sum(1).mean())
            matched = np.empty((n, d), np.float32)
            change, taken = np.inf, 0
            while change > TOLERANCE and taken < iterations:
                mapped = source @ weight + bias
                for own, index, y in zip(rows, indices, sides, strict=True):
                    matched[own] = y[index.kneighbors(mapped[own], return_distance=False)[:, 0]]
                before, (weight, bias) = (weight, bias), procrustes(source, matched)
                turned = np.linalg.norm(weight - before[0]) / np.linalg.norm(before[0])
                change, taken = max(turned, np.linalg.norm(bias - before[1]) / spread), taken + 1
            return weight, bias, taken

        return run

    def described(result):
        weight, bias, taken = result
        source, _, target, _ = clouds()
        mapped = source @ np.asarray(weight) + np.asarray(bias)
        return {"iterations": taken, "weight_norm": np.linalg.norm(weight), "mean_gap": abs(mapped - target).mean()}

    case = harness.Case(
        question=f"ICP, {n:,} x {d}, {classes} classes, rigid steps",
        ours=ours,
        peers={"the same loop on scikit-learn and numpy": scikit_learn},
        goals=[harness.Goal("the same loop on scikit-learn and numpy", 3.0)],
        check=described,
    )
    return [harness.comparison(case)]


if __name__ == "__main__":
    harness.main(jobs)
