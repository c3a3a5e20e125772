"""Two-dimensional arrays in `.npy`, `.npz` and `.safetensors` files, read and written by blocks of rows.

A file is named by its path, an array within one as `file.npz:key` or `file.safetensors:key`; a file with a single
array needs no key. Nothing is ever unpickled.
"""

import contextlib
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import ml_dtypes
import numpy as np

from align.arrays import atomic

SUFFIXES = (".npy", ".npz", ".safetensors")
_NPY = b"\x93NUMPY"
_DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    **{f"{kind}{8 * size}": np.dtype(f"{kind.lower()}{size}") for kind in "IU" for size in (1, 2, 4, 8)},
}


class Rows(NamedTuple):
    """An array `[n, d]` on disk; `read(start, stop)` returns those rows in memory, and holds on to nothing."""

    name: str
    shape: tuple[int, int]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]

    @property
    def nbytes(self) -> int:
        """Give how many bytes the rows take."""
        return math.prod(self.shape) * self.dtype.itemsize


def split_name(name: str) -> tuple[Path, str | None]:
    """Return the path and the key of `file.npz:key`; the key is None for a whole file."""
    match = re.fullmatch(r"(.+\.(?:npz|safetensors)):(.+)", name)
    path, key = (Path(match[1]), match[2]) if match and not Path(name).exists() else (Path(name), None)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{name}: expected a file that ends in .npy, .npz or .safetensors")
    return path, key


def open_rows(name: str) -> Rows:
    """Open an array `[n, d]` of real numbers without reading it (of an `.npz`, that array is read).

    Raises FileNotFoundError; ValueError for a file that is not what its ending says, an unknown key, and an array
    that is not two-dimensional, has no rows or columns, or does not hold real numbers.
    """
    rows = _open(name)
    if len(rows.shape) != 2 or 0 in rows.shape:
        raise ValueError(f"{name} has shape {list(rows.shape)}; expected rows and dimensions, [n, d]")
    return rows


def open_column(name: str) -> Rows:
    """Open an array `[n]` or `[n, 1]` of real numbers as one of `[n, 1]`; errors as for `open_rows`."""
    rows = _open(name)
    if len(rows.shape) == 1 and 0 not in rows.shape:
        return rows._replace(shape=(*rows.shape, 1), read=lambda start, stop: rows.read(start, stop)[:, None])
    if len(rows.shape) != 2 or rows.shape[1] != 1 or 0 in rows.shape:
        raise ValueError(f"{name} has shape {list(rows.shape)}; expected one number for each row, [n] or [n, 1]")
    return rows


def _open(name):
    path, key = split_name(name)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    shape, dtype, read = {".npy": _open_npy, ".npz": _open_npz, ".safetensors": _open_safetensors}[path.suffix](
        path, key
    )
    if dtype not in _DTYPES.values():
        raise ValueError(f"{name} has dtype {dtype}; expected real numbers")
    return Rows(name, tuple(shape), dtype, read)


def _open_npy(path, _):
    with path.open("rb") as file:
        if file.read(len(_NPY)) != _NPY:
            raise ValueError(
                f"{path} is not a readable .npy file: it does not begin as one does; numbers alone do not say their "
                "shape and type: read them by numpy.fromfile and save them by numpy.save"
            )

    def mapped():
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            reason = (
                "it holds Python objects, no numbers" if "pickle" in str(error) or "object" in str(error) else error
            )
            raise ValueError(f"{path} is not a readable .npy file: {reason}") from error

    array = mapped()
    # Mapped anew for each block: closing the mapping is what gives its pages back.
    return array.shape, array.dtype.newbyteorder("="), lambda start, stop: _native(mapped()[start:stop])


def _open_npz(path, key):
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a readable .npz file: it is no zip archive")
    with np.load(path, allow_pickle=False) as arrays:
        key = _only(path, key, arrays.files)
        try:
            array = _native(np.asarray(arrays[key]))
        except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path} is not a readable .npz file: {key}: {error}") from error
    return array.shape, array.dtype, lambda start, stop: array[start:stop]


def _open_safetensors(path, key):
    from safetensors import SafetensorError, safe_open

    def opened(use):
        try:
            with safe_open(path, "numpy") as file:
                return use(file)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} is not a readable .safetensors file: {error}") from error

    key = _only(path, key, opened(lambda file: list(file.keys())))
    shape, dtype = opened(lambda file: (file.get_slice(key).get_shape(), file.get_slice(key).get_dtype()))
    return shape, _DTYPES.get(dtype, dtype), lambda start, stop: opened(lambda file: file.get_slice(key)[start:stop])


def _only(path, key, keys):
    if key is None and len(keys) == 1:
        return keys[0]
    if key not in keys:
        asked = "name one of them as" if key is None else f"there is no {key!r}; write"
        raise ValueError(f"{path} holds {', '.join(sorted(keys)) or 'no array'}: {asked} {path.name}:KEY")
    return key


def _native(array):
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")


@contextlib.contextmanager
def writing(name: str, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that appends blocks of rows to a new array `[n, d]`, in memory O(block).

    The file appears under its own name when the context ends well and every row has come; until then, and if it
    fails or is interrupted, there is only a temporary file beside it, which is removed. An existing file is replaced,
    with all that it holds. Raises ValueError where the rows that came are not `shape`.
    """
    path, key = split_name(name)
    dtype = np.dtype(dtype)
    start = {".npy": _start_npy, ".npz": _start_npz, ".safetensors": _start_safetensors}[path.suffix]
    come = 0
    with atomic.replacing(path) as partial, partial.open("wb") as raw:
        with start(raw, key or "array", shape, dtype) as file:

            def append(block):
                nonlocal come
                if block.shape[1:] != tuple(shape[1:]):
                    raise ValueError(f"rows of {block.shape[1:]} for {name}; expected {tuple(shape[1:])}")
                file.write(np.ascontiguousarray(block, dtype).tobytes())
                come += len(block)

            yield append
        if come != shape[0]:
            raise ValueError(f"{come} rows came for {name}; expected {shape[0]}")


@contextlib.contextmanager
def _start_npy(raw, _, shape, dtype):
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_2_0(raw, header)
    yield raw


@contextlib.contextmanager
def _start_npz(raw, key, shape, dtype):
    with (
        zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive,
        archive.open(f"{key}.npy", "w", force_zip64=True) as member,
        _start_npy(member, key, shape, dtype) as file,
    ):
        yield file


@contextlib.contextmanager
def _start_safetensors(raw, key, shape, dtype):
    kind = next(kind for kind, known in _DTYPES.items() if known == dtype)
    description = {"dtype": kind, "shape": list(shape), "data_offsets": [0, math.prod(shape) * dtype.itemsize]}
    header = json.dumps({key: description}).encode()
    header += b" " * (-len(header) % 8)  # the data starts aligned
    raw.write(struct.pack("<Q", len(header)) + header)
    yield raw
