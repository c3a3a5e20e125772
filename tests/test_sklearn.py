"""The estimator: scikit-learn's own checks, and what is ours about it."""

import importlib
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from align import metrics, solvers
from align.arrays.double import enable_x64
from align.sklearn import Aligner

RANDOM = np.random.default_rng(0)
SOURCE = RANDOM.normal(size=(40, 4)) * [3, 2, 1, 0.5]
TURN = np.linalg.qr(RANDOM.normal(size=(4, 4)))[0]
TARGET = SOURCE @ TURN + 2 + 0.5 * RANDOM.normal(size=(40, 4))


@parametrize_with_checks([Aligner()])
def test_estimator_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_is_the_solver_in_the_precision_of_the_input(dtype):
    x, y, weights = SOURCE.astype(dtype), TARGET.astype(dtype), RANDOM.integers(1, 3, 40)
    aligner = Aligner(solver="affine").fit(x, y, sample_weight=weights)
    with enable_x64(dtype == np.float64):
        fitted = solvers.affine(x, y, weights=weights)
        expected = np.asarray(fitted(x))
    np.testing.assert_array_equal(aligner.map_.weight, fitted.weight)
    rounding = 1000 * np.finfo(dtype).eps
    for found, wanted in (
        (aligner.transform(x), expected),
        (aligner.predict(x), expected),
        (aligner.inverse_transform(expected), x),
    ):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=rounding, atol=rounding)


def test_the_score_is_that_of_the_residual_however_the_target_is_turned():
    aligner = Aligner(solver="rigid").fit(SOURCE, TARGET)
    score = aligner.score(SOURCE, TARGET)
    np.testing.assert_allclose(score, 1 - aligner.map_.residual**2, rtol=1e-10)
    np.testing.assert_allclose(score, metrics.r_squared(aligner.predict(SOURCE), TARGET), rtol=1e-5)
    turned = TARGET @ TURN
    np.testing.assert_allclose(Aligner(solver="rigid").fit(SOURCE, turned).score(SOURCE, turned), score, rtol=1e-10)


def test_a_target_of_one_dimension_is_predicted_as_it_came():
    aligner = Aligner(solver="affine").fit(SOURCE, TARGET[:, 0])
    assert aligner.predict(SOURCE).shape == (40,)
    assert aligner.transform(SOURCE).shape == (40, 1)
    assert list(aligner.get_feature_names_out()) == ["aligner0"]


def test_a_prediction_is_an_array_whatever_transform_returns(monkeypatch):
    aligner = Aligner(solver="affine").fit(SOURCE, TARGET[:, 0])
    expected, score = aligner.predict(SOURCE), aligner.score(SOURCE, TARGET[:, 0])
    transform = Aligner.transform
    monkeypatch.setattr(Aligner, "transform", lambda self, X: {"aligner0": transform(self, X)})  # as set_output may ask
    np.testing.assert_array_equal(aligner.predict(SOURCE), expected)
    assert aligner.score(SOURCE, TARGET[:, 0]) == score


def test_a_search_finds_the_solver_that_predicts_best():
    few = SOURCE[:10], SOURCE[:10] @ TURN + 0.5 * RANDOM.normal(size=(10, 4))
    pipeline = make_pipeline(StandardScaler(with_std=False), Aligner())
    settings = {"aligner__solver": ["affine", "rigid"]}
    search = GridSearchCV(pipeline, settings, cv=5).fit(*few)
    assert search.best_params_ == {"aligner__solver": "rigid"}
    assert search.predict(SOURCE).shape == TARGET.shape


