"""What metrics ignore and what they do not; compiled and one operation at a time; many rows; dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial
from metric_samples import rotation, sample

from align import metrics
from align.metrics import running_sums

pytestmark = pytest.mark.usefixtures("strict_promotion")


def shear(d):
    return (np.diag(np.geomspace(1, 8, d)) + np.triu(np.ones((d, d)), 1)).astype(np.float32)


SIDES = {
    "translation": lambda a: a + np.linspace(-4, 4, a.shape[1], dtype=np.float32),
    "orthogonal": lambda a: a @ rotation(a.shape[1]),
    "scale": lambda a: 7 * a,
    "linear": lambda a: a @ shear(a.shape[1]),
    "permutation": lambda a: a[::-1],
}
INVARIANCES = {
    "linear_cka": (metrics.linear_cka, "translation orthogonal scale"),
    "linear_cka unbiased": (lambda x, y: metrics.linear_cka(x, y, unbiased=True), "translation orthogonal scale"),
    "kernel_cka": (metrics.kernel_cka, "translation orthogonal scale"),
    "kernel_cka unbiased": (lambda x, y: metrics.kernel_cka(x, y, unbiased=True), "translation orthogonal scale"),
    "minibatch_cka": (lambda x, y: metrics.minibatch_cka(x, y, batch_size=20), "translation orthogonal scale"),
    "minibatch_cka kernel": (
        lambda x, y: metrics.minibatch_cka(x, y, batch_size=20, bandwidth=0.7),
        "translation orthogonal scale",
    ),
    "canonical_correlations": (metrics.canonical_correlations, "translation orthogonal scale linear"),
    "cca": (metrics.cca, "translation orthogonal scale linear"),
    "svcca": (lambda x, y: metrics.svcca(x, y, variance=0.9), "translation orthogonal scale"),
    "procrustes_distance": (metrics.procrustes_distance, "translation orthogonal scale"),
    "procrustes_distance plain": (
        lambda x, y: metrics.procrustes_distance(x, y, normalise=False),
        "translation orthogonal",
    ),
    "mutual_knn_overlap": (lambda x, y: metrics.mutual_knn_overlap(x, y, k=8), "translation orthogonal scale"),
    "mutual_knn_overlap cosine": (
        lambda x, y: metrics.mutual_knn_overlap(x, y, k=8, metric="cosine"),
        "orthogonal scale",
    ),
}

PREDICTIONS = {
    "relative_residual": (metrics.relative_residual, "translation orthogonal scale"),
    "r_squared": (metrics.r_squared, "translation orthogonal scale"),
    "mean_cosine": (metrics.mean_cosine, "orthogonal scale"),
    "ranks by cosine": (metrics.retrieval_ranks, "orthogonal scale"),
    "ranks by distance": (
        lambda x, y: metrics.retrieval_ranks(x, y, metric="euclidean"),
        "translation orthogonal scale",
    ),
}
COMPILED = {name: (jax.jit(metric), kept) for name, (metric, kept) in (INVARIANCES | PREDICTIONS).items()}


@pytest.mark.parametrize("transformation", SIDES)
@pytest.mark.parametrize("name", INVARIANCES)
def test_one_side_transformed(name, transformation):
    metric, invariances = COMPILED[name]
    x, y = sample()
    before = metric(x, y)
    for moved in (metric(SIDES[transformation](x), y), metric(x, SIDES[transformation](y))):
        change = float(jnp.max(jnp.abs(moved - before)))
        if transformation in invariances.split():
            assert change < 5e-5
        else:
            assert change > 2e-3


@pytest.mark.parametrize("name", INVARIANCES)
def test_joint_permutation_of_rows(name):
    metric, _ = COMPILED[name]
    x, y = sample()
    order = np.random.default_rng(3).permutation(len(x))
    change = float(jnp.max(jnp.abs(metric(x[order], y[order]) - metric(x, y))))
    if name.startswith("minibatch"):
        assert change > 1e-3
        within = np.arange(80).reshape(4, 20)[:, ::-1].ravel()
        assert float(abs(metric(x[within], y[within]) - metric(x, y))) < 5e-5
    else:
        assert change < 5e-5


@pytest.mark.parametrize("name", INVARIANCES)
def test_symmetric_in_its_arguments(name):
    metric, _ = COMPILED[name]
    x, y = sample(dy=6)
    np.testing.assert_allclose(metric(x, y), metric(y, x), atol=2e-5)


@pytest.mark.parametrize("transformation", ["translation", "orthogonal", "scale", "linear"])
@pytest.mark.parametrize("name", PREDICTIONS)
def test_both_sides_of_a_prediction_transformed(name, transformation):
    metric, invariances = COMPILED[name]
    y = sample()[1]
    x = y + np.random.default_rng(4).normal(size=y.shape).astype(np.float32)
    change = jnp.max(jnp.abs(metric(SIDES[transformation](x), SIDES[transformation](y)) - metric(x, y)))
    assert change < 5e-5 if transformation in invariances.split() else change > 5e-3


@pytest.mark.parametrize("name", PREDICTIONS)
def test_prediction_rows(name):
    metric, _ = COMPILED[name]
    y = sample()[1]
    x = y + np.random.default_rng(4).normal(size=y.shape).astype(np.float32)
    np.testing.assert_allclose(jnp.mean(metric(x[::-1], y[::-1])), jnp.mean(metric(x, y)), atol=1e-5)
    assert abs(jnp.mean(metric(x[::-1], y)) - jnp.mean(metric(x, y))) > 5e-3
    for move in ("translation", "orthogonal"):
        assert abs(jnp.mean(metric(SIDES[move](x), y)) - jnp.mean(metric(x, y))) > 5e-3


def test_only_cosine_retrieval_ignores_the_length_of_rows():
    y = sample()[1]
    x = y + np.random.default_rng(4).normal(size=y.shape).astype(np.float32)
    lengths = np.linspace(1, 9, len(x), dtype=np.float32)[:, None]
    np.testing.assert_array_equal(metrics.retrieval_ranks(x * lengths, y), metrics.retrieval_ranks(x, y))
    by_distance = [metrics.retrieval_ranks(a, y, metric="euclidean") for a in (x, x * lengths)]
    assert jnp.max(jnp.abs(by_distance[0] - by_distance[1])) > 1


@pytest.mark.parametrize("name", INVARIANCES | PREDICTIONS)
def test_jit_equals_eager_and_products_are_exact(name):
    metric, _ = (INVARIANCES | PREDICTIONS)[name]
    compiled, _ = COMPILED[name]
    x, y = sample(dy=6)
    np.testing.assert_allclose(compiled(x, y), metric(x, y), atol=2e-5)
    text = str(jax.make_jaxpr(metric)(x, y))
    assert text.count("dot_general") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)")


def test_dtypes():
    x, y = sample()
    whole = np.round(x).astype(np.int32), np.round(y).astype(np.int32)
    assert metrics.linear_cka(*whole).dtype == jnp.float32
    np.testing.assert_allclose(metrics.linear_cka(*whole), metrics.linear_cka(*(a.astype(np.float32) for a in whole)))
    half = metrics.linear_cka(jnp.asarray(x, jnp.bfloat16), jnp.asarray(y, jnp.bfloat16))
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, metrics.linear_cka(x, y), atol=1e-2)


def test_undefined_is_not_finite():
    x, _ = sample()
    constant = np.ones_like(x)
    for metric in (metrics.linear_cka, metrics.cca, metrics.procrustes_distance, metrics.relative_residual):
        assert not jnp.isfinite(metric(x, constant))


def test_an_exact_prediction_has_derivatives():
    target = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    for metric in (metrics.relative_residual, metrics.r_squared):
        np.testing.assert_array_equal(jax.grad(metric)(target, target), 0 * target)
    near = target + 1e-2 * np.random.default_rng(1).normal(size=target.shape).astype(np.float32)
    scale = np.sum((target - target.mean(0)) ** 2)
    np.testing.assert_allclose(jax.grad(metrics.r_squared)(near, target), 2 * (target - near) / scale, rtol=1e-4)


def test_a_row_however_far_off_spoils_no_other_place():
    target = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    prediction = target.copy()
    prediction[3] = 1e30
    ranks = metrics.retrieval_ranks(prediction, target, metric="euclidean")
    np.testing.assert_array_equal(np.delete(ranks, 3), 1)


def squares_between(a, b):
    return np.sum((a[:, None].astype(np.int64) - b[None].astype(np.int64)) ** 2, -1)


def shares_of_places(codes, k):
    squares = squares_between(codes, codes)
    np.fill_diagonal(squares, np.iinfo(np.int64).max)
    last = np.sort(squares, 1)[:, [k - 1]]
    before, equal = squares < last, squares == last
    return before + equal * (k - before.sum(1, keepdims=True)) / equal.sum(1, keepdims=True)


def codes_of_integers(kind, d, seed):
    """Return two sets of 300 codes `[300, d]` without rows of zeros, many of them at equal distances."""
    random = np.random.default_rng(seed)
    if kind == "one-hot":
        sides = np.eye(d)[random.integers(0, d, (2, 300))]
    elif kind == "bytes":
        sides = random.integers(-3, 4, (2, 300, d)) + 120
        sides[1] = np.where(random.random((300, d)) < 0.5, *sides)
    else:
        sides = np.tile(random.random((300, d)) < 0.5, (2, 1, 1))
        sides[1] ^= random.random((300, d)) < 0.2
        sides[..., 0] = True
    return sides.astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("binary", "euclidean"), ("bytes", "euclidean"), ("one-hot", "euclidean"), ("one-hot", "cosine")],
)
@pytest.mark.parametrize("d", [4, 16, 40])
def test_integers_at_equal_distances_are_ties(kind, metric, d):
    target, prediction = codes_of_integers(kind, d, seed=d)
    squares = squares_between(prediction, target)
    own = np.diag(squares)[:, None]
    ranks = 1 + (squares < own).sum(1) + ((squares == own).sum(1) - 1) / 2
    np.testing.assert_array_equal(metrics.retrieval_ranks(prediction, target, metric=metric), ranks)
    found = metrics.top_k_accuracy(prediction, target, k=5, metric=metric)
    np.testing.assert_allclose(found, (ranks <= 5).mean(), rtol=1e-6)
    for k in (1, 5):
        expected = (shares_of_places(prediction, k) * shares_of_places(target, k)).sum(1).mean() / k
        found = metrics.mutual_knn_overlap(prediction, target, k=k, metric=metric)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_running_sums_of_a_constant_target_have_no_spread():
    target = np.full((1000, 4), 0.1)
    whole = running_sums.add_up(target + 1, target)
    for sums in (whole, running_sums.merge(whole, running_sums.add_up(target[:7], target[:7]))):
        assert sums.spread == 0 and np.isnan(running_sums.relative_residual(sums))
        assert np.isnan(running_sums.r_squared(sums))


@pytest.mark.parametrize("far", [1e4, 1e6, 1e9])
def test_rows_of_great_length_hide_no_others_from_neighbours_and_ranks(far):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(500, 16))
    y = x + 0.5 * rng.normal(size=x.shape)
    x[3] *= far
    y[3] *= far
    x, y = x.astype(np.float32), y.astype(np.float32)
    one, two = (a.astype(np.float64) for a in (x, y))
    near = [np.argsort(scipy.spatial.distance.cdist(a, a), axis=1)[:, 1:11] for a in (one, two)]
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)])
    assert abs(metrics.mutual_knn_overlap(x, y, k=10) - overlap) < 2e-3  # the far row's own neighbours are rounding
    distances = scipy.spatial.distance.cdist(one, two)
    ranks = 1 + (distances < distances.diagonal()[:, None]).sum(1)
    found = metrics.retrieval_ranks(x, y, metric="euclidean")
    assert (np.delete(found, 3) == np.delete(ranks, 3)).mean() > 0.99
