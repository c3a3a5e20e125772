"""Every solver from pairs against arrays, weights and options that do not fit."""

import functools

import numpy as np
from refusals import Refusal, every
from scipy.sparse import csr_matrix
from wrong_arrays import ARRAYS, KEY, ONES, X, Y, with_one

from align import solvers
from align.stitching import StitchingMap, StitchingNetwork, stitch_pairs, stitching

PAIRED = {
    **{name: solver.fit for name, solver in solvers.SOLVERS.items() if solver.needs == "pairs"},
    "reduced_rank": functools.partial(solvers.reduced_rank, rank=2),
    "ridge": functools.partial(solvers.ridge, towards="zero"),
}
OF_PAIRS = {
    "rows that do not correspond": ({"source": X[:5]}, "source and target", "(5, 3) and (6, 3)", "as many rows"),
    "no rows": ({"source": X[:0], "target": Y[:0]}, "source and target", "(0, 3) and (0, 3)", "need at least"),
    "values whose squares overflow": ({"target": 1e30 * Y}, "target", "e+30", "expected a smaller scale"),
    "too few weights": ({"weights": ONES[:5]}, "weights", "(5,)", "[6], one per row of source"),
    "weights of two axes": ({"weights": ONES[:, None]}, "weights", "(6, 1)", "[6], one per row of source"),
    "strings as weights": ({"weights": ["one"] * 6}, "weights", "list", "array of real numbers"),
    "complex weights": ({"weights": 1j * ONES}, "weights", "complex", "real numbers"),
    "NaN among the weights": ({"weights": with_one(np.nan, ONES)}, "weights", "holds NaN or infinity"),
    "a negative weight": ({"weights": with_one(-1, ONES)}, "weights", "negative", "must not be"),
    "a negative weight of a copy": (
        {"source": np.r_[X, X[:1]], "target": np.r_[Y, Y[:1]], "weights": np.r_[ONES, -0.5]},
        "weights",
        "negative",
        "must not be",
    ),
    "weights of zero": ({"weights": 0 * ONES}, "weights", "", "one of them must be positive"),
}


def refused(solve, changes, *words):
    given = {"source": X, "target": Y, "weights": ONES}
    return Refusal(lambda: solve(**{**given, **changes}), *words)


@every(
    {
        f"{name}: {what}": refused(solve, *case)
        for name, solve in PAIRED.items()
        for what, case in {**ARRAYS, **OF_PAIRS}.items()
    }
)
def test_pairs(refusal):
    refusal.check()


WIDER = ("source", "(6, 3) and (6, 2)", "must not have more dimensions than target")


def short(name):
    return lambda **changes: getattr(solvers, name)(**{"source": X, "target": Y, **changes})


