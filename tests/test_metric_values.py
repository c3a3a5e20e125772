"""Metrics against references in float64 NumPy and SciPy, and worked out by hand."""

import functools

import jax
import numpy as np
import pytest
import scipy.spatial
from metric_samples import rotation, sample
from scipy.linalg import orthogonal_procrustes

from align import metrics
from align.arrays.double import enable_x64

pytestmark = pytest.mark.usefixtures("strict_promotion", "compiled_as_for_users")


def reference_cka(k, l, unbiased):
    n = len(k)
    if unbiased:

        def hsic(k, l):
            k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))
            one = np.ones(n)
            terms = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / (n - 1) / (n - 2)
            return (terms - 2 / (n - 2) * one @ k @ l @ one) / n / (n - 3)
    else:

        def hsic(k, l):
            h = np.eye(n) - 1 / n
            return np.trace(k @ h @ l @ h)

    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def gaussian(a, bandwidth):
    distances = scipy.spatial.distance.pdist(a)
    return np.exp(-(scipy.spatial.distance.squareform(distances) ** 2) / (2 * (bandwidth * np.median(distances)) ** 2))


@pytest.mark.parametrize("unbiased", [False, True])
def test_cka_against_its_definition(unbiased):
    x, y = (a.astype(np.float64) for a in sample())
    for few in (slice(None), slice(4)):  # of which the kernels are less than the products of dimensions
        one, other = x[few], y[few]
        expected = reference_cka(one @ one.T, other @ other.T, unbiased)
        np.testing.assert_allclose(metrics.linear_cka(one, other, unbiased=unbiased), expected, rtol=1e-5)
    for bandwidth in (0.6, 30):  # of which the latter's kernels are nearly 1
        expected = reference_cka(gaussian(x, bandwidth), gaussian(y, bandwidth), unbiased)
        found = metrics.kernel_cka(x, y, bandwidth=bandwidth, unbiased=unbiased)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    linear = metrics.linear_cka(x, y, unbiased=unbiased)
    np.testing.assert_allclose(metrics.kernel_cka(x, y, bandwidth=1e200, unbiased=unbiased), linear, rtol=1e-4)


def test_a_width_and_a_share_may_be_traced():
    x, y = sample()
    for metric, name, value in (
        (metrics.kernel_cka, "bandwidth", 0.6),
        (functools.partial(metrics.minibatch_cka, batch_size=20), "bandwidth", 0.6),
        (metrics.svcca, "variance", 0.8),
    ):
        traced = jax.jit(lambda value, metric=metric, name=name: metric(x, y, **{name: value}))(value)
        np.testing.assert_allclose(traced, metric(x, y, **{name: value}), rtol=1e-5)


def test_cka_of_a_set_with_itself_and_of_independent_sets():
    x, _ = sample()
    for metric in (metrics.linear_cka, metrics.kernel_cka):
        for unbiased in (False, True):
            np.testing.assert_allclose(metric(x, x, unbiased=unbiased), 1, atol=1e-5)
            assert max(metric(scale * x, x, unbiased=unbiased) for scale in np.linspace(1, 2, 20)) <= 1
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 60, 20_000))
    assert metrics.linear_cka(x, y) > 0.7  # the bias at n < d that the unbiased estimate is for
    assert abs(metrics.linear_cka(x, y, unbiased=True)) < 0.05
    y += 0.3 * x  # beside the diagonals of whose kernels the rest is small
    kernels = [(a - a.mean(0)) @ (a - a.mean(0)).T for a in (x, y)]
    np.testing.assert_allclose(metrics.linear_cka(x, y, unbiased=True), reference_cka(*kernels, True), rtol=1e-4)


def test_the_median_distance_takes_no_array_of_pairs():
    program = jax.make_jaxpr(metrics.kernel_cka)(np.ones((64, 2), np.float32), np.ones((64, 2), np.float32))
    assert "2016" not in str(program)  # as many pairs of rows


