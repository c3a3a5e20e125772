"""Every metric beside its definition in float64 NumPy, and correlated sets to try them on."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from align import metrics


class Metric(NamedTuple):
    """call: the metric under test; reference: the same in float64 NumPy, of arrays without a bad row."""

    call: Callable
    reference: Callable
    predicts: bool = False


def sets(rows=40, d=4, seed=0, dtype=np.float32):
    """Return a target and a prediction of it with errors, `[rows, d]` each, neither centred."""
    random = np.random.default_rng(seed)
    target = random.normal(size=(rows, d)) * np.linspace(1, 2, d) + 0.5
    return (target + 0.7 * random.normal(size=target.shape)).astype(dtype), target.astype(dtype)


def _double(reference):
    return lambda x, y: reference(np.asarray(x, np.float64), np.asarray(y, np.float64))


def _centred(a):
    a = a / np.abs(a).max()
    return a - a.mean(0)


def _cka(k, l, unbiased):
    n = len(k)

    def hsic(k, l):
        if not unbiased:
            centred = [a - a.mean(0) - a.mean(1)[:, None] + a.mean() for a in (k, l)]
            return (centred[0] * centred[1]).sum()
        k, l = (a - np.diag(np.diag(a)) for a in (k, l))
        means = k.sum() * l.sum() / ((n - 1) * (n - 2))
        return ((k * l).sum() + means - 2 / (n - 2) * (k.sum(1) @ l.sum(1))) / (n * (n - 3))

    return np.array([hsic(k, l), hsic(k, k), hsic(l, l)])


def _ratio(terms):
    return terms[0] / np.sqrt(terms[1] * terms[2])


def _linear(a):
    a = _centred(a)
    return a @ a.T


def _gaussian(a, bandwidth=0.7):
    squared = _distances(_centred(a), _centred(a)) ** 2
    return np.exp(-squared / (2 * bandwidth**2 * np.median(squared[np.triu_indices(len(a), 1)])))


def _distances(x, y):
    return np.linalg.norm(x[:, None] - y[None], axis=-1)


def kernels(kernel, unbiased):
    return lambda x, y: _ratio(_cka(kernel(x), kernel(y), unbiased))


def minibatch(x, y, size=10):
    batches = [slice(i, i + size) for i in range(0, len(x) // size * size, size)]
    x, y = (a / np.abs(a).max() for a in (x, y))  # of one scale for all batches, whose terms are averaged
    kernel = [[(a[b] - a[b].mean(0)) @ (a[b] - a[b].mean(0)).T for b in batches] for a in (x, y)]
    return _ratio(np.mean([_cka(k, l, True) for k, l in zip(*kernel, strict=True)], 0))


def correlations(x, y, variance=1.0):
    bases = []
    for a in (x, y):
        u, s, _ = np.linalg.svd(_centred(a), full_matrices=False)
        share = np.cumsum(s**2) / (s**2).sum()
        bases.append(u[:, : np.searchsorted(share, variance - 1e-12) + 1])
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def procrustes(x, y, normalise):
    scale = max(np.abs(x).max(), np.abs(y).max())
    x, y = ((a - a.mean(0)) / scale for a in (x, y))
    if normalise:
        x, y = (a / np.linalg.norm(a) for a in (x, y))
    aligned = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return np.sqrt((x**2).sum() + (y**2).sum() - 2 * aligned) * (1 if normalise else scale)


def _far(x, y, metric):
    if metric == "euclidean":
        # Half of |x − y|², without |x|², in which the rest is lost where x is far away.
        x, y = x - y.mean(0), y - y.mean(0)
        return (y**2).sum(1) / 2 - x @ y.T
    x, y = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))
    return -x @ y.T


def overlap(x, y, metric):
    near = []
    for a in (x, y):
        far = _far(_centred(a) if metric == "euclidean" else a, _centred(a) if metric == "euclidean" else a, metric)
        np.fill_diagonal(far, np.inf)
        near.append(np.argsort(far, 1)[:, :5])
    return np.mean([len(np.intersect1d(*pair)) for pair in zip(*near, strict=True)]) / 5


def residual(x, y):
    return np.linalg.norm(x - y) / np.linalg.norm(y - y.mean(0))


def mean_cosine(x, y):
    return np.mean((x * y).sum(1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)))


def ranks(x, y, metric="cosine"):
    far = _far(x, y, metric)
    return 1 + (far < np.diag(far)[:, None]).sum(1)


METRICS = {
    "linear_cka": Metric(metrics.linear_cka, kernels(_linear, False)),
    "linear_cka, unbiased": Metric(partial(metrics.linear_cka, unbiased=True), kernels(_linear, True)),
    "kernel_cka": Metric(partial(metrics.kernel_cka, bandwidth=0.7), kernels(_gaussian, False)),
    "kernel_cka, unbiased": Metric(partial(metrics.kernel_cka, bandwidth=0.7, unbiased=True), kernels(_gaussian, True)),
    "minibatch_cka": Metric(partial(metrics.minibatch_cka, batch_size=10), minibatch),
    "canonical_correlations": Metric(metrics.canonical_correlations, correlations),
    "cca": Metric(metrics.cca, lambda x, y: correlations(x, y).mean()),
    "svcca": Metric(partial(metrics.svcca, variance=0.9), lambda x, y: correlations(x, y, 0.9).mean()),
    "procrustes_distance": Metric(metrics.procrustes_distance, partial(procrustes, normalise=True)),
    "procrustes_distance, plain": Metric(
        partial(metrics.procrustes_distance, normalise=False), partial(procrustes, normalise=False)
    ),
    "mutual_knn_overlap": Metric(partial(metrics.mutual_knn_overlap, k=5), partial(overlap, metric="euclidean")),
    "mutual_knn_overlap, cosine": Metric(
        partial(metrics.mutual_knn_overlap, k=5, metric="cosine"), partial(overlap, metric="cosine")
    ),
    "relative_residual": Metric(metrics.relative_residual, residual, True),
    "r_squared": Metric(metrics.r_squared, lambda x, y: 1 - residual(x, y) ** 2, True),
    "mean_cosine": Metric(metrics.mean_cosine, mean_cosine, True),
    "retrieval_ranks": Metric(metrics.retrieval_ranks, ranks, True),
    "retrieval_ranks, euclidean": Metric(
        partial(metrics.retrieval_ranks, metric="euclidean"), partial(ranks, metric="euclidean"), True
    ),
    "mean_reciprocal_rank": Metric(metrics.mean_reciprocal_rank, lambda x, y: np.mean(1 / ranks(x, y)), True),
    "top_k_accuracy": Metric(partial(metrics.top_k_accuracy, k=3), lambda x, y: np.mean(ranks(x, y) <= 3), True),
}
METRICS = {name: each._replace(reference=_double(each.reference)) for name, each in METRICS.items()}
