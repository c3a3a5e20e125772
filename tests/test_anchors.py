"""Anchor selection: every strategy gives different indices; each does what its name says."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import anchors
from align.anchors import designs
from align.clouds import coordinates

pytestmark = pytest.mark.usefixtures("strict_promotion")

KEY = jax.random.key(0)
LATENTS = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32) * [3, 1, 0.5]
LABELS = np.arange(90) % 4
STRATEGIES = {
    "random": anchors.random,
    "class_balanced": functools.partial(anchors.class_balanced, labels=LABELS),
    "farthest_point": anchors.farthest_point,
    "kmeans": anchors.kmeans,
    "leverage": anchors.leverage,
    "d_optimal": anchors.d_optimal,
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_chooses_different_samples(name):
    strategy = STRATEGIES[name]
    chosen = strategy(KEY, LATENTS, 12)
    assert chosen.shape == (12,) and jnp.issubdtype(chosen.dtype, jnp.integer)
    assert len(set(chosen.tolist())) == 12 and 0 <= int(chosen.min()) <= int(chosen.max()) < 90
    np.testing.assert_array_equal(jax.jit(strategy, static_argnums=2)(KEY, LATENTS, 12), chosen)
    assert (chosen == strategy(jax.random.key(1), LATENTS, 12)).all() == (name == "d_optimal")
    assert sorted(strategy(KEY, LATENTS, 90).tolist()) == list(range(90))


@pytest.mark.parametrize("name", STRATEGIES)
def test_duplicates_and_constant_dimensions_are_no_obstacle(name):
    repeated = np.tile(np.array([[0.0, 5], [1, 5]], np.float32), (45, 1))
    assert len(set(STRATEGIES[name](KEY, repeated, 7).tolist())) == 7


@pytest.mark.parametrize("power", [-73, 66])  # 1e-22 and 1e20, whose squares leave the range of float32
@pytest.mark.parametrize("name", [*STRATEGIES, "neighbourhoods"])
def test_no_choice_depends_on_the_scale(name, power):
    strategy = STRATEGIES.get(name, functools.partial(anchors.neighbourhoods, size=7))
    latents = LATENTS.astype(np.float32)
    found = strategy(KEY, np.float32(2.0**power) * latents, 12)
    np.testing.assert_array_equal(found, strategy(KEY, latents, 12))


@pytest.mark.parametrize("prior", [1.2e-7, 1e-5, 1e-3, 8e6])
def test_d_optimal_chooses_different_samples_by_any_prior(prior):
    latents = np.random.default_rng(0).normal(size=(120, 30)).astype(np.float32)
    assert sorted(anchors.d_optimal(KEY, latents, 120, prior=prior).tolist()) == list(range(120))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_labels_beyond_32_bits_are_as_good(dtype):
    far = LABELS.astype(dtype) + np.array(2**40, dtype)
    chosen, *others = (
        anchors.class_balanced(KEY, LATENTS, 10, labels=labels) for labels in (LABELS, far, far.tolist())
    )
    for other in others:
        np.testing.assert_array_equal(other, chosen)


def test_class_balanced_counts():
    chosen = anchors.class_balanced(KEY, LATENTS, 10, labels=LABELS)
    assert sorted(np.bincount(LABELS[chosen])) == [2, 2, 3, 3]
    rare = np.where(np.arange(90) < 2, 8, 1)  # class 8 has two samples only, and gives both
    assert np.bincount(rare[anchors.class_balanced(KEY, LATENTS, 9, labels=rare)])[8] == 2


def test_farthest_points_by_hand():
    line = np.array([[0.0], [1.0], [2.0], [10.0], [4.0]])
    chosen = anchors.farthest_point(KEY, line, 3).tolist()
    first = float(line[chosen[0], 0])
    second = max(range(5), key=lambda i: abs(line[i, 0] - first))
    third = max(range(5), key=lambda i: min(abs(line[i, 0] - first), abs(line[i, 0] - line[second, 0])))
    assert chosen[1:] == [second, third]


def test_kmeans_finds_one_sample_in_each_clump():
    clumps = np.array([[0, 0], [9, 0], [0, 9], [9, 9]]).repeat(20, 0) + 0.1 * LATENTS[:80, :2]
    assert sorted(anchors.kmeans(KEY, clumps, 4) // 20) == [0, 1, 2, 3]
    around = anchors.neighbourhoods(KEY, clumps, 4, size=20)
    assert around.shape == (4, 20)
    assert sorted(tuple(sorted(row)) for row in around.tolist()) == [tuple(range(i, i + 20)) for i in range(0, 80, 20)]


def test_a_constant_dimension_is_no_direction_however_far_it_lies():
    latents = np.random.default_rng(0).normal(size=(300, 6)) + 1e4
    latents[:, 0] = 12345.678
    design = np.asarray(designs._design(jnp.asarray(latents, jnp.float32)), float)
    np.testing.assert_allclose((design**2).sum(), 300 * (5 + 1), rtol=1e-4)


def test_designs_know_dimensions_that_spread_far_less_than_others():
    random = np.random.default_rng(0)
    latents = jnp.asarray(random.normal(size=(500, 16)) * np.r_[1e4, np.ones(15)], jnp.float32)
    leverages = (designs._design(latents) ** 2).sum(1) / 500
    assert float(leverages.sum()) == pytest.approx(17, rel=1e-3)
    hat = np.linalg.qr(np.c_[np.ones(500), np.float64(latents)])[0]
    np.testing.assert_allclose(leverages, (hat**2).sum(1), atol=1e-4)


def test_the_rounding_of_latents_that_lie_far_is_no_direction():
    a, b = np.random.default_rng(0).normal(size=(2, 500))
    latents = jnp.asarray(np.stack([a, b, a + b], 1) + 1000, jnp.float32)
    assert float((designs._design(latents) ** 2).sum() / 500) == pytest.approx(3, abs=1e-3)
    assert int((coordinates.principal(latents, whitening=1.0).down != 0).any(0).sum()) == 2


def test_leverage_prefers_what_the_fit_depends_on():
    latents = np.zeros((100, 1))
    latents[7] = 1
    assert all(7 in anchors.leverage(key, latents, 20) for key in jax.random.split(KEY, 10))


def test_d_optimal_beats_random_draws():
    def information(chosen):
        design = np.c_[np.ones(len(chosen)), LATENTS[np.asarray(chosen)]]
        return np.linalg.slogdet(design.T @ design)[1]

    drawn = [information(anchors.random(key, LATENTS, 8)) for key in jax.random.split(KEY, 30)]
    assert information(anchors.d_optimal(KEY, LATENTS, 8)) > max(drawn)
