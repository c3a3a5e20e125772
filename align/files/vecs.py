"""`.fvecs`, `.bvecs` and `.ivecs`: before each row its number of dimensions, as int32."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import Rows, unreadable

_KINDS = {".fvecs": "<f4", ".bvecs": "u1", ".ivecs": "<i4"}


def open_vecs(path: Path, key: None = None) -> Rows:
    """Open the rows of a file; ValueError where they are not of one length."""
    size = path.stat().st_size
    d = int(np.fromfile(path, "<i4", 1)[0]) if size >= 4 else 0
    row = _row(path.suffix, d) if 0 < d < size else None
    if row is None or size % row.itemsize:
        raise unreadable(path, path.suffix, f"its {size} bytes are no rows of {d} dimensions, as it begins")

    def some(index):
        rows = np.memmap(path, row, "r")[index]
        if (rows["d"] != d).any():
            raise unreadable(path, path.suffix, f"it begins with {d} dimensions, and a later row has others")
        return rows["row"].astype(row["row"].base.newbyteorder("="))

    shape = (size // row.itemsize, d)
    return Rows(str(path), shape, row["row"].base.newbyteorder("="), lambda a, b: some(slice(a, b)), some)


def _row(suffix, d):
    return np.dtype([("d", "<i4"), ("row", _KINDS[suffix], (d,))])


@contextlib.contextmanager
def write_vecs(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to a file, which are of its own dtype."""
    row = _row(path.suffix, shape[1])
    with path.open("wb") as raw:

        def append(block, others):
            rows = np.empty(len(block), row)
            rows["d"], rows["row"] = shape[1], block
            raw.write(rows.tobytes())

        yield append
