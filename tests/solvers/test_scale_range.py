"""Scales over the range of float32: every solver is right, or says that it is not."""

import functools

import numpy as np
import pytest
from families import FAMILIES, STRENGTHS, pairs, ridge_reference

from align import solvers

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
