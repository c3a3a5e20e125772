"""Rows that are there more than once, found and counted."""

import numpy as np
import pytest

from align import search
from align.arrays.copies import first_of_equal, row_keys


def test_equal_rows_are_found_whatever_their_values():
    random = np.random.default_rng(0)
    for x in (random.normal(size=(200, 3)), random.integers(0, 2, (200, 3)), np.zeros((200, 2))):
        x, y = x.astype(np.float32), random.integers(0, 3, (200, 1)).astype(np.float64)
        x[::7] *= -1  # −0 equals 0
        pairs = [tuple(row) for row in np.concatenate([x, y], 1)]
        expected = [pairs.index(pair) for pair in pairs]
        found = first_of_equal(x, y)
        np.testing.assert_array_equal(np.arange(200) if found is None else found, expected)
        keys = row_keys(x, y)
        assert [keys.index(key) for key in keys] == expected
    assert first_of_equal(random.normal(size=(50, 2))) is None


def test_pairs_that_are_equal_count_once():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 12)).astype(np.float32)
    y = (x @ random.normal(size=(12, 10)) + 3 * random.normal(size=(60, 10))).astype(np.float32)
    order = random.permutation(180) % 60
    thrice = search.auto(x[order], y[order])
    first = order[np.sort(np.unique(order, return_index=True)[1])]  # the folds are of rows as they first come
    once = search.auto(x[first], y[first])
    assert thrice.details.left_out == once.details.left_out and thrice.details.chosen == once.details.chosen
    np.testing.assert_array_equal(thrice.weight, once.weight)
    np.testing.assert_array_equal(thrice.details.leave_one_out, once.details.leave_one_out)
    with pytest.raises(ValueError, match="at least 3 different pairs; of 40 there are 2"):
        search.auto(np.tile(x[:2], (20, 1)), np.tile(y[:2], (20, 1)))
