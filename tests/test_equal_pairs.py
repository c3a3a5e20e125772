"""Rows that are there more than once, found and counted."""

import numpy as np
import pytest

from align import search
from align.arrays.copies import first_of_equal, once, row_keys


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


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, np.float64])
def test_equal_rows_are_found_among_few_values_and_many_rows(dtype):
    random = np.random.default_rng(0)
    x, y = random.integers(-2, 3, size=(10_000, 5)).astype(dtype), random.integers(2, size=(10_000, 1)).astype(dtype)
    _, inverse = np.unique(np.c_[x, y], axis=0, return_inverse=True)
    places = {}
    expected = [places.setdefault(each, row) for row, each in enumerate(inverse.reshape(-1).tolist())]
    np.testing.assert_array_equal(first_of_equal(x, y), expected)


class Series:
    """Labels whose places go by an index of their own, as those of a shuffled data frame."""

    def __init__(self, values, index):
        self.values, self.index, self.shape = np.asarray(values), list(index), (len(values),)

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    def __getitem__(self, labels):
        return self.values[[self.index.index(label) for label in labels]]


def test_labels_are_taken_by_their_places():
    rows = np.arange(12.0).reshape(6, 2)
    rows[4] = rows[1]
    labels = Series([5, 6, 7, 8, 6, 9], [3, 1, 4, 0, 5, 2])
    kept, own = once(rows, labels)
    np.testing.assert_array_equal(kept, rows[[0, 1, 2, 3, 5]])
    np.testing.assert_array_equal(own, [5, 6, 7, 8, 9])


def test_pairs_that_are_equal_count_once():
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 12)).astype(np.float32)
    y = (x @ random.normal(size=(12, 10)) + 3 * random.normal(size=(60, 10))).astype(np.float32)
    order = random.permutation(180) % 60
    thrice = search.auto(x[order], y[order])
    first = order[np.sort(np.unique(order, return_index=True)[1])]  # the folds are of rows as they first come
    single = search.auto(x[first], y[first])
    assert thrice.details.left_out == single.details.left_out and thrice.details.chosen == single.details.chosen
    np.testing.assert_array_equal(thrice.weight, single.weight)
    np.testing.assert_array_equal(thrice.details.leave_one_out, single.details.leave_one_out)
    with pytest.raises(ValueError, match="at least 3 different pairs; of 40 there are 2"):
        search.auto(np.tile(x[:2], (20, 1)), np.tile(y[:2], (20, 1)))
