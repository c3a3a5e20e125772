"""How fast a thousand small maps are fitted: repeats with other anchors, by `jax.vmap` over the solver."""

import functools

import jax
import numpy as np

from align import solvers
from align_lab.bench import harness, point_sets


def linear_by_numpy(source, target):
    return np.linalg.lstsq(source, target)[0]


def rigid_by_numpy(source, target):
    x, y = source - source.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(x.T @ y)
    return u @ vt


def jobs(small):
    """List one question for each family."""
    fits, anchors, d = (20, 12, 5) if small else (1_000, 100, 50)

    @functools.cache
    def batch():
        return [array.reshape(fits, anchors, d) for array in point_sets.pairs(fits * anchors, d, rigid=True)]

    def ours(solver):
        def prepare():
            source, target = map(jax.numpy.asarray, batch())
            several = jax.jit(jax.vmap(lambda x, y: solver(x, y).weight))
            return lambda: several(source, target)

        return prepare

    def loop(fit):
        return lambda: lambda: [fit(x, y) for x, y in zip(*batch(), strict=True)]

    return [
        harness.comparison(
            harness.Case(
                question=f"{fits:,} {solver.__name__} fits, {anchors} anchors, d = {d}",
                ours=ours(solver),
                peers={"numpy loop": loop(fit)},
                goals=[harness.Goal("numpy loop", 1.0)],
                check=lambda weights: {"weight_norm": np.linalg.norm(np.asarray(weights).astype(np.float64))},
            )
        )
        for solver, fit in ((solvers.linear, linear_by_numpy), (solvers.rigid, rigid_by_numpy))
    ]