def test_minibatch_cka():
    x, y = sample(n=400)
    np.testing.assert_allclose(
        metrics.minibatch_cka(x, y, batch_size=400), metrics.linear_cka(x, y, unbiased=True), atol=1e-5
    )
    np.testing.assert_allclose(
        metrics.minibatch_cka(x, y, batch_size=400, bandwidth=0.8),
        metrics.kernel_cka(x, y, bandwidth=0.8, unbiased=True),
        atol=1e-5,
    )
    # Unbiased: small batches agree with the whole; the biased value of the same batches does not.
    whole = metrics.linear_cka(x, y, unbiased=True)
    biased = np.mean([metrics.linear_cka(x[i : i + 8], y[i : i + 8]) for i in range(0, 400, 8)])
    assert abs(metrics.minibatch_cka(x, y, batch_size=8) - whole) < 0.5 * abs(biased - whole)
    np.testing.assert_allclose(
        metrics.minibatch_cka(x[:390], y[:390], batch_size=100), metrics.minibatch_cka(x[:300], y[:300], batch_size=100)
    )


@pytest.mark.parametrize("long", [1e3, 1e4, 1e6])
@pytest.mark.parametrize(("n", "d"), [(8, 2), (200, 20), (1500, 64), (60, 200)])
def test_rows_of_great_length_hide_no_others_from_cka(n, d, long):
    x, noise = np.random.default_rng(3).normal(size=(2, n, d))
    lengths = np.ones((n, 1))
    lengths[[0, 3], 0] = long, np.sqrt(long)
    for other in (noise, x + noise):
        pair = [(a * lengths + 3).astype(np.float32) for a in (x, other)]
        # About the medians, as in float64 too the mean would be drawn away from most.
        one, two = (a.astype(np.float64) - np.median(a, 0) for a in pair)
        expected = reference_cka(one @ one.T, two @ two.T, True)
        np.testing.assert_allclose(metrics.linear_cka(*pair, unbiased=True), expected, atol=1e-4)
        np.testing.assert_allclose(metrics.minibatch_cka(*pair, batch_size=n), expected, atol=1e-4)
        if n < 1000:
            kernels = [gaussian(a, 1) for a in (one, two)]
            for unbiased in (False, True):
                found = metrics.kernel_cka(*pair, unbiased=unbiased)
                np.testing.assert_allclose(found, reference_cka(*kernels, unbiased), atol=1e-3)


@pytest.mark.parametrize("d", [2, 64])  # of 64 dimensions equal rows are apart by rounding
def test_kernel_cka_of_rows_that_are_mostly_equal(d):
    x, y = np.random.default_rng(0).normal(size=(2, 9, d)).astype(np.float32)
    x[:7] = x[0]
    squared = scipy.spatial.distance.cdist(x, x, "sqeuclidean")
    kernel = np.exp(-squared / (2 * np.median(squared[squared > 0])))
    expected = reference_cka(kernel, gaussian(y, 1), False)
    np.testing.assert_allclose(metrics.kernel_cka(x, y), expected, rtol=1e-4)
    assert np.isnan(metrics.kernel_cka(np.ones_like(x), y))


def test_canonical_correlations_against_scipy():
    x, y = (a.astype(np.float64) for a in sample())
    # Correlations are the cosines of the principal angles between the centred column spaces.
    expected = np.cos(scipy.linalg.subspace_angles(x - x.mean(0), y - y.mean(0)))
    np.testing.assert_allclose(metrics.canonical_correlations(x, y), np.sort(expected)[::-1], atol=1e-5)
    np.testing.assert_allclose(metrics.cca(x, y), expected.mean(), atol=1e-5)


def test_cca_of_degenerate_sets():
    x, y = sample()
    wide = np.concatenate([x, x @ rotation(6)], 1)  # rank 6 in 12 columns
    np.testing.assert_allclose(metrics.cca(wide, y), metrics.cca(x, y), atol=1e-5)
    padded = np.concatenate([x, np.ones((len(x), 2), np.float32)], 1)
    np.testing.assert_allclose(metrics.cca(padded, y), metrics.cca(x, y), atol=1e-5)
    uneven = x * np.geomspace(1, 1e-6, 6, dtype=np.float32)  # beside whose largest square the least one vanishes
    np.testing.assert_allclose(metrics.cca(uneven, y), metrics.cca(x, y), atol=1e-5)
    np.testing.assert_allclose(metrics.canonical_correlations(uneven, uneven), 1, atol=1e-5)
    few = np.random.default_rng(0).normal(size=(2, 5, 9))
    np.testing.assert_allclose(metrics.canonical_correlations(*few), [1, 1, 1, 1, 0], atol=1e-5)


