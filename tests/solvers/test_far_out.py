"""A few rows that are far out do not set the scale and the axes of a cloud."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.clouds import far_out

ROWS = (np.random.default_rng(0).gamma(1, size=(300, 4)) * [4, 3, 2, 1]).astype(np.float32)


def far(*rows, by=100):
    array = ROWS.copy()
    array[list(rows)] *= by
    return jnp.asarray(array)


def test_up_to_a_hundredth_of_the_rows_are_left_out_with_their_labels():
    labels = np.arange(300)
    for kind in (np.asarray, list, jnp.asarray):
        kept, named = far_out.without(far(7, 200), kind(labels))
        np.testing.assert_array_equal(kept, np.delete(ROWS, [7, 200], 0))
        np.testing.assert_array_equal(named, np.delete(labels, [7, 200]))
    masked = np.ma.masked_equal(labels, 3)
    assert np.ma.isMaskedArray(far_out.without(far(7), masked)[1])  # for others to refuse


@pytest.mark.parametrize(
    "array",
    [far(), far(7, by=2), far(1, 2, 3, 4), far(7)[:31], far(7)[:0], far(*range(299), by=0)],
    ids=["none", "near", "many", "few", "empty", "one"],
)
def test_other_clouds_are_as_they_came(array):
    assert far_out.without(array)[0] is array


def test_a_cloud_must_be_known_and_its_labels_as_many():
    one = far(7)
    for labels in (np.arange(3), 3, jnp.int32(3)):  # for others to refuse
        assert far_out.without(one, labels)[0] is one
    assert jax.eval_shape(lambda x: far_out.without(x)[0], one).shape == (300, 4)
    assert jax.jit(lambda: far_out.without(one)[0])().shape == (299, 4)


def test_maps_from_labels_are_those_of_the_other_rows():
    labels = np.arange(300) % 3
    clouds = [(z + 5 * np.eye(3, 4)[labels]).astype(np.float32) for z in (ROWS, ROWS[::-1] * [1, -1, 1, 1])]
    fit = functools.partial(solvers.labels, jax.random.key(0), iterations=2)
    left = [np.delete(z, 9, 0) for z in clouds]
    expected = fit(left[0], np.delete(labels, 9), left[1], np.delete(labels, 9))
    for z in clouds:
        z[9] *= 1e4
    fitted = fit(clouds[0], labels, clouds[1], labels)
    np.testing.assert_allclose(fitted.weight, expected.weight, atol=1e-5)
