"""How fast linear, affine and rigid maps are fitted to all pairs of a training set, and how accurately.

60,000 pairs, 150 to 150 dimensions, float32; the error is that of the weight against the same fit in float64.
"""

import functools
import importlib

import jax
import numpy as np

from align import solvers
from align_lab.bench import harness, point_sets


def ours(solver, pair):
    def prepare():
        source, target = (jax.numpy.asarray(array) for array in pair())
        return lambda: solver(source, target).weight

    return prepare


def lstsq(module, pair, intercept):
    """Solve by the function of this name in a module, which may not be installed."""

    def prepare():
        solve = importlib.import_module(module).lstsq
        source, target = pair()

        def run():
            columns = point_sets.with_ones(source) if intercept else source
            return solve(columns, target)[0][: source.shape[1]]

        return run

    return prepare


def numpy_normal_equations(pair, intercept):
    """Solve the normal equations in float64."""

    def prepare():
        source, target = pair()

        def run():
            columns = (point_sets.with_ones(source) if intercept else source).astype(np.float64)
            return np.linalg.solve(columns.T @ columns, columns.T @ target)[: source.shape[1]]

        return run

    return prepare


def scikit_learn(pair, intercept):
    def prepare():
        from sklearn.linear_model import LinearRegression

        source, target = pair()
        return lambda: LinearRegression(fit_intercept=intercept).fit(source, target).coef_.T

    return prepare


def pytorch_lstsq(pair, intercept):
    def prepare():
        device = harness.torch_device()
        import torch

        source, target = (torch.from_numpy(array).to(device) for array in pair())

        def run():
            columns = torch.hstack([source, torch.ones_like(source[:, :1])]) if intercept else source
            return torch.linalg.lstsq(columns, target, driver="gels").solution[: source.shape[1]].cpu().numpy()

        return run

    return prepare


def latentis_lstsq(pair, intercept):
    def prepare():
        import torch
        from latentis.transform.translate.functional import lstsq_align_state

        source, target = (torch.from_numpy(array) for array in pair())

        def run():
            columns = torch.hstack([source, torch.ones_like(source[:, :1])]) if intercept else source
            return lstsq_align_state(columns, target)["matrix"][: source.shape[1]].numpy()

        return run

    return prepare


def scipy_procrustes(pair):
    def prepare():
        from scipy import linalg

        def run():
            source, target = point_sets.centred(pair())
            return linalg.orthogonal_procrustes(source, target)[0]

        return run

    return prepare


def latentis_procrustes(pair):
    def prepare():
        import torch
        from latentis.transform.translate.functional import svd_align_state

        source, target = (torch.from_numpy(array) for array in pair())
        return lambda: svd_align_state(source - source.mean(0), target - target.mean(0))["matrix"].numpy()

    return prepare


def qc_procrustes(pair):
    def prepare():
        import procrustes

        return lambda: procrustes.orthogonal(*pair(), translate=True).t

    return prepare


@functools.lru_cache(maxsize=1)
def several(count, n, d):
    """Draw spaces of one latent space, turned, with noise."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((n, d), np.float32) * np.geomspace(3, 0.3, d, dtype=np.float32)
    turns = [np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32) for _ in range(count)]
    return [latent @ turn + 0.3 * rng.standard_normal((n, d), np.float32) for turn in turns]


def numpy_generalised_procrustes(spaces):
    """Turn every space in turn onto the mean of all, over the rows, until what is left of them changes no more."""

    def prepare():
        centred = [space - space.mean(0) for space in spaces()]

        def run():
            turned, before = list(centred), np.inf
            for _ in range(100):
                for i, space in enumerate(centred):
                    u, _, vt = np.linalg.svd(space.T @ (sum(turned) - turned[i]))
                    turned[i] = space @ (u @ vt)
                mean = sum(turned) / len(turned)
                left = sum(((one - mean) ** 2).sum() for one in turned)
                if before - left < 1e-6 * left:
                    return mean
                before = left
            return mean

        return run

    return prepare


def jobs(small):
    """List one question for each family."""
    n, d = (2_000, 20) if small else (60_000, 150)
    general, rigid = (functools.partial(point_sets.pairs, n, d, rigid=rigid) for rigid in (False, True))

    @functools.cache
    def exact(intercept):
        source, target = (array.astype(np.float64) for array in general())
        if intercept:
            source, target = source - source.mean(0), target - target.mean(0)
        return np.linalg.lstsq(source, target)[0]

    @functools.cache
    def exact_rotation():
        source, target = point_sets.centred(point_sets.Pairs(*(array.astype(np.float64) for array in rigid())))
        u, _, vt = np.linalg.svd(source.T @ target)
        return u @ vt

    cases = [
        harness.Case(
            question=f"{solver.__name__} fit, {n:,} x {d} → {d}",
            ours=ours(solver, general),
            peers={
                "numpy lstsq": lstsq("numpy.linalg", general, intercept),
                "numpy, normal equations in float64": numpy_normal_equations(general, intercept),
                "scipy lstsq": lstsq("scipy.linalg", general, intercept),
                "scikit-learn LinearRegression": scikit_learn(general, intercept),
                "torch lstsq (gels)": pytorch_lstsq(general, intercept),
                "latentis lstsq": latentis_lstsq(general, intercept),
            },
            goals=[harness.Goal(harness.FASTEST, 1.0)],
            # The Gram matrix is symmetric.
            work=harness.Work(n * d * (d + 1) / 2 + n * d * d, "float32", bytes=8 * n * d),
            check=functools.partial(_error, functools.partial(exact, intercept)),
        )
        for solver, intercept in ((solvers.linear, False), (solvers.affine, True))
    ]
    cases.append(
        harness.Case(
            question=f"rigid fit, {n:,} x {d} → {d}",
            ours=ours(solvers.rigid, rigid),
            peers={
                "scipy orthogonal_procrustes": scipy_procrustes(rigid),
                "latentis SVD": latentis_procrustes(rigid),
                "qc-procrustes": qc_procrustes(rigid),
            },
            goals=[harness.Goal(harness.FASTEST, 1.0)],
            work=harness.Work(n * d * d, "float32", bytes=8 * n * d),
            check=functools.partial(_error, exact_rotation),
        )
    )
    count, n, d = (3, 500, 8) if small else (10, 60_000, 50)
    spaces = functools.partial(several, count, n, d)
    cases.append(
        harness.Case(
            question=f"consensus, {count} spaces of {n:,} x {d}, strength chosen among seven",
            ours=lambda: lambda: solvers.consensus(spaces()),
            peers={"numpy, generalised Procrustes alone": numpy_generalised_procrustes(spaces)},
            most=10.0,
            # The Gram matrix of all spaces side by side.
            work=harness.Work(n * (count * d) * (count * d + 1) / 2, "float32", bytes=4 * n * count * d),
        )
    )
    return [harness.comparison(case) for case in cases]


def _error(exact, weight):
    return point_sets.error(weight, exact())
