"""How long iterative closest points takes to come to rest.

60,000 points of 50 dimensions on each side in 10 classes, the latents of the same images in no known order; matches
one-sided and within the class and rigid steps, as in the paper, from a map that is roughly right. The peer is the same
loop: start, matches, step, and the test for rest, after which it stops.
"""

import functools

import jax
import numpy as np

from align import solvers
from align_lab.bench import harness

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
        """Draw a mixture, turned and moved as the target: points `[n, d]` of both, labels `[n]`, and a first map."""
        rng = np.random.default_rng(0)
        labels = rng.integers(classes, size=n)
        spreads = np.geomspace(2, 0.2, d, dtype=np.float32)
        source = rng.standard_normal((classes, d), np.float32)[labels] + spreads * rng.standard_normal((n, d))
        turn, rough = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
        target = source @ turn + 1 + 0.1 * rng.standard_normal((n, d))
        u, _, vt = np.linalg.svd(turn + 0.3 * rough)
        source, target, start = (array.astype(np.float32) for array in (source, target, u @ vt))
        return source, target, labels, (start, target.mean(0) - source.mean(0) @ start)

    def ours():
        source, target, labels, start = clouds()
        source, target = jax.numpy.asarray(source), jax.numpy.asarray(target)

        def run():
            fitted = solvers.icp(
                jax.random.key(0),
                source,
                target,
                source_labels=labels,
                target_labels=labels,
                start=solvers.AffineMap(*start),
                iterations=iterations,
            )
            return fitted.weight, fitted.bias, fitted.iterations

        return run

    def scikit_learn():
        from sklearn.neighbors import NearestNeighbors

        def run():
            source, target, labels, (weight, bias) = clouds()
            rows = [np.flatnonzero(labels == k) for k in range(classes)]
            sides = [target[own] for own in rows]
            indices = [NearestNeighbors(n_neighbors=1, algorithm="brute").fit(y) for y in sides]
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
        source, target, *_ = clouds()
        gaps = source @ np.asarray(weight) + np.asarray(bias) - target
        return {"iterations": taken, "gap": np.sqrt((gaps**2).mean())}

    case = harness.Case(
        question=f"ICP, {n:,} x {d}, {classes} classes, rigid steps",
        ours=ours,
        peers={"the same loop on scikit-learn and numpy": scikit_learn},
        goals=[harness.Goal("the same loop on scikit-learn and numpy", 1.0)],
        # Of one iteration, and of the test for rest: all inner products within the classes.
        work=harness.Work(2 * n * n / classes * d, "float32", bytes=16 * n * d),
        check=described,
    )
    return [harness.comparison(case)]
