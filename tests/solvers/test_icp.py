"""Nearest neighbours against a loop; iterative closest points on hand-worked, planted and degenerate cases."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.linalg import neighbours
from align.maps import AffineMap

KEY = jax.random.key(0)


def distances(queries, points):
    return ((queries[:, None].astype(float) - points) ** 2).sum(-1)


def mixture(seed, rows, dimensions, count=6):
    """Draw rows of a mixture of `count` Gaussians of different shapes, with their labels."""
    shape = np.random.default_rng(7)
    means = 2 * shape.normal(size=(count, dimensions))
    factors = 0.3 * shape.normal(size=(count, dimensions, dimensions))
    random = np.random.default_rng(seed)
    labels = random.integers(0, count, rows)
    noise = random.normal(size=(rows, 1, dimensions))
    return (means[labels] + (noise @ factors[labels])[:, 0]).astype(np.float32), labels


def motion(seed, dimensions):
    random = np.random.default_rng(seed)
    weight = np.linalg.qr(random.normal(size=(dimensions, dimensions)))[0]
    return AffineMap(jnp.asarray(weight, jnp.float32), jnp.asarray(random.normal(size=dimensions), jnp.float32))


def nudged(truth, size=0.05):
    noise = np.random.default_rng(3).normal(size=truth.weight.shape).astype(np.float32)
    return AffineMap(truth.weight + size * noise, truth.bias)


def error(fitted, truth, points):
    expected = truth(points)
    return float(((fitted(points) - expected) ** 2).sum() / ((expected - expected.mean(0)) ** 2).sum())


@pytest.mark.parametrize(("n", "m", "d", "count"), [(40, 7, 3, 1), (9, 300, 5, 4), (600, 65, 2, 65)])
def test_nearest_agrees_with_all_distances(n, m, d, count):
    random = np.random.default_rng(n)
    queries, points = (random.normal(100, 1, size=(2, rows, d)).astype(np.float32) for rows in (n, m))
    index, squared = neighbours.nearest(queries, points, count=count)
    for g in range(2):
        everything = distances(queries[g], points[g])
        np.testing.assert_allclose(squared[g], np.sort(everything, 1)[:, :count], atol=1e-3)
        np.testing.assert_allclose(np.take_along_axis(everything, np.asarray(index[g]), 1), squared[g], atol=1e-3)
        assert all(len(set(row)) == count for row in np.asarray(index[g]))


def test_nearest_ties_penalties_and_empty_groups():
    points = np.array([[5.0], [0.0], [0.0], [1.0]], np.float32)
    query = np.array([[0.2]], np.float32)
    assert neighbours.nearest(query, points)[0].tolist() == [[1]]
    assert neighbours.nearest(query, points, penalty=np.array([0, np.inf, np.inf, 0]))[0].tolist() == [[3]]
    assert neighbours.nearest(query, points, penalty=np.array([0, 1, 0, 0.0]))[0].tolist() == [[2]]
    nothing = neighbours.nearest(query, points, penalty=np.full(4, np.inf))[0]
    assert 0 <= int(nothing[0, 0]) < 4


def test_mutual_neighbours_are_each_others_nearest():
    source, target = np.array([[0.0], [1.0], [2.0]]), np.array([[0.9], [2.2], [9.0]])
    index, kept = neighbours.mutual(source, target)
    assert index.tolist() == [0, 0, 1]
    assert kept.tolist() == [False, True, True]


def test_nearest_names_what_does_not_fit():
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(4, 3\)"):
        neighbours.nearest(np.ones((3, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="4 points; it is 5"):
        neighbours.nearest(np.ones((3, 2)), np.ones((4, 2)), count=5)


def test_four_points_by_hand():
    # A shift of 0.4 is less than half a step: every point finds its own, and one step is enough.
    source = np.arange(4, dtype=np.float32)[:, None]
    identity = AffineMap(jnp.eye(1), jnp.zeros(1))
    near = solvers.icp(KEY, source, source + 0.4, start=identity, iterations=5)
    np.testing.assert_allclose(near.bias, [0.4], atol=1e-6)
    np.testing.assert_allclose(near.details.error, np.array([0.4, 0, 0, 0, 0]) / np.sqrt(1.25), atol=1e-6)
    assert (int(near.iterations), bool(near.converged)) == (1, True)
    assert near.details.hit.tolist() == [1] * 5
    # A shift of 0.6 sends 0 and 1 to the first target, 2 and 3 to the next two: the mean moves by −0.15, and no
    # match changes after that.
    far = solvers.icp(KEY, source, source + 0.6, start=identity, iterations=5)
    np.testing.assert_allclose(far.bias, [-0.15], atol=1e-6)
    stuck = np.sqrt((0.75**2 + 3 * 0.25**2) / 4 / 1.25)
    np.testing.assert_allclose(far.details.error[1:], [stuck] * 4, rtol=1e-5)
    assert (int(far.iterations), far.details.hit.tolist()) == (1, [0.75] * 5)
    # Of those matches, the one of 0 is not mutual; the others agree on −0.4.
    other = solvers.icp(KEY, source, source + 0.6, start=identity, matching="mutual", iterations=5)
    np.testing.assert_allclose(other.bias, [-0.4], atol=1e-6)
    assert other.details.matched.tolist() == [0.75] * 5


@pytest.mark.parametrize("matching", ["nearest", "mutual", "csls"])
def test_recovers_a_planted_motion_exactly(matching):
    source, labels = mixture(0, 300, 4)
    truth = motion(1, 4)
    order = np.random.default_rng(2).permutation(300)
    fitted = solvers.icp(
        KEY, source, truth(source)[order], start=nudged(truth), matching=matching, source_labels=labels,
        target_labels=labels[order],
    )  # fmt: skip
    assert error(fitted, truth, source) < 1e-9
    assert bool(fitted.converged) and float(fitted.details.error[-1]) < 1e-4
    np.testing.assert_allclose(fitted.details.singular_values, 1, atol=1e-5)


def test_paper_form_starts_from_class_means_and_never_raises_its_error():
    (source, ys), (target, yt) = mixture(0, 400, 5), mixture(1, 350, 5)
    truth = motion(1, 5)
    target = truth(target)
    fit = functools.partial(solvers.icp, KEY, source, target, source_labels=ys, target_labels=yt)
    start = solvers.class_means(source, ys, target, yt)
    assert error(start, truth, source) < 0.05
    fitted = fit(iterations=6)
    np.testing.assert_array_equal(fitted.weight, fit(iterations=6, start=start).weight)
    assert (np.diff(fitted.details.error) <= 1e-6).all() and fitted.details.error.shape == (6,)
    assert error(fitted, truth, source) < 0.02


def test_one_sided_linear_steps_collapse_and_the_diagnosis_shows_it():
    source, target = (np.random.default_rng(seed).normal(size=(200, 8)).astype(np.float32) for seed in (0, 1))
    truth = motion(1, 8)
    fit = functools.partial(solvers.icp, KEY, source, truth(target), start=truth)
    collapsed, kept = fit(step="affine"), fit(step="rigid", matching="mutual")
    assert collapsed.details.hit[-1] < 0.5 * collapsed.details.hit[0]
    assert float(jnp.median(collapsed.details.singular_values)) < 0.1
    assert error(collapsed, truth, source) > 4 * error(kept, truth, source)


def test_classes_keep_apart_and_unshared_ones_are_left_out():
    # Each class moves to the other's place: only the labels can tell. Class 7 has no partner.
    source = np.array([[0.0, 0], [0, 1], [4, 0], [4, 1], [50, 50]], np.float32)
    target = np.array([[0.0, 0], [0, 1], [4, 0], [4, 1]], np.float32)
    fitted = solvers.icp(
        KEY, source, target, source_labels=np.array([3, 3, 5, 5, 7]), target_labels=np.array([5, 5, 3, 3])
    )
    mapped = np.asarray(fitted(source[:4]))
    np.testing.assert_allclose(mapped[:, 0], [4, 4, 0, 0], atol=1e-5)
    assert float(fitted.details.matched[-1]) == 1
    asked = []

    def step(source, target, *, weights):  # as the docstring has it, without a default
        asked.append(len(weights))
        return solvers.rigid(source, target, weights=weights)

    solvers.icp(KEY, source[:4], target, source_labels=[3, 3, 5, 5], target_labels=[5, 5, 3, 3], step=step)
    assert asked[0] == 2  # class means


def test_schedules_callables_and_windows():
    (source, ys), (target, yt) = mixture(0, 600, 3), mixture(1, 500, 3)
    truth = AffineMap(motion(1, 3).weight * jnp.array([1.0, 1.1, 0.9]), jnp.ones(3))
    target = truth(target)

    def damped(source, target, *, weights=None):
        return solvers.affine(source, target, weights=weights)

    fitted = solvers.icp(
        KEY, source, target, source_labels=ys, target_labels=yt, subset=50, matching="mutual",
        step=(("rigid", 3), (damped, 4)),
    )  # fmt: skip
    assert fitted.details.error.shape == (7,)
    assert error(fitted, truth, source) < 0.02
    never = solvers.icp(
        KEY, source, target, start=truth, iterations=2,
        matching=lambda x, y, *_: (jnp.zeros(x.shape[:-1], int), jnp.zeros(x.shape[:-1], bool)),
    )  # fmt: skip
    np.testing.assert_array_equal(never.weight, truth.weight)
    assert float(never.details.matched[-1]) == 0


def test_restarts_keep_the_best():
    source, _ = mixture(0, 60, 2)
    truth = motion(1, 2)
    fit = functools.partial(solvers.icp, source=source, target=truth(source))
    keys = jax.random.split(KEY, 12)
    alone = [float(fit(key).details.error[-1]) for key in keys]
    assert max(alone) > 0.1
    assert error(fit(KEY, restarts=12), truth, source) < 1e-6


@pytest.mark.parametrize("matching", ["mutual", "csls"])
def test_degenerate_clouds_give_finite_maps(matching):
    # One sample in a class, duplicate points, a constant dimension, unequal sizes and dimensions, fewer rows than
    # dimensions.
    source = np.array([[0, 0, 3.0], [0, 0, 3], [1, 1, 3], [2, 0, 3]], np.float32)
    target = np.array([[0, 0, 1, 2, 5.0], [0, 0, 1, 2, 5], [1, 2, 1, 2, 5]], np.float32)
    fitted = solvers.icp(
        KEY, source, target, source_labels=np.array([0, 0, 0, 1]), target_labels=np.array([0, 0, 1]), step="affine",
        matching=matching,
    )  # fmt: skip
    assert np.isfinite(fitted.weight).all() and np.isfinite(fitted.details.error).all()
    np.testing.assert_allclose(fitted(source)[3], target[2], atol=1e-4)


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_start_that_is_not_finite_is_refused(part):
    source, labels = mixture(0, 40, 2)
    truth = motion(0, 2)
    start = dataclasses.replace(truth, **{part: jnp.full_like(getattr(truth, part), jnp.nan)})
    for fit in (
        lambda: solvers.icp(KEY, source, truth(source), start=start),
        lambda: solvers.subclass_means(KEY, source, labels, truth(source), labels, start=start),
    ):
        with pytest.raises(ValueError, match="start holds NaN or infinity"):
            fit()


def test_a_movement_that_is_no_number_is_no_rest():
    source, _ = mixture(0, 40, 2)

    def nowhere(source, target, *, weights):
        return AffineMap(jnp.eye(2), jnp.full(2, jnp.nan))

    fitted = jax.jit(lambda x: solvers.icp(KEY, x, x, step=nowhere, iterations=3))(source)
    assert not fitted.converged and fitted.iterations == 3


def test_class_means_of_different_images():
    (source, ys), (target, yt) = mixture(0, 4000, 3), mixture(1, 3000, 3)
    truth = AffineMap(jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32), jnp.ones(4))
    fitted = solvers.class_means(source, ys, truth(target), yt, step="affine")
    assert error(fitted, truth, source) < 5e-3
    linear = solvers.class_means(source, ys, truth(target), yt, step="linear")
    np.testing.assert_array_equal(linear.bias, 0)


def test_steps_of_a_schedule_need_not_say_as_much():
    def plain(source, target, *, weights):
        fitted = solvers.affine(source, target, weights=weights)
        return AffineMap(fitted.weight, fitted.bias)

    points, _ = mixture(0, 60, 2)
    for step in ((("rigid", 2), (plain, 2)), ((plain, 2), ("rigid", 2))):
        fitted = solvers.icp(KEY, points, points, start=AffineMap.identity(2), step=step)
        np.testing.assert_allclose(fitted(points), points, atol=1e-4)
        assert fitted.details.error.shape == (4,)