@every(
    {
        **{
            f"{name}: more dimensions than the target": Refusal(lambda n=name: short(n)(target=Y[:, :2]), *WIDER)
            for name in ("orthogonal", "rigid", "similarity")
        },
        "a sparse matrix": Refusal(
            lambda: solvers.affine(csr_matrix(X), Y), "source", "csr_matrix float32 (6, 3)", "array of real numbers"
        ),
        "scaling: unequal dimensions": Refusal(
            lambda: solvers.scaling(X, Y[:, :2]), "source and target", "(6, 3) and (6, 2)", "share their dimensions"
        ),
        "reduced_rank: rank 0": Refusal(lambda: solvers.reduced_rank(X, Y, rank=0), "rank", "it is 0", "1 to 3"),
        "reduced_rank: rank -1": Refusal(lambda: solvers.reduced_rank(X, Y, rank=-1), "rank", "it is -1", "1 to 3"),
        "reduced_rank: rank 2.5": Refusal(lambda: solvers.reduced_rank(X, Y, rank=2.5), "rank", "it is 2.5", "1 to 3"),
        "reduced_rank: rank 4": Refusal(lambda: solvers.reduced_rank(X, Y, rank=4), "rank", "it is 4", "1 to 3"),
        "reduced_rank: rank above the narrower side": Refusal(
            lambda: solvers.reduced_rank(X, Y[:, :1], rank=2), "rank", "it is 2", "1 to 1"
        ),
        "ridge: unknown towards": Refusal(
            lambda: solvers.ridge(X, Y, towards="lasso"), "towards", "'lasso'", "one of ('zero', 'rigid'"
        ),
        "ridge: towards nothing": Refusal(lambda: solvers.ridge(X, Y, towards=None), "towards", "None", "one of"),
        "ridge: towards rigid into fewer dimensions": Refusal(
            lambda: solvers.ridge(X, Y[:, :2], towards="rigid"), *WIDER
        ),
        "ridge: one row": Refusal(lambda: solvers.ridge(X[:1], Y[:1]), "source and target", "(1, 3)", "at least 2 row"),
        "ridge: no strengths": Refusal(lambda: solvers.ridge(X, Y, strengths=[]), "strengths", "(0,)", "at least one"),
        "ridge: one strength": Refusal(lambda: solvers.ridge(X, Y, strengths=1.0), "strengths", "()", "[k]"),
        "ridge: a negative strength": Refusal(
            lambda: solvers.ridge(X, Y, strengths=[1.0, -1.0], towards="zero"), "strengths", "negative", "must not be"
        ),
        "ridge: a strength of NaN": Refusal(
            lambda: solvers.ridge(X, Y, strengths=[1.0, np.nan], towards="zero"), "strengths", "holds NaN or infinity"
        ),
        "ridge: weights of one row": Refusal(
            lambda: solvers.ridge(X, Y, weights=np.eye(6)[0], towards="zero"),
            "weights",
            "[1. 0. 0. 0. 0. 0.]",
            "positive for two rows",
        ),
        "stitching: one axis": Refusal(lambda: stitching(KEY, X[:, 0], Y), "source", "(6,)", "[rows, dimensions]"),
        "stitching: rows that do not correspond": Refusal(
            lambda: stitching(KEY, X[:5], Y), "source and target", "(5, 3) and (6, 3)", "as many rows"
        ),
        "stitching: no rows": Refusal(
            lambda: stitching(KEY, X[:0], Y[:0]), "source and target", "(0, 3)", "at least 1"
        ),
        "stitching: strings": Refusal(
            lambda: stitching(KEY, np.full((6, 3), "a"), Y), "source", "<U1 (6, 3)", "array of real numbers"
        ),
        "stitching: complex numbers": Refusal(lambda: stitching(KEY, X, 1j * Y), "target", "complex", "real numbers"),
        "stitching: squares that overflow": Refusal(
            lambda: stitching(KEY, 1e25 * X, Y), "source", "whose squares exceed float32", "a smaller scale"
        ),
        "stitching: a seed": Refusal(lambda: stitching(0, X, Y), "key", "it is 0", "jax.random.key(0)"),
        "stitch_pairs: no pairs": Refusal(lambda: stitch_pairs([], [], []), "keys", "[0, 0, 0]", "at least one"),
        "stitch_pairs: too few keys": Refusal(
            lambda: stitch_pairs([KEY], [X, X], [Y, Y]), "keys, sources, targets", "[1, 2, 2]", "as many"
        ),
        "a stitching map: points of other dimensions": Refusal(
            lambda: StitchingMap(StitchingNetwork(1, 3), {"params": {"Dense_0": {"kernel": X[:3]}}})([[1.0, 2.0]]),
            "x",
            "(1, 2)",
            "[..., 3]",
        ),
        "stitching: NaN": Refusal(lambda: stitching(KEY, X, with_one(np.nan)), "target", "holds NaN or infinity"),
        **{
            f"stitching: {what}": Refusal(lambda weights=weights: stitching(KEY, X, Y, weights=weights), *words)
            for what, (weights, *words) in {
                "too few weights": (ONES[:4], "weights", "(4,)", "[6], one per row of source"),
                "weights of zero": (0 * ONES, "weights", "", "one of them must be positive"),
                "a negative weight": (with_one(-1, ONES), "weights", "negative", "must not be"),
                "NaN among the weights": (with_one(np.nan, ONES), "weights", "holds NaN or infinity"),
            }.items()
        },
        "stitching: factor 0": Refusal(lambda: stitching(KEY, X, Y, factor=0), "factor", "it is 0", "at least 1"),
        "stitch_pairs: one of the pairs": Refusal(
            lambda: stitch_pairs([KEY] * 2, [X, X[:4]], [Y, Y]),
            "source and target",
            "(4, 3) and (6, 3)",
            "as many rows",
        ),
    }
)
def test_options_of_pairs(refusal):
    refusal.check()
