"""Scales over the range of float32: every metric and similarity is right, or says that it is not."""

import numpy as np
import pytest
from metric_references import METRICS, sets

from align import relative, streaming

FAR = (-36, -30, -25, -20, *range(-15, 16, 3), 20, 25, 30, 36)
PAIRS = [(a, a) for a in FAR] + [(a, -a) for a in FAR if a]


def at(scales):
    x, y = sets()
    return [a * np.float32(10.0) ** np.float32(scale) for a, scale in zip((x, y), scales, strict=True)]


@pytest.mark.parametrize("scales", PAIRS, ids=lambda scales: f"1e{scales[0]} 1e{scales[1]}")
@pytest.mark.parametrize("name", METRICS)
def test_metrics(name, scales):
    metric = METRICS[name]
    x, y = at(scales)
    with np.errstate(all="raise"):
        expected = metric.reference(x, y)
    found = np.asarray(metric.call(x, y))
    if np.max(np.abs(expected)) < np.finfo(np.float32).max:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.max(np.abs(expected)))
    else:
        assert not np.isfinite(found)


MEASURES = {name: getattr(streaming, name) for name in ("linear_cka", "canonical_correlations", "procrustes_distance")}


@pytest.mark.parametrize("scales", PAIRS, ids=lambda scales: f"1e{scales[0]} 1e{scales[1]}")
@pytest.mark.parametrize("name", MEASURES)
def test_measures_of_a_record(name, scales):
    x, y = at(scales)
    with np.errstate(all="raise"):
        found, expected = MEASURES[name](streaming.from_arrays(x, y)), METRICS[name].reference(x, y)
        far = MEASURES[name](streaming.from_arrays(x.astype(float) * 1e70, y.astype(float) * 1e70))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(far, expected, rtol=1e-4)


@pytest.mark.parametrize("scale", FAR[1:])  # at 1e-36 some numbers are too small for a float of full precision
@pytest.mark.parametrize("name", relative.SIMILARITIES)
def test_similarities(name, scale):
    random = np.random.default_rng(0)
    codes, anchors = (random.normal(size=(n, 5)).astype(np.float32) for n in (30, 9))
    power = np.float32(2.0 ** round(scale * np.log2(10)))
    of_length = power if name == "euclidean" else np.float32(1)  # the others do not change with the scale
    expected = of_length * np.asarray(relative.represent(codes, anchors, name))
    found = relative.represent(power * codes, power * anchors, name)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["euclidean", "scaled"])
def test_a_code_that_is_no_number_harms_no_other(name):
    codes = np.arange(12.0, dtype=np.float32).reshape(4, 3) ** 2
    bad = np.concatenate([codes, [[np.nan, 0, 0], [np.inf, 0, 0]]]).astype(np.float32)
    found = np.asarray(relative.represent(bad, codes[:2], name))
    np.testing.assert_array_equal(found[:4], relative.represent(codes, codes[:2], name))
    assert not np.isfinite(found[4:]).any()
    far = np.concatenate([codes, [[1e38, 0, 0]]]).astype(np.float32)
    found = np.asarray(relative.represent(far, codes[:2], name))
    np.testing.assert_array_equal(found[:4], relative.represent(codes, codes[:2], name))
    assert np.isfinite(found[4]).all()
