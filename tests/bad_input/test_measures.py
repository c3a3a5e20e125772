"""Metrics against arrays and options that do not fit."""

import numpy as np
from refusals import Refusal, every

from align import metrics

X, Y = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
STRINGS = np.full((6, 3), "a")

PREDICTIONS = (
    "retrieval_ranks",
    "mean_reciprocal_rank",
    "top_k_accuracy",
    "relative_residual",
    "r_squared",
    "mean_cosine",
)
METRICS = (
    "linear_cka", "kernel_cka", "minibatch_cka", "canonical_correlations", "cca", "svcca", "procrustes_distance",
    "mutual_knn_overlap", *PREDICTIONS,
)  # fmt: skip
SETS = {
    "one axis": ((X[:, 0], Y), "x", "(6,)", "two axes, rows and features"),
    "three axes": ((X, Y[None]), "y", "(1, 6, 3)", "two axes, rows and features"),
    "no features": ((X[:, :0], Y), "x", "(6, 0)", "at least one feature"),
    "rows that do not correspond": ((X[:5], Y), "x", "5 rows and y 6", "the same number, in correspondence"),
    "no rows": ((X[:0], Y[:0]), "x and y", "0 rows", "at least"),
    "complex numbers": ((X, 1j * Y), "y", "complex", "real numbers"),
    "strings": ((STRINGS, Y), "x", "<U1 (6, 3)", "array of real numbers"),
    "objects": ((X, np.full((6, 3), None)), "y", "object (6, 3)", "array of real numbers"),
    "rows of unequal length": (([[1.0], [2.0, 3.0]], Y), "x", "list", "array of real numbers"),
    "nothing": ((X, None), "y", "NoneType", "array of real numbers"),
}


def metric_of(name, pair, argument, came, expected):
    if name in PREDICTIONS:  # whose arguments have names of their own
        argument = argument.replace("x", "prediction").replace("y", "target")
        came = came.replace("and y", "and target")
    return Refusal(lambda: getattr(metrics, name)(*pair), argument, came, expected)


@every(
    {f"{name}: {what}": metric_of(name, pair, *words) for name in METRICS for what, (pair, *words) in SETS.items()}
    | {
        f"{name}: unequal dimensions": Refusal(
            lambda name=name: getattr(metrics, name)(X, Y[:, :2]),
            "prediction",
            "(6, 3) and target (6, 2)",
            "prediction in the space of target",
        )
        for name in PREDICTIONS
    }
)
def test_metrics(refusal):
    refusal.check()


def metric_refusal(name, argument, value, expected, rows=6, **options):
    call = lambda: getattr(metrics, name)(X[:rows], Y[:rows], **options, **{argument: value})  # noqa: E731
    return Refusal(call, argument, f"is {value!r}", expected)


POSITIVE, BATCH = "a positive multiple of the median distance", "4 to the number of rows, 6"
SHARE, OTHERS, NAMES = "a share in (0, 1]", "1 to the number of other rows, 5", "'cosine' or 'euclidean'"
OPTIONS = [
    *(("kernel_cka", "bandwidth", value, POSITIVE) for value in (0, -1.0, float("nan"), "wide", [1.0])),
    *(("minibatch_cka", "batch_size", value, BATCH) for value in (3, 0, -4, 7, 4.5, "4", True)),
    *(("svcca", "variance", value, SHARE) for value in (0, -0.5, 1.5, float("nan"), "all", None)),
    *(("mutual_knn_overlap", "k", value, OTHERS) for value in (0, -1, 6, 10**12, 2.5, "2", None)),
    *(("top_k_accuracy", "k", value, "a positive number of neighbours") for value in (0, -3, 1.5, "5")),
    *((name, "metric", "dot", NAMES) for name in ("mean_reciprocal_rank", "top_k_accuracy", "retrieval_ranks")),
    ("retrieval_ranks", "metric", "", NAMES),
    ("retrieval_ranks", "metric", None, NAMES),
    *(("retrieval_ranks", "block", value, "a positive number of rows") for value in (0, -1, 2.0)),
]


@every(
    {
        f"{name}: {argument} {value!r}": metric_refusal(name, argument, value, words)
        for name, argument, value, words in OPTIONS
    }
    | {
        "mutual_knn_overlap: unknown metric": metric_refusal("mutual_knn_overlap", "metric", "manhattan", NAMES, k=2),
        "mutual_knn_overlap: block 0": metric_refusal(
            "mutual_knn_overlap", "block", 0, "a positive number of rows", k=2
        ),
        "minibatch_cka: bandwidth -1": metric_refusal("minibatch_cka", "bandwidth", -1, POSITIVE, batch_size=4),
        "linear_cka: unbiased of 3 rows": Refusal(
            lambda: metrics.linear_cka(X[:3], Y[:3], unbiased=True), "x and y", "3 rows", "at least 4"
        ),
        "kernel_cka: unbiased of 3 rows": Refusal(
            lambda: metrics.kernel_cka(X[:3], Y[:3], unbiased=True), "x and y", "3 rows", "at least 4"
        ),
        "kernel_cka: one row": Refusal(lambda: metrics.kernel_cka(X[:1], Y[:1]), "x and y", "1 rows", "at least 2"),
    }
)
def test_options_of_metrics(refusal):
    refusal.check()
