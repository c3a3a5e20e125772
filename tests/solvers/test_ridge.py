"""Ridge: its leave-one-out error against leaving rows out, and what it chooses."""

import functools

import jax
import numpy as np
import pytest
from left_out_rows import leave_one_out, related

from align import solvers, streaming
from align.linalg import left_out
from align.solvers.ridge import TOWARDS


@pytest.mark.parametrize(
    ("rows", "d", "e", "towards"),
    [(20, 4, 5, "zero"), (20, 4, 5, "similarity"), (8, 6, 6, "rigid"), (5, 6, 7, "origin")],
)
def test_leave_one_out_leaves_one_out(rows, d, e, towards, double_precision):
    x, y = related(rows, d, e)
    strengths = [0.1, 1.0, 10.0]
    path = solvers.ridge(x, y, strengths=strengths, towards=towards).details
    by_hand = [leave_one_out(x, y, strength, towards) for strength in strengths]
    np.testing.assert_allclose(path.path_leave_one_out, [by_hand], rtol=1e-10)
    np.testing.assert_allclose(path.leave_one_out, min(by_hand), rtol=1e-10)
    assert path.strength == strengths[np.argmin(by_hand)]
    assert TOWARDS[path.towards] == towards


@pytest.mark.parametrize("towards", ["rigid", "similarity"])
@pytest.mark.parametrize("columns", [[1, 1e-3, 1e3, 1], [1, 0, 1, 1]], ids=["badly scaled", "of less than full rank"])
def test_leave_one_out_of_any_rows(towards, columns, double_precision):
    x, y = related(20, 4, 5)
    x, strengths = (x - 1) * columns, [0.1, 1.0, 10.0]
    path = solvers.ridge(x, y, strengths=strengths, towards=towards).details
    by_hand = [leave_one_out(x, y, strength, towards) for strength in strengths]
    np.testing.assert_allclose(path.path_leave_one_out, [by_hand], rtol=1e-9)


@pytest.mark.parametrize("towards", ["rigid", "similarity"])
def test_folds_where_rows_are_many(towards, double_precision, monkeypatch):
    monkeypatch.setattr(left_out, "number_of_folds", lambda *_: 7)
    x, y = related(31, 4, 5)  # folds of unequal length, and a shape that no other test has compiled
    path = solvers.ridge(x, y, strengths=[1.0, 30.0], towards=towards).details
    by_hand = [leave_one_out(x, y, strength, towards, folds=7) for strength in (1.0, 30.0)]
    np.testing.assert_allclose(path.path_leave_one_out, [by_hand], rtol=1e-10)


def test_every_row_is_a_fold_unless_that_costs_too_much():
    assert left_out.number_of_folds(100, 50, 50) == 100
    assert left_out.number_of_folds(1_500, 50, 50) == 1_000
    assert left_out.number_of_folds(1_500, 768, 768) == 20
    assert left_out.number_of_folds(3_600, 768, 768) == 9
    assert left_out.number_of_folds(3_600, 384, 768) == 5
    assert left_out.number_of_folds(10**6, 50, 50) == 5
    assert left_out.number_of_folds(10**6, 1536, 1536) == 5
    assert left_out.number_of_folds(3, 4096, 4096) == 3


def test_shrinks_towards_what_is_true():
    x, y = related(30, 20, 20, noise=0.1)
    fitted = solvers.ridge(x.astype(np.float32), y.astype(np.float32))
    assert TOWARDS[fitted.details.towards] == "rigid"
    truth = solvers.rigid(x, y).weight
    assert np.linalg.norm(fitted.weight - truth) < 0.1 * np.linalg.norm(truth)
    unrelated = np.random.default_rng(1).normal(size=(30, 20)).astype(np.float32)
    fitted = solvers.ridge(x.astype(np.float32), unrelated)
    assert TOWARDS[fitted.details.towards] != "rigid"
    assert fitted.details.leave_one_out < 1.1  # hardly worse than predicting the mean


