"""One row that is zero, NaN, infinite or there twice: it spoils its own place, and no other."""

import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from metric_references import METRICS, ranks, residual, sets
from refusals import Refusal, every

from align import metrics

BAD = {"zero": 0.0, "NaN": np.nan, "infinite": np.inf, "infinite and negative": -np.inf}
AT = 7
SIDES = {"x": (0,), "y": (1,), "both": (0, 1)}
SETS = [name for name, metric in METRICS.items() if not metric.predicts and name != "minibatch_cka"]


def spoilt(value, sides, rows=40):
    pair = sets(rows)
    for side in sides:
        pair[side][AT, :] = value
    return pair


def without(*pair):
    return [np.delete(a, AT, 0) for a in pair]


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("name", SETS)
def test_sets_are_compared_without_it(name, value, sides):
    metric, pair = METRICS[name], spoilt(BAD[value], SIDES[sides])
    # Zero is a point like any other, but for neighbourhoods, which have none of what was never embedded.
    counts = value == "zero" and "knn" not in name
    if not counts and sides != "both":  # nor does its partner count, however far off
        pair["xy".index(sides) - 1][AT] = 1e38
    expected = metric.reference(*(pair if counts else without(*pair)))
    np.testing.assert_allclose(metric.call(*pair), expected, atol=1e-5)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("value", BAD)
def test_batches_are_compared_without_it(value, sides):
    x, y = spoilt(BAD[value], SIDES[sides])
    found = metrics.minibatch_cka(x, y, batch_size=10)
    rest = [np.concatenate([a[:AT], a[AT + 1 : 10]]) for a in (x, y)]
    for a, part in ((x, rest[0]), (y, rest[1])):
        a[:10] = np.nan
        a[:9] = part
    if value == "zero":
        assert np.isfinite(found)
        return
    np.testing.assert_allclose(found, metrics.minibatch_cka(x, y, batch_size=10), atol=1e-5)


def expected_residual(value, sides):
    x, y = (a.astype(np.float64) for a in spoilt(value, sides))
    if not np.isfinite(y).all():
        return residual(*without(x, y))
    if not np.isfinite(x).all():
        x[AT] = y.mean(0)  # as good as saying nothing
    return residual(x, y)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("value", BAD)
def test_residual(value, sides):
    pair, expected = spoilt(BAD[value], SIDES[sides]), expected_residual(BAD[value], SIDES[sides])
    if value != "zero" and sides == "y":
        pair[0][AT] = 1e38
    np.testing.assert_allclose(metrics.relative_residual(*pair), expected, rtol=1e-5)
    np.testing.assert_allclose(metrics.r_squared(*pair), 1 - expected**2, rtol=1e-4)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("value", BAD)
