"""Opening what a name means, and writing a new file whole or not at all."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from align.arrays import atomic
from align.files import naming, parts
from align.files.formats import FORMATS, WRITTEN
from align.files.opened import DTYPES, Rows


def open_rows(name: str) -> Rows:
    """Open an array `[n, d]` of real numbers without reading it (of an `.npz`, that array is read).

    Raises FileNotFoundError; ValueError for a file that is not what its ending says, an unknown key, and an array
    that is not two-dimensional, has no rows or columns, or does not hold real numbers; MissingPackage.
    """
    rows = _open(name)
    if len(rows.shape) != 2 or 0 in rows.shape:
        raise ValueError(f"{name} has shape {list(rows.shape)}; expected rows and dimensions, [n, d]")
    return rows


def open_column(name: str) -> Rows:
    """Open an array `[n]` or `[n, 1]` of real numbers as one of `[n, 1]`; errors as for `open_rows`."""
    rows = _open(name)
    if len(rows.shape) == 1 and 0 not in rows.shape:
        take = rows.take
        return rows._replace(
            shape=(*rows.shape, 1),
            read=lambda start, stop: rows.read(start, stop)[:, None],
            take=None if take is None else lambda index: take(index)[:, None],
        )
    if len(rows.shape) != 2 or rows.shape[1] != 1 or 0 in rows.shape:
        raise ValueError(f"{name} has shape {list(rows.shape)}; expected one number for each row, [n] or [n, 1]")
    return rows


def _open(name):
    paths, key = naming.found(name)
    states = [_state(path) for path in paths]
    rows = parts.joined(name, [FORMATS[path.suffix].open(path, key) for path in paths])
    if rows.dtype not in DTYPES.values():
        raise ValueError(f"{name} has dtype {rows.dtype}; expected real numbers")

    def checked(function):
        def read(*asked):
            found = function(*asked)
            if [_state(path) for path in paths] != states:
                raise ValueError(f"{name} has changed since it was opened; expected a file that stays as it is")
            return found

        return None if function is None else read

    return rows._replace(read=checked(rows.read), take=checked(rows.take), others=checked(rows.others))


def _state(path):
    """Return what tells a file from another in its place, None where there is none."""
    with contextlib.suppress(FileNotFoundError):
        found = path.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


def keeps_others(name: str) -> bool:
    """Say whether a file of this name holds what stands beside the vectors too."""
    return FORMATS[naming.split_name(name)[0].suffix].beside


def dtypes_of(name: str) -> tuple[str, ...] | None:
    """Return the dtypes that a file of this name is written in, None where it may be any."""
    return FORMATS[naming.split_name(name)[0].suffix].dtypes


def lost(name: str) -> list[str]:
    """Return the arrays that a file holds beside the one that a name names, and which are not there once it is written.

    None of a file that cannot be read, or a name that means the file as a whole.
    """
    path, key = naming.split_name(name)
    names = FORMATS[path.suffix].names
    if key is None or names is None or not path.is_file():
        return []
    try:
        return [other for other in names(path) if other != key.strip("/")]
    except Exception:  # whatever it is, it is no file of arrays
        return []


@contextlib.contextmanager
def writing(
    name: str, shape: tuple[int, int], dtype: np.dtype, *, overwrite: bool = True
) -> Iterator[Callable[..., None]]:
    """Yield a function `append(block, others=None)` that adds rows to a new array `[n, d]`, in memory O(block).

    others: what stands beside the rows, as `Rows.others` returns it; formats without columns do not write it. The file
    appears under its own name when the context ends well and every row has come; until then, and if it fails or is
    interrupted, there is only a temporary file beside it, which is removed. An existing file is replaced, with all that
    it holds; FileExistsError unless `overwrite`. Raises ValueError where the rows that came are not `shape`, and for a
    format that is not written, or not in this dtype.
    """
    path, key = naming.split_name(name)
    naming.check_suffix(name, path, WRITTEN)
    dtype, come = np.dtype(dtype), 0
    own = dtypes_of(name)
    if own is not None and dtype.name not in own:
        raise ValueError(f"{name} is written in {', '.join(own)} alone; the rows are {dtype}")
    start = FORMATS[path.suffix].write
    assert start is not None
    with atomic.replacing(path, overwrite=overwrite) as partial:
        with start(partial, key, shape, dtype) as add:

            def append(block: np.ndarray, others: dict[str, Any] | None = None) -> None:
                nonlocal come
                if block.shape[1:] != tuple(shape[1:]):
                    raise ValueError(f"rows of {block.shape[1:]} for {name}; expected {tuple(shape[1:])}")
                try:
                    add(np.ascontiguousarray(block, dtype), others)
                except ValueError as error:  # by those who know the name of a temporary file alone
                    raise ValueError(f"{name}: {error}") from error
                come += len(block)

            yield append
        if come != shape[0]:
            raise ValueError(f"{come} rows came for {name}; expected {shape[0]}")
