"""Nothing known: a planted map is found, and clouds that do not match are not trusted."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.clouds import classes
from align.linalg import transport
from align.linalg.kmeans import kmeans
from align.maps import AffineMap
from align.solvers import verdict
from align.solvers.soft_matches import by_soft_matches
from align.solvers.unpaired import _some

module = importlib.import_module("align.solvers.unpaired")  # the function has the module's name
KEY = jax.random.key(0)
SHAPE = np.random.default_rng(5)
TRUTH = AffineMap(
    jnp.asarray(np.linalg.qr(SHAPE.normal(size=(3, 3)))[0] * [1.0, 1.1, 0.9], jnp.float32), jnp.array([3.0, 0, -1])
)
FIT = functools.partial(solvers.unpaired, forms=((0.0, None),), restarts=4, clusters=40, subset=500)


def crooked(seed, rows):
    """Draw from a cloud that looks like nothing else when turned: arms of different length, weight and width."""
    random = np.random.default_rng(seed)
    arms = np.array([[5, 0, 0], [0, 3, 0], [0, 0, 2], [-2, -2, 0], [1, -1, -3]])
    arm = random.choice(5, rows, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    along = random.uniform(size=(rows, 1))
    return (along * arms[arm] + 0.15 * random.normal(size=(rows, 3))).astype(np.float32)


def error(fitted, points):
    expected = TRUTH(points)
    return float(((fitted(points) - expected) ** 2).sum() / ((expected - expected.mean(0)) ** 2).sum())


def test_finds_a_planted_map_and_trusts_it():
    source, target = crooked(0, 1500), TRUTH(crooked(1, 1400))
    fitted = FIT(KEY, source, target)
    assert error(fitted, source) < 0.02
    assert bool(fitted.trusted) and bool(fitted.converged)
    details = fitted.details
    assert details.scores.shape == (5,) and details.final.shape == (3,)
    assert float(details.agreement) > 0.9 and float(details.contrast) < 0.4 and int(details.alternatives) == 0
    assert details.explanation.startswith("searches that started apart lead to the same map")


def test_mapped_over_clouds_it_equals_the_plain_loop():
    clouds = [(crooked(seed, 1500), TRUTH(crooked(seed + 1, 1400))) for seed in (0, 2)]
    together = jax.vmap(functools.partial(FIT, KEY))(*map(jnp.stack, zip(*clouds, strict=True)))
    for i, pair in enumerate(clouds):
        alone = FIT(KEY, *pair)
        assert bool(together.trusted[i]) == bool(alone.trusted)
        # Sums in another order now and then change a match, not what the matches say.
        np.testing.assert_allclose(together.weight[i], alone.weight, atol=0.02)
        np.testing.assert_allclose(together.bias[i], alone.bias, atol=0.05)


def test_many_rows_are_looked_at_in_part():
    rows = jnp.arange(3000.0).reshape(1000, 3)
    some = _some(jax.random.key(0), rows, 200)
    assert some.shape == (200, 3) and (jnp.diff(some[:, 0]) > 0).all() and some[-1, 0] > 2850 > 150 > some[0, 0]
    np.testing.assert_array_equal(some, rows[jnp.round(some[:, 0] / 3).astype(int)])
    assert _some(jax.random.key(0), rows, 1000) is rows


def test_noise_is_not_trusted():
    random = np.random.default_rng(0)
    noise = [random.normal(size=(n, 3)).astype(np.float32) for n in (1500, 1400)]
    assert not bool(FIT(KEY, *noise).trusted)
    assert not bool(FIT(KEY, crooked(0, 1500), noise[1]).trusted)


def test_rows_that_are_far_out_and_doubled_rows_change_nothing():
    source, target = crooked(0, 1500), np.array(TRUTH(crooked(1, 1400)))
    fitted = FIT(KEY, np.vstack([source, 1e4 * source[:1]]), np.vstack([target, 1e4 * target[:1]]))
    assert error(fitted, source) < 0.02 and bool(fitted.trusted)
    doubled = FIT(KEY, np.repeat(source[:750], 2, 0), np.repeat(target[:700], 2, 0))
    assert error(doubled, source) < 0.03 and bool(doubled.trusted)


def test_copies_of_pairs_are_no_evidence():
    random = np.random.default_rng(0)
    noise = [random.normal(size=(n, 3)).astype(np.float32) for n in (1500, 1400)]
    few = [np.tile(random.normal(size=(3, 3)), (10, 1)).astype(np.float32) for _ in range(2)]
    fitted = FIT(KEY, *noise, pairs=few)
    assert not bool(fitted.trusted) and not fitted.details.explanation.startswith("the known pairs")
    assert [len(z) for z in module._pairs(*noise, few)] == [3, 3]


def test_agreement_does_not_depend_on_the_scale_of_the_codes():
    a, b = jnp.asarray(crooked(0, 50)), jnp.asarray(crooked(0, 50) + 0.1 * crooked(1, 50))
    expected = verdict.cosine(a, b)
    assert 0.9 < expected < 0.9999
    for scale in (1e-13, 1e13):
        np.testing.assert_allclose(verdict.cosine(a, b * scale), expected, rtol=1e-5)


def test_six_clusters_laid_over_six_others_are_not_trusted():
    # As equal in whitened coordinates as the corners of a simplex: one of 720 pairings fits best, most fit nearly.
    def clusters(seed):
        random = np.random.default_rng(seed)
        centres = 3 * random.normal(size=(6, 10))
        return (centres[random.integers(6, size=1500)] + 0.4 * random.normal(size=(1500, 10))).astype(np.float32)

    fitted = FIT(KEY, clusters(4), clusters(5))
    assert not bool(fitted.trusted) and int(fitted.details.alternatives) > 0


@pytest.mark.parametrize("seed", [2, 6, 16, 20])
def test_two_axes_that_can_be_swapped_are_not_trusted(seed):
    # Of equal variance: principal axes within their plane are those of the draw, and no mirror of one is the swap.
    def cloud(seed, rows):
        random = np.random.default_rng(seed)
        return np.c_[2 * random.exponential(size=(rows, 2)), random.gamma(0.5, size=rows)].astype(np.float32)

    fitted = FIT(KEY, cloud(seed, 1500), TRUTH(cloud(seed + 1, 1400)))
    assert not bool(fitted.trusted) and int(fitted.details.alternatives) > 0


def test_degenerate_clouds_are_not_trusted_and_nothing_breaks():
    # Unequal dimensions and sizes, duplicates, a constant dimension, fewer rows than clusters.
    source = np.repeat(np.array([[0, 1.0], [1, 1], [3, 1]], np.float32), 5, axis=0)
    target = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    fitted = FIT(KEY, source, target)
    assert fitted.weight.shape == (2, 4) and np.isfinite(fitted(source)).all()
    assert not bool(fitted.trusted)
    # One point, two points, and a pair that is there twice, from which no regression follows.
    nothing, still, two = np.ones_like(source), np.ones_like(target), np.repeat(source[::10][:2], [7, 8], axis=0)
    pairs_of_one = source[:2], target[[0, 0]]
    for x, y, pairs in (
        (nothing, target, None), (source, still, None), (nothing, still, None), (two, target, None),
        (source, target, pairs_of_one),
    ):  # fmt: skip
        fitted = FIT(KEY, x, y, pairs=pairs)
        assert np.isfinite(fitted(x)).all() and not bool(fitted.trusted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": np.ones(3)}, r"source must be \[rows, dimensions\]"),
        ({"restarts": 0}, "restarts must be a whole number, at least 1; it is 0"),
        ({"finalists": 1}, "finalists must be at least 2, for two to agree; it is 1"),
        ({"forms": ()}, "forms must name at least one"),
    ],
)
def test_bad_input_is_named(changes, message):
    given = {"source": np.eye(4), "target": np.eye(4)} | changes
    with pytest.raises(ValueError, match=message):
        solvers.unpaired(KEY, **given)


def test_transport_by_hand():
    # Three points on a line, at 0, 1 and 3, and the same in another order: distances tell which is which.
    x = np.array([0.0, 1.0, 3.0])
    order = np.array([2, 0, 1])
    distances = [jnp.asarray(np.abs(p[:, None] - p)) for p in (x, x[order])]
    masses = jnp.full(3, 1 / 3)
    expected = np.eye(3)[:, order] / 3
    start = transport.by_profiles(*distances, masses, masses, step=0.01, iterations=100)
    np.testing.assert_allclose(start, expected, atol=1e-3)
    coupling, loss = transport.gromov_wasserstein(*distances, masses, masses, jnp.full((3, 3), 1 / 9), iterations=200)
    np.testing.assert_allclose(coupling, expected, atol=1e-3)
    assert float(loss) < 1e-3


def test_points_that_look_alike_are_coupled_evenly():
    distances, masses = jnp.asarray([[0.0, 1], [1, 0]]), jnp.full(2, 0.5)
    np.testing.assert_allclose(transport.by_profiles(distances, distances, masses, masses), np.full((2, 2), 0.25))


def test_couplings_keep_their_marginals():
    random = np.random.default_rng(0)
    rows, columns = (jnp.asarray(w / w.sum()) for w in (random.uniform(size=5), random.uniform(size=7)))
    cost = jnp.asarray(random.uniform(size=(5, 7)))
    start = jnp.outer(rows, columns)
    coupling = transport.proximal(lambda _: cost, rows, columns, start, step=0.1, iterations=50, scalings=2000)
    np.testing.assert_allclose(coupling.sum(1), rows, atol=1e-4)
    np.testing.assert_allclose(coupling.sum(0), columns, atol=1e-4)
    from scipy.optimize import linprog

    constraints = np.concatenate([np.kron(np.eye(5), np.ones(7)), np.kron(np.ones(5), np.eye(7))])
    best = linprog(np.ravel(cost), A_eq=constraints, b_eq=np.r_[rows, columns]).fun
    np.testing.assert_allclose((coupling * cost).sum(), best, atol=2e-3)


def test_kmeans_by_hand():
    points = jnp.array([[0.0], [0.2], [5.0], [5.2], [9.0]])
    found = kmeans(KEY, points, 3)
    order = jnp.argsort(found.centroids[:, 0])
    np.testing.assert_allclose(found.centroids[order, 0], [0.1, 5.1, 9], atol=1e-6)
    assert found.sizes[order].tolist() == [2, 2, 1]
    assert (np.diff(found.error) <= 1e-6).all()
    np.testing.assert_allclose(found.error[-1], 4 * 0.01 / 5, rtol=1e-4)


def test_the_order_of_rows_does_not_say_how_far_to_shrink():
    random = np.random.default_rng(0)
    x, y = (random.gamma(1, size=(rows, 3)) * np.array([3, 2, 1.5]) for rows in (600, 1000))
    y = y + 0.3 * random.normal(size=y.shape) * y.std(0)
    shares = {}
    for name, side in (("shuffled", y), ("sorted", y[np.argsort(y[:, 0])])):
        source, target = jnp.asarray(x, jnp.float32), jnp.asarray(side, jnp.float32)
        groups, weights = classes.group(source, target, None, None)
        start = AffineMap(jnp.eye(3), jnp.zeros(3))
        turned, shrunk = by_soft_matches(KEY, source, target, start, groups, weights, subset=10_000)
        shares[name] = jnp.linalg.norm(shrunk.weight) / jnp.linalg.norm(turned.weight)
    np.testing.assert_allclose(shares["sorted"], shares["shuffled"], atol=0.05)