def test_mean_cosine(value, sides):
    rest = METRICS["mean_cosine"].reference(*without(*sets()))
    expected = rest if 1 in SIDES[sides] else rest * 39 / 40  # a prediction without direction scores 0
    np.testing.assert_allclose(metrics.mean_cosine(*spoilt(BAD[value], SIDES[sides])), expected, rtol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("value", BAD)
def test_retrieval_counts_it_as_missed(value, sides, metric):
    if value == "zero" and metric == "euclidean":
        expected = ranks(*(a.astype(np.float64) for a in spoilt(0, SIDES[sides])), metric)
    else:
        # Others are looked for among what is there: all targets, or all but the bad one.
        x, y = (a.astype(np.float64) for a in sets())
        expected = np.insert(ranks(*without(x, y), metric), AT, 40)
        if 1 not in SIDES[sides]:
            expected = ranks(x, y, metric)
            expected[AT] = 40
    found = metrics.retrieval_ranks(*spoilt(BAD[value], SIDES[sides]), metric=metric)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(
        metrics.top_k_accuracy(*spoilt(BAD[value], SIDES[sides]), k=1, metric=metric), np.mean(expected == 1)
    )
    np.testing.assert_allclose(
        metrics.mean_reciprocal_rank(*spoilt(BAD[value], SIDES[sides]), metric=metric), np.mean(1 / expected), rtol=1e-6
    )


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_it_is_missed_however_many_rows_are_retrieved(metric):
    for sides in SIDES.values():
        found = metrics.top_k_accuracy(*spoilt(np.nan, sides), k=100, metric=metric)
        np.testing.assert_allclose(found, 39 / 40, rtol=1e-6)


def test_a_perfect_prediction_of_a_target_with_a_zero_row():
    _, target = sets()
    target[AT] = 0
    assert metrics.top_k_accuracy(target, target, k=1) == np.float32(39 / 40)
    np.testing.assert_allclose(metrics.mean_cosine(target, target), 1, rtol=1e-6)


@pytest.mark.parametrize("zeros", [0, 1, 20, 60])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_zero_rows_do_not_make_independent_sets_look_alike(metric, zeros):
    x, y = np.random.default_rng(0).normal(size=(2, 200, 12)).astype(np.float32)
    x[:zeros], y[:zeros] = 0, 0
    rows = 200 - zeros
    assert abs(metrics.mutual_knn_overlap(x, y, k=10, metric=metric) - 10 / (rows - 1)) < 0.03


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_collapsed_sets_share_neighbours_by_chance(metric):
    ones = np.ones((50, 4), np.float32)
    np.testing.assert_allclose(metrics.mutual_knn_overlap(ones, 2 * ones, k=10, metric=metric), 10 / 49, rtol=1e-5)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_but_bad_rows(name):
    bad = np.full((40, 4), np.nan, np.float32)
    found = METRICS[name].call(bad, bad)
    if "rank" in name or "top_k" in name:
        np.testing.assert_allclose(
            found, {"top_k_accuracy": 0, "mean_reciprocal_rank": 1 / 40}.get(name, 40), rtol=1e-6
        )
    elif name == "canonical_correlations":
        np.testing.assert_array_equal(found, 0)
    else:
        assert np.isnan(found)


ROWS = np.float32([[1, 2], [0, 0], [1, 2], [np.nan, 0], [0, np.inf], [1, 2], [-0.0, 0], [3, -0.0], [3, 0.0]])
COUNTED = {
    "every kind": (ROWS, (2, 2, 3)),
    "none": (ROWS[[0, 7]], (0, 0, 0)),
    "integers": (np.array([[1], [1], [0]], np.int8), (1, 0, 1)),
    "unsigned integers": (np.array([[255], [0], [0]], np.uint8), (2, 0, 0)),
    "float16": (ROWS.astype(np.float16), (2, 2, 3)),
    "bfloat16": (jnp.asarray(ROWS, jnp.bfloat16), (2, 2, 3)),
    "float64 that are one float32": (np.array([[1.0], [1 + 1e-12], [1e-60], [0.0]]), (1, 0, 0)),
    "float64 beyond float32": (np.array([[1e60], [1e60], [np.inf]]), (0, 1, 1)),
    "integers that are one float32": (np.array([[2**53], [2**53 + 1]]), (0, 0, 0)),
    "no rows": (ROWS[:0], (0, 0, 0)),
    "a list": ([[0.0, 0.0], [1.0, 0.0]], (1, 0, 0)),
}


@pytest.mark.parametrize("what", COUNTED)
def test_bad_rows_are_counted(what):
    array, expected = COUNTED[what]
    assert metrics.bad_rows(array) == metrics.BadRows(*expected)


@every(
    {
        "one axis": Refusal(lambda: metrics.bad_rows(ROWS[0]), "x", "(2,)", "two axes, rows and features"),
        "complex numbers": Refusal(
            lambda: metrics.bad_rows(np.ones((2, 2), np.complex64)), "x", "complex64", "real numbers"
        ),
        "a masked array": Refusal(
            lambda: metrics.bad_rows(np.ma.masked_array(ROWS)), "x", "masked, float32 (9, 2)", "array of real"
        ),
        "strings": Refusal(lambda: metrics.bad_rows([["a"]]), "x", "list", "array of real numbers"),
    }
)
def test_what_holds_no_rows(refusal):
    refusal.check()
