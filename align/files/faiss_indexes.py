"""FAISS indexes that keep their rows: `IndexFlat` and `IndexScalarQuantizer`, alone or under an `IndexIDMap`."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from align.files.opened import Rows, needed, unreadable

# How faiss' files begin: kind, dimensions, rows, two numbers of no use, whether it is trained, metric. Of quantised
# rows there follow three numbers of 4 bytes, the dimensions, the bytes of a row, how many numbers it was trained to.
_HEADER, _QUANTISER = struct.Struct("<4siq17xi"), struct.Struct("<20xQQ")
_WITH_IDS, _FLAT, _QUANTISED = (b"IxMp", b"IxM2"), (b"IxFI", b"IxF2", b"IxFl"), (b"IxSQ", b"IxSq")


def open_index(path: Path, key: None = None) -> Rows:
    """Open the rows of an index, which faiss maps into memory."""
    outer = _mapped(path)  # which owns what it may wrap
    inner = _inner(path, outer)
    return Rows(
        str(path),
        (inner.ntotal, inner.d),
        np.dtype(np.float32),
        lambda start, stop: _inner(path, outer).reconstruct_n(start, stop - start),
        lambda index: _inner(path, outer).reconstruct_batch(np.asarray(index, np.int64)),
    )


def index_ids(path: Path, key: None = None) -> Iterator[np.ndarray]:
    """Yield the ids of an `IndexIDMap`; ValueError for an index without any."""
    outer = _mapped(path)
    if not hasattr(outer, "id_map"):
        raise ValueError(f"{path} holds no ids; expected an IndexIDMap")
    yield needed("faiss", "faiss-cpu", path).vector_to_array(outer.id_map)


def _mapped(path):
    faiss = needed("faiss", "faiss-cpu", path)
    _check_whole(path)
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise unreadable(path, path.suffix, str(error).partition("Error: ")[2] or error) from error


def _check_whole(path):
    """Raise ValueError where a file is shorter than the rows that it announces, at which faiss may end the process."""
    with path.open("rb") as file:
        head = file.read(256)
    size = beside = 0
    kind = b""
    try:
        while not kind or kind in _WITH_IDS:
            kind, d, rows, metric = _HEADER.unpack_from(head, size)
            size += _HEADER.size + 4 * (metric > 1)  # of those metrics the argument
            beside += 8 + 8 * rows if kind in _WITH_IDS else 0
        if kind in _QUANTISED:
            row, trained = _QUANTISER.unpack_from(head, size)
            size += _QUANTISER.size + 4 * trained + 8 + rows * row
        elif kind in _FLAT:
            size += 8 + rows * 4 * d
    except struct.error as error:
        raise unreadable(path, path.suffix, "read error in its header") from error
    if path.stat().st_size < size + beside:
        raise unreadable(path, path.suffix, f"read error: it says {rows} rows and is too short for them")


def _inner(path, outer):
    faiss = needed("faiss", "faiss-cpu", path)
    index = faiss.downcast_index(outer.index) if isinstance(outer, faiss.IndexIDMap) else outer
    if not isinstance(index, faiss.IndexFlat | faiss.IndexScalarQuantizer):
        raise ValueError(
            f"{path} is an {type(index).__name__}, which keeps no rows to read; expected an IndexFlat or an "
            "IndexScalarQuantizer, alone or under an IndexIDMap"
        )
    return index