def test_svcca_keeps_the_leading_components():
    x, y = sample()
    small = x * np.float32([1, 1, 1, 1e-3, 1e-3, 1e-3])
    np.testing.assert_allclose(metrics.svcca(small, y, variance=0.999), metrics.cca(x[:, :3], y), atol=1e-2)
    assert abs(metrics.svcca(small, y, variance=0.999) - metrics.cca(x, y)) > 0.02
    np.testing.assert_allclose(metrics.svcca(x, y, variance=1), metrics.cca(x, y), atol=1e-6)


def test_procrustes_distance_against_scipy():
    x, y = (a.astype(np.float64) for a in sample(dy=6))
    x, y = x - x.mean(0), y - y.mean(0)
    expected = np.linalg.norm(x @ orthogonal_procrustes(x, y)[0] - y)
    np.testing.assert_allclose(metrics.procrustes_distance(x, y, normalise=False), expected, rtol=1e-5)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    expected = np.linalg.norm(x @ orthogonal_procrustes(x, y)[0] - y)
    np.testing.assert_allclose(metrics.procrustes_distance(x, y), expected, rtol=1e-5)


@pytest.mark.parametrize(("n", "dx", "dy"), [(9, 70, 4), (9, 30, 70), (40, 70, 4)])
def test_procrustes_distance_of_few_rows_and_of_unequal_dimensions(n, dx, dy, double_precision):
    x, y = np.random.default_rng(0).normal(size=(2, n, 70))
    moved = np.random.default_rng(1).normal(size=(2, n, 70))
    x, y, by_x, by_y = x[:, :dx], y[:, :dy], moved[0, :, :dx], moved[1, :, :dy]

    def padded(t):
        sides = (np.pad(a - a.mean(0), ((0, 0), (0, 70 - a.shape[1]))) for a in (x + t * by_x, y + t * by_y))
        a, b = (a / np.linalg.norm(a) for a in sides)
        return np.linalg.norm(a @ orthogonal_procrustes(a, b)[0] - b)

    def distance(t):
        return metrics.procrustes_distance(x + t * by_x, y + t * by_y)

    found, slope = jax.jvp(distance, (0.0,), (1.0,))
    np.testing.assert_allclose(found, padded(0), rtol=1e-12)
    np.testing.assert_allclose(slope, (padded(1e-5) - padded(-1e-5)) / 2e-5, rtol=1e-6)
    assert "[70,70]" not in str(jax.make_jaxpr(distance)(0.0))  # what takes minutes of thousands of dimensions


def test_procrustes_distance_is_a_metric():
    x, y = sample()
    z = sample(seed=5)[0]
    xy, yz, xz = (float(metrics.procrustes_distance(*pair)) for pair in ((x, y), (y, z), (x, z)))
    assert xz <= xy + yz
    assert max(xy, yz, xz) < 2**0.5
    # Small distances do not drown in rounding: 2 - 2 Σσ would leave 3e-4 here.
    assert metrics.procrustes_distance(x, 2 * x @ rotation(6) + 1) < 3e-6


def test_procrustes_distance_gradient_at_equal_singular_values():
    random = np.random.default_rng(0)
    q = np.linalg.qr(random.normal(size=(20, 11)) @ np.diag([1e3] + [1] * 10) + 1)[0].astype(np.float32)[:, 1:]
    x, y = q[:, :5], q[:, :5] @ rotation(5) + q[:, 5:]
    direction = random.normal(size=x.shape).astype(np.float32)

    def along(t):
        return metrics.procrustes_distance(x + t * direction, y)

    slope = jax.grad(along)(0.0)
    assert abs(slope) > 0.1
    np.testing.assert_allclose(slope, (along(1e-2) - along(-1e-2)) / 2e-2, rtol=1e-2)


