"""Rows that are there more than once."""

import hashlib

import numpy as np


def first_of_equal(*arrays: np.ndarray) -> np.ndarray | None:
    """Return for each row the first that equals it in all arrays `[n, d_i]`, `[n]`; None where no two are equal."""
    lead = arrays[0][:, 0]
    inverse, counts = np.unique(lead, return_inverse=True, return_counts=True)[1:]
    shared = np.flatnonzero(counts[inverse] > 1)  # few, but where values are few
    if not len(shared):
        return None
    rows = _bytes_of(*(array[shared] for array in arrays))
    keys = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) == len(shared):
        return None
    equal = np.arange(len(lead))
    equal[shared] = shared[first[inverse]]
    return equal


def row_keys(*arrays: np.ndarray) -> list[bytes]:
    """Return a key for each row of arrays `[n, d_i]`, alike where rows are equal in all of them."""
    return [hashlib.blake2b(row, digest_size=16).digest() for row in _bytes_of(*arrays)]


def _bytes_of(*arrays):
    rows = np.concatenate(arrays, axis=1)
    return np.ascontiguousarray(rows + np.zeros((), rows.dtype))  # −0 becomes 0, which it equals
