"""Files as Keras keeps datasets: a .npz of x_train, y_train, x_test and y_test."""

import zipfile
from pathlib import Path

import numpy as np

from align.arrays.damage import DAMAGED, NO_ARCHIVE
from align.data.errors import DataError
from align.data.pixels import Found, Raw

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read(path: Path) -> Found:
    """Read the four arrays of a file; DataError where it cannot be read, or one of them is missing."""
    expected = f"expected a .npz of {', '.join(ARRAYS)}"
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive")
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in ARRAYS if name not in file]:
                held = ", ".join(file.files) or "nothing"
                raise DataError(f"{path} has no {', '.join(missing)}: it holds {held}; {expected}")
            arrays = {name: file[name] for name in ARRAYS}
    except DataError:
        raise
    except (*DAMAGED, *NO_ARCHIVE) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"cannot read {path}: {reason.splitlines()[0]}; {expected}") from error
    train, test = (Raw(arrays[x], arrays[y], (f"{x} of {path}", f"{y} of {path}")) for x, y in (ARRAYS[:2], ARRAYS[2:]))
    return Found(path.stem, "npz", train, test)
