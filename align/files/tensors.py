"""`.safetensors`: arrays by name, and no code."""

import contextlib
import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import DTYPES, Rows, only, unreadable


def open_safetensors(path: Path, key: str | None) -> Rows:
    """Open an array of a `.safetensors` file."""
    key = only(path, key, _opened(path, lambda file: list(file.keys())))
    shape, dtype = _opened(path, lambda file: (file.get_slice(key).get_shape(), file.get_slice(key).get_dtype()))

    def read(start, stop):
        return _opened(path, lambda file: file.get_slice(key)[start:stop])

    return Rows(str(path), tuple(shape), DTYPES.get(dtype, dtype), read, key=key)


def safetensors_ids(path: Path, key: str) -> Iterator[np.ndarray]:
    """Yield the array of ids that a key names in a `.safetensors` file."""
    rows = open_safetensors(path, key)
    yield rows.read(0, rows.shape[0]) if rows.shape else _opened(path, lambda file: file.get_tensor(rows.key))


def safetensors_names(path: Path) -> list[str]:
    """Return the names of the arrays of a `.safetensors` file."""
    return _opened(path, lambda file: list(file.keys()))


def _opened(path, use):
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return use(file)
    except (SafetensorError, OSError) as error:
        raise unreadable(path, ".safetensors", error) from error


@contextlib.contextmanager
def write_safetensors(
    path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype
) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows to the one array of a `.safetensors` file."""
    kind = next(kind for kind, known in DTYPES.items() if known == dtype)
    description = {"dtype": kind, "shape": list(shape), "data_offsets": [0, math.prod(shape) * dtype.itemsize]}
    header = json.dumps({key or "array": description}).encode()
    header += b" " * (-len(header) % 8)  # the data starts aligned
    with path.open("wb") as raw:
        raw.write(struct.pack("<Q", len(header)) + header)
        yield lambda block, others: raw.write(block.tobytes())
