"""Alignment from labels: planted Gaussians of classes, the choice between refinements, degenerate classes."""

import functools
import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.clouds import classes, coordinates
from align.linalg import neighbours
from align.maps import AffineMap
from align.solvers.polish import polish
from align.solvers.soft_matches import by_soft_matches

KEY = jax.random.key(0)
COUNT, DIMENSIONS = 3, 4  # fewer classes than dimensions: means alone do not determine the map
SHAPE = np.random.default_rng(7)
MEANS = 2 * SHAPE.normal(size=(COUNT, DIMENSIONS))
FACTORS = SHAPE.normal(size=(COUNT, DIMENSIONS, DIMENSIONS))
TRUTH = AffineMap(jnp.asarray(SHAPE.normal(size=(DIMENSIONS, DIMENSIONS)), jnp.float32), jnp.arange(4.0))


def mixture(seed, rows):
    random = np.random.default_rng(seed)
    labels = random.integers(0, COUNT, rows)
    noise = random.normal(size=(rows, 1, DIMENSIONS))
    return (MEANS[labels] + (noise @ FACTORS[labels])[:, 0]).astype(np.float32), labels


def error(fitted, points):
    expected = TRUTH(points)
    return float(((fitted(points) - expected) ** 2).sum() / ((expected - expected.mean(0)) ** 2).sum())


def test_class_gaussians_know_directions_that_spread_far_less_than_others():
    source, labels = mixture(0, 600)
    scaled = source * np.geomspace(5000, 1, DIMENSIONS, dtype=np.float32)
    fitted = solvers.class_gaussians(KEY, scaled, labels, TRUTH(source), labels)
    assert np.linalg.matrix_rank(fitted.weight * np.geomspace(5000, 1, DIMENSIONS)[:, None]) == DIMENSIONS
    assert float(((fitted(scaled) - TRUTH(source)) ** 2).mean() / TRUTH(source).var()) < 1e-3


def test_class_gaussians_recover_a_linear_map_exactly():
    source, labels = mixture(0, 300)
    fitted = solvers.class_gaussians(KEY, source, labels, TRUTH(source), labels)
    assert error(fitted, source) < 1e-6
    assert fitted.details.shape == (16,) and float(fitted.details.min()) < 1e-6
    # Class proportions do not matter, a class that the other side lacks does not either.
    extra = np.concatenate([source, source[labels == 0], 50 + source[:20]])
    extra_labels = np.concatenate([labels, labels[labels == 0], np.full(20, 9)])
    fitted = solvers.class_gaussians(KEY, extra, extra_labels, TRUTH(source), labels)
    assert error(fitted, source) < 1e-5


def test_labels_beat_class_means_on_different_samples():
    (source, ys), (target, yt) = mixture(0, 1200), mixture(1, 1000)
    target = TRUTH(target)
    start = solvers.class_means(source, ys, target, yt, step="affine")
    fitted = solvers.labels(KEY, source, ys, target, yt, whitenings=(1.0,), iterations=4, subset=200, tolerance=0.1)
    assert error(fitted, source) < 0.02 < error(start, source)
    scores, chosen = fitted.details
    assert fitted.details.stage == ["start", "icp 1", "soft matches"][int(chosen)]
    assert scores.shape == (3,) and 0 <= int(chosen) < 3
    assert float(scores[chosen]) <= float(scores.min() + 0.1 * jnp.abs(scores.min()))


def test_polish_keeps_a_perfect_start():
    source, labels = mixture(0, 300)
    fitted = solvers.labels(KEY, source, labels, TRUTH(source), labels, whitenings=(0.0,), iterations=2, subset=300)
    assert error(fitted, source) < 1e-6


def test_polish_keeps_a_start_without_matches():
    random = np.random.default_rng(0)
    labels = np.arange(400) % 2
    source, target = (
        (np.outer(labels, [gap, 0]) + 0.1 * random.normal(size=(400, 2))).astype(np.float32) for gap in (10, 100)
    )  # no rigid map brings both classes into place
    start = solvers.class_means(source, labels, target, labels)
    kept = polish(
        KEY, source, target, start, source_labels=labels, target_labels=labels, whitenings=(0.0,), iterations=1
    )
    assert float(kept.details.scores.min()) > 1 and int(kept.details.chosen) == 0
    assert kept.details.stage == "start" and not kept.converged
    np.testing.assert_array_equal(kept.weight, start.weight)


