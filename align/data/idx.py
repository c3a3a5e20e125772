"""The IDX format: bytes, gzipped or not, to uint8 arrays and back."""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from align.data.errors import DataError

# Per split, the images' and the labels' file, by the names under which they were first published.
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
ALL_FILES = FILES["train"] + FILES["test"]

_GZIP_MAGIC = b"\x1f\x8b"
_UINT8 = 0x08


def read(path: str | os.PathLike) -> bytes:
    """Read a file, gzipped or not, whatever its suffix says.

    Raises DataError where it cannot be read or its gzip stream is damaged.
    """
    try:
        data = Path(path).read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a truncated or damaged gzip file ({error})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def parse(data: bytes, *, rank: int, where: str) -> np.ndarray:
    """Parse decompressed IDX bytes as a uint8 array of `rank` dimensions (3: images, 1: labels).

    Raises DataError on a wrong magic number, on labels given as images or the reverse, and on missing or surplus bytes.
    """
    kinds = {3: "images", 1: "labels"}
    header = 4 + 4 * rank
    expected = bytes([0, 0, _UINT8, rank])
    if data[:4] != expected:
        other = data[3] if len(data) > 3 and data[:3] == expected[:3] else None
        came = f"it holds {kinds[other]}" if other in kinds else f"its magic number is 0x{data[:4].hex() or '(empty)'}"
        raise DataError(f"{where} should hold {kinds[rank]} (magic number 0x{expected.hex()}), but {came}")
    if len(data) < header:
        raise DataError(f"{where} ends within its header: {len(data)} bytes, expected {header} or more")
    shape = struct.unpack(f">{rank}I", data[4:header])
    if len(data) != header + math.prod(shape):
        raise DataError(
            f"{where} has {len(data)} bytes, but its header says {header + math.prod(shape)} (shape {shape})"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def encode(array: np.ndarray) -> bytes:
    """Encode a uint8 array as IDX bytes."""
    return bytes([0, 0, _UINT8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