def test_mutual_knn_overlap_by_hand():
    x = np.float32([[1], [2], [4], [8]])
    y = np.float32([[1], [2], [10], [3]])
    # Nearest in x: 1, 0, 1, 2; in y: 1, 0 and 3 alike, 3, 1. Common: that of row 0, and half of that of row 1.
    assert metrics.mutual_knn_overlap(x, y, k=1) == 0.375
    assert metrics.mutual_knn_overlap(x, y, k=3) == 1
    # With a row of zeros there are two others, of which all are common.
    assert metrics.mutual_knn_overlap(np.append(x, [[0]], 0), np.append(x, [[5]], 0), k=4) == 1


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_blocks_do_not_change_neighbours(metric):
    x, y = sample()
    whole = metrics.mutual_knn_overlap(x, y, k=5, metric=metric)
    assert metrics.mutual_knn_overlap(x, y, k=5, metric=metric, block=13) == whole
    assert 5 / 79 < whole < 1
    x = x[:, :5]
    np.testing.assert_array_equal(
        metrics.retrieval_ranks(x, y, metric=metric), metrics.retrieval_ranks(x, y, metric=metric, block=13)
    )


def test_mutual_knn_overlap_of_independent_sets_is_chance():
    x, y = np.random.default_rng(0).normal(size=(2, 600, 5))
    assert abs(metrics.mutual_knn_overlap(x, y, k=60) - 60 / 599) < 0.02


def test_retrieval_by_hand():
    y = np.float32([[1, 0], [0, 1], [-1, 0], [0, -1]])
    x = np.float32([[2, 0.1], [1, 0.9], [1, 0.1], [0, -5]])
    # Row 0 finds itself; row 1 is closer to row 0; row 2 is farthest from its own; row 3 finds itself.
    np.testing.assert_array_equal(metrics.retrieval_ranks(x, y), [1, 2, 4, 1])
    np.testing.assert_allclose(metrics.mean_reciprocal_rank(x, y), (1 + 1 / 2 + 1 / 4 + 1) / 4)
    assert [float(metrics.top_k_accuracy(x, y, k=k)) for k in (1, 2, 4)] == [0.5, 0.75, 1]


def test_retrieval_of_collapsed_or_broken_predictions_is_no_success():
    for d in (2, 7):  # of 7 dimensions the directions of equal rows differ by rounding
        y = np.tile(np.random.default_rng(0).normal(size=d).astype(np.float32), (63, 1))
        np.testing.assert_array_equal(metrics.retrieval_ranks(y, y), 32)
    y = sample()[1]
    x = y.copy()
    x[3] = np.nan
    ranks = metrics.retrieval_ranks(x, y, metric="euclidean")
    assert ranks[3] == len(y) and ranks[4] == 1


@pytest.mark.parametrize("far", [0, 1_000, 100_000])
def test_rows_that_a_large_mean_makes_nearly_alike_are_told_apart_by_the_cosine(far):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 10)) + far).astype(np.float32)
    y = (x + 0.1 * rng.normal(size=x.shape)).astype(np.float32)
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x.astype(float), y.astype(float))]

    def nearest(z):
        return np.argsort(-(z @ z.T) + 2 * np.eye(300), axis=1, kind="stable")[:, :10]

    shared = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*map(nearest, unit), strict=True)])
    np.testing.assert_allclose(metrics.mutual_knn_overlap(x, y, metric="cosine"), shared, atol=0.005)
    alike = unit[0] @ unit[1].T
    ranks = 1 + (alike > np.diag(alike)[:, None]).sum(1)
    np.testing.assert_allclose(metrics.mean_reciprocal_rank(x, y), (1 / ranks).mean(), atol=0.005)


def test_predictions_by_hand():
    y = np.float32([[1, 0], [-1, 0]])
    assert metrics.relative_residual(y, y) == 0
    assert metrics.relative_residual(np.zeros_like(y), y) == 1
    np.testing.assert_allclose(metrics.r_squared(y / 2, y), 0.75)
    np.testing.assert_allclose(metrics.mean_cosine(np.float32([[1, 1], [1, 0]]), y), (0.5**0.5 - 1) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    "metric", [functools.partial(metrics.linear_cka, unbiased=True), metrics.cca, metrics.procrustes_distance]
)
def test_accuracy_at_many_rows(metric):
    x, y = sample(n=40_000)
    x = x * np.geomspace(1, 100, 6, dtype=np.float32)
    with enable_x64(True):
        expected = float(metric(x.astype(np.float64), y.astype(np.float64)))
    np.testing.assert_allclose(metric(x, y), expected, rtol=1e-4)
