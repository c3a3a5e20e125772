"""Rows that are there more than once."""

import hashlib
from typing import Any

import jax
import numpy as np

_BLOCK = 4096  # rows


def first_of_equal(*arrays: np.ndarray) -> np.ndarray | None:
    """Return for each row the first that equals it in all arrays `[n, d_i]`, `[n]`; None where no two are equal."""
    lead = arrays[0][:, 0]
    inverse, counts = np.unique(lead, return_inverse=True, return_counts=True)[1:]
    shared = np.flatnonzero(counts[inverse] > 1)
    if len(shared) > _BLOCK:  # where values are few, as of codes of 8 bits
        inverse, counts = np.unique(_hashes(*arrays, rows=shared), return_inverse=True, return_counts=True)[1:]
        shared = shared[counts[inverse] > 1]
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


def once(*arrays: Any) -> tuple[Any, ...]:
    """Return of rows that are equal in all arrays `[n, ...]` the first alone; None among them stays.

    As they are where they are traced, or not as many: what asks for as many refuses them by name.
    """
    known = [array for array in arrays if array is not None]
    if any(isinstance(array, jax.core.Tracer) for array in known) or len(set(map(len, known))) > 1:
        return arrays
    first = first_of_equal(*(np.asarray(array).reshape(len(array), -1) for array in known))
    if first is None:
        return arrays
    kept = np.unique(first)
    return tuple(
        None if array is None else (array if isinstance(array, np.ndarray | jax.Array) else np.asarray(array))[kept]
        for array in arrays
    )


def row_keys(*arrays: np.ndarray) -> list[bytes]:
    """Return a key for each row of arrays `[n, d_i]`, alike where rows are equal in all of them."""
    return [hashlib.blake2b(row, digest_size=16).digest() for row in _bytes_of(*arrays)]


def _hashes(*arrays, rows):
    """Return a number `[len(rows)]` for each of some rows, alike where they are equal, in little memory."""
    found = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), _BLOCK):
        block = _bytes_of(*(array[rows[start : start + _BLOCK]] for array in arrays))
        words = block.view(np.uint8).reshape(len(block), -1)
        words = np.pad(words, ((0, 0), (0, -words.shape[1] % 4))).view(np.uint32).astype(np.uint64)
        factors = np.random.default_rng(0).integers(2**63, size=words.shape[1], dtype=np.uint64) * 2 + 1
        found[start : start + _BLOCK] = (words * factors).sum(1)  # whatever is beyond 64 bits is left out
    return found


def _bytes_of(*arrays):
    rows = np.concatenate(arrays, axis=1)
    return np.ascontiguousarray(rows + np.zeros((), rows.dtype))  # −0 becomes 0, which it equals
