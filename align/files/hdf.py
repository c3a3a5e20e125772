"""HDF5: datasets by their path within the file, as `file.h5:group/vectors`; read by h5py."""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import Rows, needed, only, unreadable

_DESCRIBED = 1 << 16  # bytes, more than HDF5 takes to describe a dataset and the groups that it is in


def open_hdf5(path: Path, key: str | None) -> Rows:
    """Open a dataset of an HDF5 file."""
    key = _key(path, key)
    shape, dtype = _opened(path, lambda file: (file[key].shape or (), file[key].dtype))  # None of an empty one

    def read(start, stop):
        return np.asarray(_opened(path, lambda file: file[key][start:stop])).astype(dtype, copy=False)

    return Rows(str(path), shape, dtype.newbyteorder("="), read, key=key)


def hdf5_ids(path: Path, key: str) -> Iterator[np.ndarray | list]:
    """Yield the dataset of ids that a key names in an HDF5 file; text is stored as bytes."""
    key = _key(path, key)
    yield _opened(path, lambda file: file[key][:])


def _key(path, key):
    h5py = needed("h5py", "h5py", path)
    key = key and key.strip("/")
    # By its name, as a walk passes over links, and over all names of a dataset but one.
    if key and _opened(path, lambda file: isinstance(file.get(key), h5py.Dataset)):
        return key
    found = _datasets(path)
    matrices = [name for name, dimensions in found.items() if dimensions == 2]
    return only(path, key, matrices or list(found), list(found))


def hdf5_names(path: Path) -> list[str]:
    """Return the names of the datasets of an HDF5 file."""
    return list(_datasets(path))


def _datasets(path):
    """Return the axes of each dataset by its name."""
    h5py = needed("h5py", "h5py", path)
    found = {}

    def note(name, one):
        if isinstance(one, h5py.Dataset):
            found[name] = one.ndim

    _opened(path, lambda file: file.visititems(note))
    return found


def _opened(path, use):
    h5py = needed("h5py", "h5py", path)
    try:
        with h5py.File(path, "r") as file:
            return use(file)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # of a damaged file h5py raises any
        raise unreadable(path, path.suffix, error) from error


@contextlib.contextmanager
def write_hdf5(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to the one dataset of an HDF5 file.

    They are written beside HDF5, which ends the process where a disk is full; it writes what describes them.
    """
    h5py = needed("h5py", "h5py", path)
    with path.open("wb") as raw:  # so that there is room for it
        raw.write(bytes(_DESCRIBED))
        raw.truncate(_DESCRIBED + math.prod(shape) * dtype.itemsize)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(key or "array", shape, dtype)
        dataset[:1, :1] = 0  # from which on it has a place in the file
        begin = dataset.id.get_offset()
    with path.open("rb+") as raw:
        raw.seek(begin)
        yield lambda block, others: raw.write(np.asarray(block, dtype).tobytes())