def test_discrepancy_is_zero_for_one_distribution_and_shrinking_does_not_pay():
    random = np.random.default_rng(0)
    x, y = (random.normal(size=(1500, 6)).astype(np.float32) for _ in range(2))
    same, shrunk, far = (float(neighbours.discrepancy(m, y)) for m in (x, 0.8 * x, x + 2))
    assert abs(same) < 0.02 < shrunk < far
    np.testing.assert_allclose(neighbours.discrepancy(3 * x, 3 * y), same, atol=1e-4)
    padded = np.concatenate([x, np.zeros((5, 6), np.float32)])
    penalty = np.where(np.arange(1505) < 1500, 0, np.inf)
    np.testing.assert_allclose(neighbours.discrepancy(padded, y, mapped_penalty=penalty), same, atol=1e-5)


def test_rows_that_are_there_twice_do_not_change_a_discrepancy():
    random = np.random.default_rng(0)
    x, y, far = (random.normal(size=(600, 6)).astype(np.float32) + shift for shift in (0, 0, 2))
    scores = [float(neighbours.discrepancy(m, y)) for m in (x, far)]
    twice = [float(neighbours.discrepancy(np.concatenate([m, m[:60]]), y)) for m in (x, far)]
    np.testing.assert_allclose(twice, scores, atol=0.02)  # a tenth of them weighed 1.5 each once
    assert np.isnan(neighbours.discrepancy(np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0)))


def test_a_map_is_refined_by_rows_of_which_all_are_there_twice():
    source, labels = mixture(0, 300)
    start = AffineMap(TRUTH.weight, TRUTH.bias + 0.1)
    known = {"target_labels": labels, "whitenings": (0.0,), "iterations": 1, "subset": 300}
    once, twice = (
        polish(KEY, jnp.tile(source, (n, 1)), TRUTH(source), start, source_labels=np.tile(labels, n), **known)
        for n in (1, 2)
    )
    np.testing.assert_allclose(twice.details.scores[0], once.details.scores[0], rtol=1e-5)
    assert once.converged and twice.converged and twice.details.stage != "start"
    # Of one row a class nothing is known of how close the next would lie.
    lone = polish(KEY, source[:3], TRUTH(source), start, source_labels=np.arange(3), **known)
    assert not lone.converged and np.isnan(lone.details.scores).all()


