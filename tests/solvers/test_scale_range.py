"""Scales over the range of float32: every solver is right, or says that it is not."""

import functools

import jax
import numpy as np
import pytest
from families import FAMILIES, STRENGTHS, pairs, ridge_reference

from align import solvers, streaming

FAR = (-36, -30, -25, -20, *range(-15, 16, 5), 20, 25, 30, 36)
WITHIN = 15
PAIRS = [(a, a) for a in FAR] + [(a, -a) for a in FAR if a]


def at(scales):
    return [
        a.astype(np.float32) * np.float32(10.0) ** np.float32(scale) for a, scale in zip(pairs(), scales, strict=True)
    ]


def cases(name, source):
    """Return the solver and its reference, with strengths, where they are given, in the scale of the source."""
    if name not in ("ridge", "ridge_origin"):
        return FAMILIES[name].solve, FAMILIES[name].reference
    origin = name == "ridge_origin"
    strengths = np.array((0.0, *STRENGTHS) if origin else STRENGTHS) * np.abs(source).max().astype(np.float64) ** 2
    solve = functools.partial(solvers.ridge, strengths=strengths, towards="origin" if origin else "zero")
    return solve, ridge_reference(strengths, intercept=not origin)


@pytest.mark.parametrize("scales", PAIRS, ids=lambda scales: f"1e{scales[0]} 1e{scales[1]}")
@pytest.mark.parametrize("name", FAMILIES)
def test_pairs(name, scales):
    source, target = at(scales)
    solve, reference = cases(name, source)
    try:
        fitted = solve(source, target)
    except ValueError as error:
        assert max(map(abs, scales)) > WITHIN
        assert str(error).startswith(("source", "target", "strengths"))
        return
    if not fitted.converged:
        assert max(map(abs, scales)) > WITHIN
        assert np.isnan(fitted.weight).all() and np.isnan(fitted.bias).all() and np.isnan(fitted.residual)
        return
    expected = reference(source.astype(np.float64), target.astype(np.float64))
    for found, right in zip((fitted.weight, fitted.bias), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4 * np.abs(right).max())


STREAMED = ("orthogonal", "rigid", "similarity", "linear", "affine")


@pytest.mark.parametrize("scales", PAIRS, ids=lambda scales: f"1e{scales[0]} 1e{scales[1]}")
@pytest.mark.parametrize("name", STREAMED)
def test_records(name, scales):
    source, target = at(scales)
    fitted = streaming.fit(streaming.from_arrays(source, target), name)
    if not fitted.converged:
        assert max(map(abs, scales)) > WITHIN
        assert np.isnan(fitted.weight).all() and np.isnan(fitted.bias).all() and np.isnan(fitted.residual)
        return
    expected = FAMILIES[name].reference(source.astype(np.float64), target.astype(np.float64))
    for found, right in zip((fitted.weight, fitted.bias), expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-4 * np.abs(right).max())


LABELS = np.repeat(np.arange(4), 20)


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_of_weight_zero_may_be_anything(name):
    x, y = (side.astype(np.float32) for side in pairs())
    rows = len(x)
    masked = [np.concatenate([side, np.full_like(side, -9999)]) for side in (x, y)]
    fitted = FAMILIES[name].solve(*masked, weights=np.repeat([1, 0], rows))
    for found, right in zip((fitted.weight, fitted.bias), FAMILIES[name].reference(*pairs()), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-4)


@functools.cache
def clouds():
    """Rows of four classes, and the same rows turned and moved."""
    random = np.random.default_rng(0)
    x = 3 * random.normal(size=(4, 3))[LABELS] + random.normal(size=(80, 3)) * [0.6, 0.4, 0.8]
    return x.astype(np.float32), (x @ np.linalg.qr(random.normal(size=(3, 3)))[0] + 1).astype(np.float32)


def of_labels(solve, **options):
    return lambda x, y: solve(jax.random.key(0), x, LABELS, y, LABELS, **options)


OF_CLOUDS = {
    "class_means": lambda x, y: solvers.class_means(x, LABELS, y, LABELS),
    "class_gaussians": of_labels(solvers.class_gaussians, restarts=4, iterations=20),
    "subclass_means": of_labels(solvers.subclass_means, clusters=5, sample=20),
    "labels": of_labels(solvers.labels, restarts=4, iterations=3, subset=20, whitenings=(0.5,)),
    "icp": lambda x, y: solvers.icp(
        jax.random.key(0), x, y, source_labels=LABELS, target_labels=LABELS, matching="csls", iterations=5
    ),
    "unpaired": lambda x, y: solvers.unpaired(
        jax.random.key(0), x, y, forms=((0.0, None),), restarts=1, clusters=20, sample=80, subset=80
    ),
}


@pytest.mark.parametrize("scale", [-36, -20, -15, -7, 7, 15, 20, 36])
@pytest.mark.parametrize("name", OF_CLOUDS)
def test_clouds(name, scale):
    x, y = clouds()
    factor = np.float32(10.0) ** np.float32(scale)
    if abs(scale) > WITHIN:
        with pytest.raises(ValueError, match=r"source holds values up to .* whose squares (vanish|exceed)"):
            OF_CLOUDS[name](x * factor, y * factor)
        return
    there, here = OF_CLOUDS[name](x * factor, y * factor), OF_CLOUDS[name](x, y)
    np.testing.assert_allclose(there.weight, here.weight, atol=1e-4)
    np.testing.assert_allclose(there.bias / factor, here.bias, atol=1e-4 * np.abs(y).max())


@pytest.mark.parametrize("name", ["similarity", "scaling", "ridge"])
def test_squares_that_vanish_are_a_failure_and_no_map_of_zeros(name):
    target = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    source = target * np.float32(1e-30)
    with pytest.raises(ValueError, match=r"source holds values up to .* whose squares vanish in float32"):
        getattr(solvers, name)(source, target)
    fitted = jax.jit(getattr(solvers, name))(source, target)
    assert not bool(fitted.converged) and np.isnan(fitted.weight).all()
    constant = getattr(solvers, name)(np.zeros_like(target), target)
    assert bool(constant.converged) and not np.any(constant.weight)
