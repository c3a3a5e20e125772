"""FAISS indexes that keep their rows: `IndexFlat` and `IndexScalarQuantizer`, alone or under an `IndexIDMap`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from align.files.opened import Rows, needed, unreadable


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
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise unreadable(path, path.suffix, str(error).partition("Error: ")[2] or error) from error


def _inner(path, outer):
    faiss = needed("faiss", "faiss-cpu", path)
    index = faiss.downcast_index(outer.index) if isinstance(outer, faiss.IndexIDMap) else outer
    if not isinstance(index, faiss.IndexFlat | faiss.IndexScalarQuantizer):
        raise ValueError(
            f"{path} is an {type(index).__name__}, which keeps no rows to read; expected an IndexFlat or an "
            "IndexScalarQuantizer, alone or under an IndexIDMap"
        )
    return index
