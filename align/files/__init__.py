"""Two-dimensional arrays in files as people keep them, read and written by blocks of rows.

A file is named by its path, an array or a column within one as `file.npz:key` or `file.parquet:column`; a file with a
single one needs no key. A folder, or a pattern such as `parts/*`, is all of its files, one after the other in the order
of their names, digits as numbers, and `parts/:key` or `parts/*:key` what is within each. Nothing is ever unpickled.

NumPy's `.npy` and `.npz`, and `.safetensors`, need no other package. `.parquet`, `.arrow` and `.feather` (pyarrow),
`.h5` and `.hdf5` (h5py), and FAISS indexes (`.faiss`, `.index`) do: `pip install 'align-latents[files]'`. Words with
vectors are `.vec`, `.txt` and word2vec's `.bin`; `.fvecs`, `.bvecs` and `.ivecs` those of the collections for search.

A format is a module with a function that opens it to `Rows`, and a row in the table of `align.files.formats`.
"""

from align.files.formats import SUFFIXES, WRITTEN
from align.files.ids import Ids, Match, check_count, ids_apart, match, open_ids
from align.files.joins import chosen, put_in_order
from align.files.naming import finds, split_name, with_key
from align.files.opened import MissingPackage, Rows
from align.files.opening import dtypes_of, keeps_others, lost, open_column, open_rows, writing
from align.files.unit_rows import to_unit, unit

__all__ = [
    "SUFFIXES",
    "WRITTEN",
    "Ids",
    "Match",
    "MissingPackage",
    "Rows",
    "check_count",
    "chosen",
    "dtypes_of",
    "finds",
    "ids_apart",
    "keeps_others",
    "lost",
    "match",
    "open_column",
    "open_ids",
    "open_rows",
    "put_in_order",
    "split_name",
    "to_unit",
    "unit",
    "with_key",
    "writing",
]
