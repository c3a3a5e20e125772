"""HDF5: datasets by their path within the file, as `file.h5:group/vectors`; read by h5py."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import Rows, needed, only, unreadable


def open_hdf5(path: Path, key: str | None) -> Rows:
    """Open a dataset of an HDF5 file."""
    key = _key(path, key)
    shape, dtype = _opened(path, lambda file: (file[key].shape, file[key].dtype))

    def read(start, stop):
        return np.asarray(_opened(path, lambda file: file[key][start:stop])).astype(dtype, copy=False)

    return Rows(str(path), shape, dtype.newbyteorder("="), read, key=key)


def hdf5_ids(path: Path, key: str) -> Iterator[np.ndarray | list]:
    """Yield the dataset of ids that a key names in an HDF5 file; text is stored as bytes."""
    key = _key(path, key)
    yield _opened(path, lambda file: file[key][:])


def _key(path, key):
    h5py = needed("h5py", "h5py", path)
    found = {}

    def note(name, one):
        if isinstance(one, h5py.Dataset):
            found[name] = one.ndim

    _opened(path, lambda file: file.visititems(note))
    matrices = [name for name, dimensions in found.items() if dimensions == 2]
    return only(path, key and key.strip("/"), matrices or list(found), list(found))


def _opened(path, use):
    h5py = needed("h5py", "h5py", path)
    try:
        with h5py.File(path, "r") as file:
            return use(file)
    except OSError as error:
        raise unreadable(path, path.suffix, error) from error


@contextlib.contextmanager
def write_hdf5(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to the one dataset of an HDF5 file."""
    h5py = needed("h5py", "h5py", path)
    with h5py.File(path, "w") as file:
        dataset, come = file.create_dataset(key or "array", shape, dtype), 0

        def append(block, others):
            nonlocal come
            dataset[come : come + len(block)] = block
            come += len(block)

        yield append