REFUSED = {
    "labels": (Aligner("labels"), "solver must be one of orthogonal.*; it is 'labels'"),
    "unknown": (Aligner("rigd"), "it is 'rigd'"),
    "foreign option": (Aligner("rigid", options={"towards": "zero"}), "options of rigid may be reflection; .* towards"),
    "no option": (Aligner("scaling", options={"rcond": 0}), "options of scaling may be none"),
    "options that are text": (Aligner("rigid", options="towards"), "options must be a dict .*; it is 'towards'"),
    "options that are a number": (Aligner("rigid", options=3), "options must be a dict .*; it is 3"),
    "options that are a list": (Aligner("rigid", options=[]), r"options must be a dict .*; it is \[\]"),
    "missing option": (Aligner("reduced_rank"), "options of reduced_rank must hold rank"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_solvers_and_options_that_do_not_fit_are_refused(case):
    aligner, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        clone(aligner).fit(SOURCE, TARGET)


@pytest.mark.parametrize("fitted_in", [np.float32, np.float64])
def test_dimensions_that_the_fit_does_not_have_stay_unmapped_backwards(fitted_in):
    flat = SOURCE @ np.diag([1, 1, 1, 0]) @ TURN  # of rank 3
    aligner = Aligner("affine").fit(flat.astype(fitted_in), TARGET.astype(fitted_in))
    for found in (
        aligner.inverse_transform(TARGET),
        aligner.inverse_transform(TARGET.astype(np.float32)),
        aligner.map_.inverse()(TARGET),
    ):
        assert np.abs(found).max() < 10 * np.abs(flat).max()


def test_masked_arrays_are_refused():
    masked, weights = np.ma.masked_greater(SOURCE, 1), np.ma.masked_greater(np.arange(40.0), 3)
    aligner = Aligner("affine").fit(SOURCE, TARGET)
    calls = {
        "X": (lambda: Aligner().fit(masked, TARGET), lambda: aligner.transform(masked)),
        "y": (lambda: Aligner().fit(TARGET, masked), lambda: aligner.score(SOURCE, masked)),
        "sample_weight": (lambda: Aligner().fit(SOURCE, TARGET, sample_weight=weights),),
    }
    calls["X"] += (lambda: aligner.predict(masked), lambda: aligner.inverse_transform(masked))
    for name, those in calls.items():
        for call in those:
            with pytest.raises(ValueError, match=f"{name} must be an array of real numbers; it is masked, float64"):
                call()


@pytest.mark.parametrize("value", [0.5, 0.1])  # the mean of tenths is not one of them
def test_the_score_of_a_target_that_does_not_vary(value):
    constant = np.full((40, 4), value)
    assert Aligner("affine").fit(SOURCE, constant).score(SOURCE, constant) == 1
    assert Aligner("affine").fit(SOURCE, TARGET).score(SOURCE, constant) == 0


def test_a_dimension_that_does_not_vary_is_to_be_predicted_too():
    flat = SOURCE * [1, 1, 1, 0] + 0.5  # a rotation predicts something in its last dimension, and a constant is right
    aligner = Aligner("rigid").fit(SOURCE, flat)
    score = aligner.score(SOURCE, flat)
    np.testing.assert_allclose(score, 1 - aligner.map_.residual**2, rtol=1e-10)
    turned = flat @ TURN
    np.testing.assert_allclose(Aligner("rigid").fit(SOURCE, turned).score(SOURCE, turned), score, rtol=1e-10)


def test_the_score_of_weighted_rows_is_that_of_repeated_ones():
    aligner, times = Aligner("rigid").fit(SOURCE, TARGET), np.arange(40) % 3
    repeated = aligner.score(SOURCE.repeat(times, 0), TARGET.repeat(times, 0))
    np.testing.assert_allclose(aligner.score(SOURCE, TARGET, sample_weight=times), repeated, rtol=1e-10)


def test_one_row_has_no_score():
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(Aligner("rigid").fit(SOURCE, TARGET).score(SOURCE[:1], TARGET[:1]))


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "align.sklearn")
    with pytest.raises(ImportError, match=r"needs scikit-learn.*pip install 'align-latents\[sklearn\]'"):
        importlib.import_module("align.sklearn")
