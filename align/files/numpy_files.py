"""`.npy` and `.npz`; nothing is ever unpickled."""

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.arrays.damage import DAMAGED, NO_ARCHIVE
from align.files.opened import Rows, native, only, unreadable

_MAGIC = b"\x93NUMPY"


def open_npy(path: Path, key: None = None) -> Rows:
    """Open an array of an `.npy` file; it is mapped anew for each block."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(
                f"{path} is not a readable .npy file: it does not begin as one does; numbers alone do not say their "
                "shape and type: read them by numpy.fromfile and save them by numpy.save"
            )

    def mapped():
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except DAMAGED as error:
            if "pickle" in str(error) or "object" in str(error):
                error = ValueError("it holds Python objects, no numbers; save text by .astype(str)")
            raise unreadable(path, ".npy", error) from error

    array = mapped()
    # Closing the mapping is what gives its pages back.
    return Rows(
        str(path),
        array.shape,
        array.dtype.newbyteorder("="),
        lambda start, stop: native(mapped()[start:stop]),
        lambda index: native(mapped()[index]),
    )


def open_npz(path: Path, key: str | None) -> Rows:
    """Open an array of an `.npz` file, which is read."""
    key, array = _read_npz(path, key)
    return Rows(str(path), array.shape, array.dtype, lambda a, b: array[a:b], lambda index: array[index], key=key)


def npz_ids(path: Path, key: str) -> Iterator[np.ndarray]:
    """Yield the array of ids that a key names in an `.npz` file."""
    yield _read_npz(path, key)[1]


def npy_ids(path: Path, key: None = None) -> Iterator[np.ndarray]:
    """Yield the array of ids that an `.npy` file is."""
    rows = open_npy(path)
    yield rows.read(0, rows.shape[0]) if rows.shape else native(np.load(path, allow_pickle=False))


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays of an `.npz` file."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # which closes it whatever it is
        return list(arrays.files)


def _read_npz(path, key):
    if not zipfile.is_zipfile(path):
        raise unreadable(path, ".npz", "it is no zip archive")
    with path.open("rb") as file:  # a file that NumPy has opened stays open where it then finds no archive
        try:
            archive = np.load(file, allow_pickle=False)
        except (*DAMAGED, *NO_ARCHIVE) as error:
            raise unreadable(path, ".npz", error) from error
        with archive as arrays:
            key = only(path, key, arrays.files)
            try:
                return key, native(np.asarray(arrays[key]))
            except (*DAMAGED, *NO_ARCHIVE) as error:
                raise unreadable(path, ".npz", f"{key}: {error}") from error


@contextlib.contextmanager
def write_npy(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to an `.npy` file."""
    with path.open("wb") as raw:
        yield _started(raw, shape, dtype)


@contextlib.contextmanager
def write_npz(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to the one array of an `.npz` file."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive,
        archive.open(f"{key or 'array'}.npy", "w", force_zip64=True) as member,
    ):
        yield _started(member, shape, dtype)


def _started(file, shape, dtype):
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_2_0(file, header)
    return lambda block, others: file.write(block.tobytes())