@pytest.mark.parametrize("value", [3.0, 0.1, 1000.1])
@pytest.mark.parametrize("rows", [60, 20_000])
def test_a_cloud_that_does_not_vary_is_mapped_to_the_mean(rows, value):
    source, labels = np.full((rows, 5), value, np.float32), np.arange(rows) % COUNT
    target, found = mixture(0, 60)
    fitted = solvers.class_gaussians(KEY, source, labels, target, found, restarts=2, iterations=2)
    assert not fitted.weight.any() and np.isfinite(fitted.bias).all()
    # Nor does one dimension that is far away, whatever the others do.
    beside = np.concatenate([np.tile(target, (rows // 60, 1)), np.full((rows // 60 * 60, 1), 1e9 * value)], axis=1)
    assert not coordinates.principal(jnp.asarray(beside, jnp.float32)).down[-1].any()
    np.testing.assert_allclose(coordinates.principal(jnp.asarray(source)).mean, source[0], rtol=1e-6)


@pytest.mark.parametrize("solve", [solvers.class_means, functools.partial(solvers.class_gaussians, KEY)])
def test_large_labels_of_two_types_are_told_apart(solve):
    source, labels = mixture(0, 300)
    ids = 2**60 + labels  # float64 holds no two of them apart
    signed, unsigned = (solve(source, ids, TRUTH(source), ids.astype(kind)) for kind in (np.int64, np.uint64))
    np.testing.assert_array_equal(unsigned.weight, signed.weight)
    assert error(unsigned, source) < 1e-6 or solve is solvers.class_means
    with pytest.raises(ValueError, match="no class in common"):
        solve(source, ids, source, ids.astype(np.uint64) + np.uint64(2**63))


def test_many_classes_are_taken_in_parts(monkeypatch):
    source, found = mixture(0, 300)
    whole = solvers.class_gaussians(KEY, source, found, TRUTH(source), found)
    for module in (sys.modules["align.solvers.labels"], classes):
        monkeypatch.setattr(module, "_HELD", 40)
    jax.clear_caches()
    parts = solvers.class_gaussians(KEY, source, found, TRUTH(source), found)
    np.testing.assert_allclose(parts.weight, whole.weight, atol=1e-3)
    means = [source[found == c].mean(0) for c in range(COUNT)]
    np.testing.assert_allclose(classes.average(source, found, COUNT), means, atol=1e-5)


def test_degenerate_classes_give_a_finite_map():
    # One sample in a class, duplicates, a constant dimension, unequal sizes and dimensions.
    random = np.random.default_rng(0)
    source = random.normal(size=(40, 3)).astype(np.float32)
    source[:, 2], source[5:9] = 1, source[4]
    target = random.normal(size=(30, 5)).astype(np.float32)
    ys, yt = np.r_[0, np.ones(39, int)], np.r_[np.zeros(29, int), 1]
    fitted = solvers.labels(KEY, source, ys, target, yt, whitenings=(0.5,), iterations=2, subset=20, restarts=2)
    assert fitted.weight.shape == (3, 5) and np.isfinite(fitted(source)).all()


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_principal_coordinates_lead_there_and_back(whitening):
    source, _ = mixture(0, 200)
    there = coordinates.principal(jnp.asarray(source), whitening=whitening, width=6)
    points = there(source)
    np.testing.assert_allclose((points**2).sum(1).mean(), 1, rtol=1e-4)
    np.testing.assert_allclose(points @ there.up + there.mean, source, atol=1e-3)
    spreads = np.asarray(points.std(0))
    assert (spreads[4:] == 0).all() and (np.diff(spreads[:4]) <= 1e-5).all()
    assert (spreads[3] > 0.99 * spreads[0]) == (whitening == 1)


def test_subclass_means_have_more_anchors_than_classes():
    (source, ys), (target, yt) = mixture(0, 1200), mixture(1, 1000)
    rotation = np.linalg.qr(SHAPE.normal(size=(DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
    target = target @ rotation + 3
    fitted = solvers.subclass_means(KEY, source, ys, target, yt, clusters=8, sample=400)
    expected = source @ rotation + 3
    means = solvers.class_means(source, ys, target, yt)
    missed, by_means = (float(((one(source) - expected) ** 2).mean() / expected.var()) for one in (fitted, means))
    assert missed < 0.05 and missed < by_means
    np.testing.assert_allclose(fitted.weight.T @ fitted.weight, np.eye(DIMENSIONS), atol=1e-5)
    # With one row a class, the centroids are the rows.
    lone = solvers.subclass_means(KEY, MEANS, np.arange(COUNT), MEANS + 1.0, np.arange(COUNT), clusters=2, sample=2)
    np.testing.assert_allclose(lone(MEANS), MEANS + 1.0, atol=1e-4)


@pytest.mark.parametrize("width", [8, 11])
def test_soft_matches_shrink_by_what_the_clouds_do_not_share(width):
    random = np.random.default_rng(0)
    source, counterparts = random.gamma(1.0, size=(2, 3000, 8)) - 1  # white, and skewed along every axis
    correlations = np.array([1, 1, 1, 0.99, 0.98, 0.95, 0.9, 0.3])
    noise = random.normal(size=source.shape) * np.sqrt(1 - correlations**2)
    truth = np.linalg.qr(random.normal(size=(width, width)))[0][:8]
    target, best = (counterparts * correlations + noise) @ truth, (source * correlations) @ truth
    weight = truth + 0.05 * random.normal(size=truth.shape)
    x, y, weight = (jnp.asarray(z, jnp.float32) for z in (source, target, weight))
    start = AffineMap(weight, jnp.zeros(width))
    groups, weights = classes.group(x, y, None, None)
    rotation, shrunk = by_soft_matches(KEY, x, y, start, groups, weights, subset=3000)

    def missed(fitted):
        return float(((np.asarray(fitted(x)) - best) ** 2).sum() / (best**2).sum())

    assert missed(shrunk) < 0.85 * missed(rotation) < 0.85 * missed(start)
    found = np.linalg.svd(np.asarray(shrunk.weight))[1]
    assert found[7] < 0.95 and found[:4].min() > 0.97
    covariances = [np.cov(np.asarray(z).T) for z in (rotation(x), y)]
    np.testing.assert_allclose(*covariances, atol=0.1 * np.abs(covariances[1]).max())


@pytest.mark.parametrize("width", [6, 9])
def test_polish_follows_what_a_map_does_to_spreads(width):
    random = np.random.default_rng(0)
    stretched = random.gamma(2.0, size=(2, 1200, 6)) * np.geomspace(4, 0.2, 6)
    source, rows = stretched.astype(np.float32)
    truth = random.normal(size=(6, width)).astype(np.float32)  # not a rotation
    target = rows @ truth
    start = AffineMap(jnp.asarray(truth + 0.1 * random.normal(size=truth.shape), jnp.float32), jnp.zeros(width))

    def off(fitted):
        return float(jnp.linalg.norm(fitted(source) - source @ truth) / jnp.linalg.norm(target - target.mean(0)))

    polished = polish(KEY, jnp.asarray(source), jnp.asarray(target), start)
    assert off(polished) < 0.8 * off(start) and off(polished) < 0.25


def test_soft_matches_shrink_nothing_between_clouds_that_show_the_same():
    random = np.random.default_rng(0)
    x, y = random.gamma(1.0, size=(2, 3000, 8)).astype(np.float32)
    groups, weights = classes.group(x, y, None, None)
    start = AffineMap(jnp.eye(8) + 0.05 * random.normal(size=(8, 8)), jnp.zeros(8))
    _, shrunk = by_soft_matches(KEY, jnp.asarray(x), jnp.asarray(y), start, groups, weights, subset=3000)
    assert np.linalg.svd(np.asarray(shrunk.weight))[1].min() > 0.9
    assert jnp.linalg.norm(shrunk.weight - jnp.eye(8)) < 0.5 * jnp.linalg.norm(start.weight - jnp.eye(8))


@pytest.mark.parametrize("rows", [(6000, 400), (400, 6000)])
def test_soft_matches_shrink_as_little_between_clouds_of_unequal_sizes(rows):
    random = np.random.default_rng(0)
    x, y = (jnp.asarray(random.gamma(1.0, size=(n, 5)), jnp.float32) for n in rows)
    groups, weights = classes.group(x, y, None, None)
    start = AffineMap(jnp.eye(5), jnp.zeros(5))
    rotation, shrunk = by_soft_matches(KEY, x, y, start, groups, weights, subset=6000)
    ratio = jnp.linalg.svd(shrunk.weight)[1] / jnp.linalg.svd(rotation.weight)[1]
    assert ratio.min() > 0.88 and ratio.max() < 1.02


def test_the_finish_of_polish_takes_rows_that_are_there_twice_as_one(monkeypatch):
    seen, module = [], importlib.import_module("align.solvers.polish")  # the function has the module's name

    def finished(key, source, target, *others, real=by_soft_matches, **options):
        seen.append((len(source), len(target)))
        return real(key, source, target, *others, **options)

    monkeypatch.setattr(module, "by_soft_matches", finished)
    x, y = (jnp.asarray(z.repeat(2, 0)) for z in np.random.default_rng(0).gamma(1.0, size=(2, 300, 4)).astype("f4"))
    labels = {f"{side}_labels": np.arange(600) // 2 % 3 for side in ("source", "target")}
    for known in ({}, labels):
        polish(KEY, x, y, AffineMap(jnp.eye(4), jnp.zeros(4)), iterations=2, **known)
    assert seen == [(300, 300)] * 2


def test_a_class_of_one_row_far_from_the_others_leaves_the_finish_a_map():
    random = np.random.default_rng(0)
    means, labels = random.normal(size=(100, 2)), np.r_[np.repeat(np.arange(100), 20), 100]
    x, y = (
        np.r_[np.repeat(means, 20, 0) + 0.1 * random.normal(size=(2000, 2)), [[9.0, 0.0]]].astype(np.float32)
        for _ in range(2)
    )
    groups, weights = classes.group(jnp.asarray(x), jnp.asarray(y), labels, labels)
    start = AffineMap(jnp.eye(2), jnp.zeros(2))
    _, shrunk = by_soft_matches(KEY, jnp.asarray(x), jnp.asarray(y), start, groups, weights, subset=6000)
    assert np.isfinite(shrunk.weight).all() and np.isfinite(shrunk.bias).all()
