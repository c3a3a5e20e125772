"""How fast a ridge map is fitted whose strength is chosen by leave-one-out.

10,000 pairs, 384 to 384 dimensions, 60 strengths; both solve the same problem, and choose the same strength.
"""

import jax
import numpy as np

from align import solvers
from align_lab.bench import harness, point_sets


def jobs(small):
    """List the one question."""
    n, d = (500, 24) if small else (10_000, 384)
    strengths = np.geomspace(1e-2, 1e5, 60).astype(np.float32)

    def ours():
        source, target = (jax.numpy.asarray(array) for array in point_sets.pairs(n, d))

        def run():
            fitted = solvers.ridge(source, target, strengths=strengths, towards="zero")
            return fitted.details.strength, fitted.weight

        return run

    def scikit_learn():
        from sklearn.linear_model import RidgeCV

        source, target = point_sets.pairs(n, d)

        def run():
            fitted = RidgeCV(alphas=strengths).fit(source, target)
            return fitted.alpha_, fitted.coef_.T

        return run

    case = harness.Case(
        question=f"ridge, leave-one-out over {len(strengths)} strengths, {n:,} x {d} → {d}",
        ours=ours,
        peers={"scikit-learn RidgeCV": scikit_learn},
        goals=[harness.Goal("scikit-learn RidgeCV", 1.0)],
        check=lambda result: {"strength": result[0], "weight_norm": np.linalg.norm(np.asarray(result[1]))},
    )
    return [harness.comparison(case)]