def test_beats_both_of_its_limits_where_rows_are_about_as_many_as_dimensions():
    rng = np.random.default_rng(2)
    d, rows = 30, 31
    weight = np.linalg.qr(rng.normal(size=(d, d)))[0] @ np.diag(np.linspace(0.2, 2, d))
    x, test = rng.normal(size=(rows, d)), rng.normal(size=(500, d))
    y = x @ weight + 0.3 * rng.normal(size=(rows, d))
    x, y = x.astype(np.float32), y.astype(np.float32)
    error = {
        name: np.linalg.norm(getattr(solvers, name)(x, y)(test) - test @ weight)
        for name in ("ridge", "rigid", "affine")
    }
    assert error["ridge"] < 0.9 * min(error["rigid"], error["affine"])


@pytest.mark.parametrize("largest", [1e3, 1e5])
@pytest.mark.parametrize("rows", [300, 30], ids=["many rows", "few rows"])
def test_directions_beside_one_that_outweighs_them_are_not_lost(rows, largest):
    """In float32 their squares are below the rounding of the large one's, as with outlier dimensions of encoders."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(rows + 200, 20))
    y = z @ rng.normal(size=(20, 12)) + 0.05 * rng.normal(size=(rows + 200, 12))
    x, y = np.float32(z * np.r_[largest, np.ones(19)]), np.float32(y)
    fitted = solvers.ridge(x[:rows], y[:rows], strengths=[0.0], towards="zero")
    least = solvers.affine(x[:rows], y[:rows])
    errors = [((m(x[rows:]) - y[rows:]) ** 2).sum() for m in (fitted, least)]
    assert fitted.rank == least.rank == 20
    np.testing.assert_allclose(errors[0], errors[1], rtol=0.05)


def test_the_estimate_can_be_trusted():
    x, y = related(4_000, 10, 10, noise=1.0)
    x, y = x.astype(np.float32), y.astype(np.float32)
    fitted = solvers.ridge(x[:200], y[:200])
    test = np.linalg.norm(y[200:] - fitted(x[200:])) / np.linalg.norm(y[200:] - y[:200].mean(0))
    np.testing.assert_allclose(fitted.details.leave_one_out, test, rtol=0.05)
    assert fitted.residual < fitted.details.leave_one_out


def test_a_handful_of_rows_may_do_better_without_an_intercept():
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    x = rng.normal(size=(8, 30)).astype(np.float32)
    fitted = solvers.ridge(x, x @ rotation.astype(np.float32))
    assert TOWARDS[fitted.details.towards] == "origin"
    assert fitted.details.path_leave_one_out.shape == fitted.details.path_degrees.shape == (4, 60)
    np.testing.assert_array_equal(fitted.bias, 0)
    far = solvers.ridge(x + 10, x @ rotation.astype(np.float32) - 10)  # the origin says nothing there
    assert TOWARDS[far.details.towards] != "origin"


def test_degrees_of_freedom_run_from_all_to_the_intercept(double_precision):
    x, y = related(40, 5, 5)
    degrees = solvers.ridge(x, y, strengths=[0.0, 1e12], towards="zero").details.path_degrees
    np.testing.assert_allclose(degrees, [[6, 1]], atol=1e-8)


def test_a_source_of_more_dimensions_has_nothing_rigid_to_shrink_towards():
    x, y = (a.astype(np.float32) for a in related(20, 3, 4))
    fitted = solvers.ridge(y, x)
    assert TOWARDS[fitted.details.towards] == "zero"
    assert fitted.details.path_leave_one_out.shape == (1, 60)


def test_strengths_map_over_a_batch():
    x, y = (a.astype(np.float32) for a in related(20, 4, 4))
    strengths = np.array([[0.1], [1.0], [10.0]], np.float32)
    mapped = jax.vmap(lambda strength: solvers.ridge(x, y, strengths=strength, towards="zero"))(strengths)
    for k, strength in enumerate(strengths):
        alone = solvers.ridge(x, y, strengths=strength, towards="zero")
        np.testing.assert_allclose(mapped.weight[k], alone.weight, atol=1e-6)


def by_hand_towards_a_map(x, y, strength, given, keep_bias):
    """Leave each row out in a loop; shrink what the given map leaves of the target towards nothing."""
    left, errors = y - np.asarray(given(x)), 0
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        # The bias that is kept is that at the centre of all sources, which no target has a part in.
        mean_x, mean_left = (x.mean(0), 0) if keep_bias else (x[others].mean(0), left[others].mean(0))
        rows, rest = x[others] - mean_x, left[others] - mean_left
        change = np.linalg.solve(rows.T @ rows + strength * np.eye(x.shape[1]), rows.T @ rest)
        errors += ((left[i] - mean_left - (x[i] - mean_x) @ change) ** 2).sum()
    return np.sqrt(errors / ((y - y.mean(0)) ** 2).sum())


def test_towards_a_given_map(double_precision):
    x, y = related(9, 4, 5)
    given = solvers.affine(*related(12, 4, 5, seed=0))
    fitted = solvers.ridge(x, y, strengths=[0.5, 50.0], towards=given)
    expected = [[by_hand_towards_a_map(x, y, s, given, keep) for s in (0.5, 50.0)] for keep in (False, True)]
    np.testing.assert_allclose(fitted.details.path_leave_one_out, expected, rtol=1e-9)
    assert fitted.details.goal == ("map", "whole map")[np.argmin(np.min(expected, 1))]
    # No more than a correction where it hardly counts, and the fit of the pairs alone where it hardly costs.
    strong, weak = (solvers.ridge(x, y, strengths=[s], towards=given) for s in (1e12, 1e-12))
    np.testing.assert_allclose(strong.weight, given.weight, atol=1e-9)
    np.testing.assert_allclose(weak(x), solvers.affine(x, y)(x), atol=1e-6)


def test_a_true_map_is_kept_where_pairs_are_few():
    x, y = (a.astype(np.float32) for a in related(2000, 20, 20, noise=1.0))
    known = solvers.rigid(x[:1000], y[:1000])
    few = slice(1000, 1006)
    corrected, alone = solvers.ridge(x[few], y[few], towards=known), solvers.ridge(x[few], y[few])
    errors = [float(((fitted(x[1500:]) - y[1500:]) ** 2).mean()) for fitted in (known, corrected, alone)]
    assert errors[1] < 1.05 * errors[0] < 0.8 * errors[2]
    assert corrected.details.goal == "whole map"


@pytest.mark.parametrize(("d", "goals"), [(2048, 4), (2049, 2)])
def test_rotations_of_very_many_dimensions_are_not_tried(d, goals):
    x = jax.ShapeDtypeStruct((6, d), np.float32)
    assert jax.eval_shape(solvers.ridge, x, x).details.path_leave_one_out.shape == (goals, 60)


def test_the_condition_is_infinite_where_nothing_counts():
    target = np.arange(40, dtype=np.float32).reshape(20, 2)
    fitted = solvers.ridge(np.ones((20, 3), np.float32), target, strengths=[0.0], towards="zero")
    assert fitted.rank == 0 and np.isinf(fitted.condition)


@pytest.mark.parametrize("towards", ["zero", "origin"])
@pytest.mark.parametrize("rows", [4, 12, 20])
def test_errors_of_rows_that_determine_every_target_keep_their_digits(rows, towards):
    # All that the least strengths leave of such rows is a millionth of them.
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(rows, 20)) + 3 * rng.normal(size=20)).astype(np.float32)
    y = (x @ rng.normal(size=(20, 6)) + rng.normal(size=(rows, 6))).astype(np.float32)
    strengths = np.geomspace(1e-6, 1e3, 10)

    def errors(dtype):
        fitted = solvers.ridge(x.astype(dtype), y.astype(dtype), strengths=strengths, towards=towards)
        return np.asarray(fitted.details.path_leave_one_out[0])

    with jax.enable_x64(True):
        expected = errors(np.float64)
    np.testing.assert_allclose(errors(np.float32), expected, rtol=2e-4)


def test_a_record_judges_by_nothing_where_nothing_is_left():
    record = streaming.from_arrays(*np.random.default_rng(0).normal(size=(2, 9, 8)))
    none = streaming.ridge(record, strengths=[0.0, 1e-12])
    assert not none.converged and np.isnan(none.weight).all()
    assert float(streaming.ridge(record, strengths=[0.0, 1e-12, 1.0]).details.strength) == 1


def test_on_a_line_what_may_not_be_reflected_is_not():
    x = np.arange(5, dtype=np.float32)[:, None]
    for solver in (solvers.similarity, functools.partial(solvers.ridge, towards="similarity", strengths=[1e6])):
        assert float(solver(x, -x, reflection=False).weight[0, 0]) == pytest.approx(0, abs=1e-4)
        assert float(solver(x, -x).weight[0, 0]) == pytest.approx(-1, abs=1e-4)
