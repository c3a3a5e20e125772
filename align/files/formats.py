"""The one table of formats: by the ending of a file, how it is opened, where its ids are, and how it is written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from align.files import arrow_tables, faiss_indexes, hdf, numpy_files, tensors, vecs, word_vectors
from align.files.opened import Rows


class Format(NamedTuple):
    """How files of one ending are handled.

    open: `(path, key)` to `Rows`; key is the name of an array or a column within, None for the only one.
    ids: `(path, key)` to blocks of ids, integers or text; None where the rows themselves are all there is.
    write: `(path, key, shape, dtype)` to a context that yields `append(block, others)`; None where it is not written.
    keyed: whether a file holds arrays or columns by name.
    beside: whether it holds more of a row than its vector: columns where it is keyed, else a word, which is the id.
    in_folders: whether a folder of such files is meant by its own name; what else ends so may be no vectors.
    dtypes: those that are written; None for any.
    names: a path to the names of the arrays within, where writing one of them leaves the others out.
    """

    open: Callable[..., Rows]
    ids: Callable[..., Any] | None = None
    write: Callable[..., AbstractContextManager] | None = None
    keyed: bool = False
    beside: bool = False
    in_folders: bool = True
    dtypes: tuple[str, ...] | None = None
    names: Callable[[Path], list[str]] | None = None


_TABLE = Format(arrow_tables.open_table, arrow_tables.table_ids, arrow_tables.write_table, keyed=True, beside=True)
_HDF5 = Format(hdf.open_hdf5, hdf.hdf5_ids, hdf.write_hdf5, keyed=True, names=hdf.hdf5_names)
_INDEX = Format(faiss_indexes.open_index, faiss_indexes.index_ids, in_folders=False)

FORMATS = {
    ".npy": Format(numpy_files.open_npy, None, numpy_files.write_npy),
    ".npz": Format(
        numpy_files.open_npz,
        numpy_files.npz_ids,
        numpy_files.write_npz,
        keyed=True,
        names=numpy_files.npz_names,
    ),
    ".safetensors": Format(
        tensors.open_safetensors,
        tensors.safetensors_ids,
        tensors.write_safetensors,
        keyed=True,
        names=tensors.safetensors_names,
    ),
    ".parquet": _TABLE,
    ".arrow": _TABLE,
    ".feather": _TABLE,
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".vec": Format(
        word_vectors.open_text,
        word_vectors.text_ids,
        word_vectors.write_text,
        beside=True,
        dtypes=("float32", "float16", "int8", "uint8"),
    ),
    ".txt": Format(word_vectors.open_text, word_vectors.text_ids, beside=True, in_folders=False),
    ".bin": Format(
        word_vectors.open_binary,
        word_vectors.binary_ids,
        word_vectors.write_binary,
        beside=True,
        in_folders=False,
        dtypes=("float32",),
    ),
    ".fvecs": Format(vecs.open_vecs, None, vecs.write_vecs, dtypes=("float32",)),
    ".bvecs": Format(vecs.open_vecs, None, vecs.write_vecs, dtypes=("uint8",)),
    ".ivecs": Format(vecs.open_vecs),
    ".faiss": _INDEX,
    ".index": _INDEX,
}
SUFFIXES = tuple(FORMATS)
KEYED = tuple(suffix for suffix, each in FORMATS.items() if each.keyed)
WRITTEN = tuple(suffix for suffix, each in FORMATS.items() if each.write)
