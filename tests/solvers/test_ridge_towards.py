"""Ridge regression towards a map that was known before."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.maps import AffineMap


def data(rows, noise=0.3):
    random = np.random.default_rng(rows)
    truth = np.random.default_rng(0).normal(size=(8, 5))
    x = random.normal(size=(rows, 8)).astype(np.float32)
    y = (x @ truth + 2 + noise * random.normal(size=(rows, 5))).astype(np.float32)
    return x, y, AffineMap(jnp.asarray(truth, jnp.float32), jnp.full(5, 2.0))


def test_few_rows_stay_at_a_good_map_and_many_leave_a_bad_one():
    x, y, truth = data(6)
    kept = solvers.ridge(x, y, towards=truth)
    np.testing.assert_allclose(kept.weight, truth.weight, atol=0.2)
    x, y, _ = data(2000)
    wrong = AffineMap(-truth.weight, truth.bias)
    np.testing.assert_allclose(solvers.ridge(x, y, towards=wrong).weight, solvers.ridge(x, y).weight, atol=0.02)


@pytest.mark.parametrize("part", ["weight", "bias"])
def test_a_known_map_that_is_not_finite_is_refused(part):
    x, y, truth = data(20)
    spoilt = dataclasses.replace(truth, **{part: getattr(truth, part).at[0].set(jnp.nan)})
    with pytest.raises(ValueError, match="towards holds NaN or infinity"):
        solvers.ridge(x, y, towards=spoilt)


def test_shape_of_the_known_map_is_checked():
    x, y, truth = data(20)
    with pytest.raises(ValueError, match="towards must map 5 to 8 dimensions"):
        solvers.ridge(y, x, towards=truth)
