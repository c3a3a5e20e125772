"""Ridge from rows that count differently, are copies of others, or all the same."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from left_out_rows import leave_one_out, related

from align import solvers
from align.linalg import left_out


@pytest.mark.parametrize("towards", ["zero", "rigid", "similarity", "origin"])
@pytest.mark.parametrize("weights", ["counts", "uneven"])
def test_a_row_is_left_out_with_all_that_it_counts(towards, weights, double_precision):
    x, y = related(24, 4, 5)
    x, y = (x[:3], y[:3]) if towards == "origin" else (x, y)
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 30, len(x)) if weights == "counts" else 10 ** rng.uniform(-3, 3, len(x))
    fitted = solvers.ridge(x, y, weights=counts, strengths=[0.1, 30.0], towards=towards)
    by_hand = [leave_one_out(x, y, strength, towards, counts=counts) for strength in (0.1, 30.0)]
    np.testing.assert_allclose(fitted.details.path_leave_one_out, [by_hand], rtol=1e-8)


@pytest.mark.parametrize("towards", ["rigid", "similarity"])
def test_rows_that_do_not_count_take_no_place_in_a_fold(towards, double_precision, monkeypatch):
    monkeypatch.setattr(left_out, "number_of_folds", lambda *_: 5)
    x, y = related(110, 3, 6)  # a shape that no other test has compiled
    weights = np.zeros(110)
    weights[::5] = 1  # all of one fold, in the order in which they came
    path = solvers.ridge(x, y, weights=weights, strengths=[1.0, 30.0], towards=towards).details
    by_hand = [leave_one_out(x[::5], y[::5], strength, towards, folds=5) for strength in (1.0, 30.0)]
    np.testing.assert_allclose(path.path_leave_one_out, [by_hand], rtol=1e-9)


def test_weights_may_be_closed_over_where_pairs_are_traced():
    x, y = (jnp.asarray(z, jnp.float32) for z in related(30, 4, 5))
    weights = jnp.arange(30.0)
    weight = jax.jit(lambda x: solvers.ridge(x, y, weights=weights).weight)(x)
    np.testing.assert_allclose(weight, solvers.ridge(x, y, weights=weights).weight, atol=1e-5)


def test_copies_of_pairs_are_one_pair_that_counts_as_often():
    x, y = (z.astype(np.float32) for z in related(300, 100, 100, noise=1.0))
    once, twice = solvers.ridge(x, y), solvers.ridge(np.tile(x, (2, 1)), np.tile(y, (2, 1)))
    assert 0.5 < once.details.leave_one_out < 1
    np.testing.assert_allclose(twice.details.leave_one_out, once.details.leave_one_out, rtol=1e-4)
    np.testing.assert_allclose(twice.weight, once.weight, atol=1e-4)
    some = np.concatenate([np.arange(300), np.arange(100)])
    weighted = solvers.ridge(x, y, weights=np.r_[np.full(100, 2.0), np.ones(200)])
    np.testing.assert_allclose(solvers.ridge(x[some], y[some]).weight, weighted.weight, atol=1e-4)
    other = solvers.ridge(np.tile(x, (2, 1)), np.concatenate([y, y[::-1]]))  # one side alone makes no copies
    assert other.details.leave_one_out > once.details.leave_one_out


def test_equal_pairs_beside_rows_that_do_not_count_are_one_pair():
    x, y = (z.astype(np.float32) for z in related(6, 4, 5))
    some, counts = np.array([0, 0, 0, 1, 2]), np.array([1.0, 1, 1, 0, 0])
    fitted = solvers.ridge(x[some], y[some], weights=counts)
    np.testing.assert_allclose(fitted(x[:1]), y[:1], atol=1e-5)


@pytest.mark.parametrize("towards", ["auto", "zero", "rigid", "similarity"])
def test_rows_that_are_all_the_same_are_mapped_to_the_mean(towards):
    rng = np.random.default_rng(0)
    for _ in range(10):  # what rounding leaves of their squares is negative in some
        x = np.tile(rng.normal(size=(1, 8)).astype(np.float32), (1000, 1))
        fitted = solvers.ridge(x, rng.normal(size=(1000, 8)).astype(np.float32), towards=towards)
        assert fitted.converged and abs(fitted.residual - 1) < 1e-3


def test_a_dimension_that_is_constant_has_derivatives():
    x, y = (z.astype(np.float32) for z in related(12, 3, 4))
    x[:, 1] = 2.5

    def of(x):
        return solvers.ridge(x, y, strengths=[1.0], towards="zero").weight

    step = np.zeros_like(x)
    step[4, 1] = 1e-2
    expected = (of(x + step) - of(x - step)) / 2e-2
    np.testing.assert_allclose(jax.jvp(of, (x,), (step / 1e-2,))[1], expected, atol=2e-3)
    assert np.abs(expected[1]).max() > 0.1


def test_the_origin_is_tried_by_the_rows_that_there_are_whatever_they_count():
    counts, origins = np.array([2, 1, 1, 1, 1, 3, 0, 0, 0]), 0
    for seed in range(20):
        x, y = np.random.default_rng(seed).normal(size=(2, 9, 8)).astype(np.float32)
        weighted, repeated = solvers.ridge(x, y, weights=counts), solvers.ridge(*(z.repeat(counts, 0) for z in (x, y)))
        alone = solvers.ridge(x[:6], y[:6], weights=counts[:6] / 9)  # six rows of eight dimensions, all of them
        assert weighted.details.goal == repeated.details.goal == alone.details.goal
        origins += weighted.details.goal == "origin"
    assert 0 < origins < 20


def test_weights_count_by_their_ratios():
    x, y = related(30, 4, 5)
    counts = np.random.default_rng(0).uniform(0.5, 3, 30)
    fitted, shares = (solvers.ridge(x, y, weights=w) for w in (counts, counts / counts.sum()))
    np.testing.assert_allclose(shares.weight, fitted.weight, atol=1e-5)
    np.testing.assert_allclose(shares.details.leave_one_out, fitted.details.leave_one_out, rtol=1e-5)
    with pytest.raises(ValueError, match="weights must be positive for two rows, that one may be left out"):
        solvers.ridge(x, y, weights=np.arange(30) // 29)


def test_weights_of_one_and_rows_of_none_change_nothing_where_rows_are_few():
    x, y = np.random.default_rng(1).normal(size=(2, 13, 20)).astype(np.float32)
    fit = functools.partial(solvers.ridge, strengths=[1e-3], towards="zero")  # a rotation is not unique then
    plain = fit(x[:10], y[:10])
    for rows in (10, 13):
        weighted = fit(x[:rows], y[:rows], weights=(np.arange(rows) < 10).astype("f4"))
        np.testing.assert_allclose(weighted.details.path_leave_one_out, plain.details.path_leave_one_out, rtol=1e-4)
        np.testing.assert_allclose(weighted.weight, plain.weight, atol=1e-5)
