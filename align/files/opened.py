"""What every format is opened to: rows on disk, read by blocks; and the dtypes that they may have."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

# By their names in safetensors.
DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    **{f"{kind}{8 * size}": np.dtype(f"{kind.lower()}{size}") for kind in "IU" for size in (1, 2, 4, 8)},
}


class MissingPackage(ImportError):
    """A format needs a package that is not installed."""


class Rows(NamedTuple):
    """An array `[n, d]` on disk; `read(start, stop)` returns those rows in memory, and holds on to nothing.

    take: returns the rows of an index `[k]`, in any order; None where that would read much more than those rows.
    others: returns what stands beside the rows from start to stop, a column by name, the vectors' own place held by
    None; None where the format has no columns. numbers: which rows of the file these are, `[n]`, where some were chosen
    or put in order. key: what the array or column is called within its file, of a format that names them.
    """

    name: str
    shape: tuple[int, int]
    dtype: np.dtype
    read: Callable[[int, int], np.ndarray]
    take: Callable[[np.ndarray], np.ndarray] | None = None
    others: Callable[[int, int], dict[str, Any]] | None = None
    numbers: np.ndarray | None = None
    key: str | None = None

    def number(self, row: int) -> int:
        """Give which row of the file a row is."""
        return row if self.numbers is None else int(self.numbers[row])

    @property
    def float_dtype(self) -> np.dtype:
        """Give the dtype that the rows are computed in: that of the file, at least float32."""
        return np.promote_types(self.dtype, np.float32)

    @property
    def nbytes(self) -> int:
        """Give how many bytes the rows take in memory, as floats."""
        return self.shape[0] * self.shape[1] * self.float_dtype.itemsize


def needed(module: str, package: str, name: object) -> ModuleType:
    """Import a module that a file needs; MissingPackage says what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"{name} needs {package}, which is not installed: pip install {package}, or 'align-latents[files]'"
        ) from error


def only(path: object, key: str | None, keys: list[str], every: list[str] | None = None) -> str:
    """Return the key, or the only one that there is; ValueError lists them. `every`: those that may be named too."""
    if key is None and len(keys) == 1:
        return keys[0]
    if key not in (keys if every is None else every):
        asked = "name one of them as" if key is None else f"there is no {key!r}; write"
        raise ValueError(
            f"{path} holds {', '.join(sorted(keys)) or 'no array'}: {asked} {getattr(path, 'name', path)}:KEY"
        )
    return key


def unreadable(path: object, suffix: str, reason: object) -> ValueError:
    """Return the error that says that a file is not what its ending says, and why."""
    return ValueError(f"{path} is not a readable {suffix} file: {' '.join(str(reason).split())}")


def native(array: np.ndarray) -> np.ndarray:
    """Return a copy of an array in memory, in this machine's order of bytes."""
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
