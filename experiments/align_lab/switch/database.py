"""A table of LanceDB whose search moves from an old encoder to a new one, document by document.

Columns: `id`, `old` and `norm`, the vector that the index has had and the length of what the map makes of it; `new` and
`moved`, the vector of the new encoder, once it is there, which one commit writes together. A search reads one version
of the table, in which every document has moved or has not, and both kinds are scored by the cosine that the query has
with them in the new space.
"""

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np

from align.files import MissingPackage
from align.maps import AffineMap
from align_lab.switch.groups import TOP

NAME = "documents"
BLOCK = 10_000  # rows whose lengths are written at a time
TOGETHER = 10  # commits whose pieces are made one: a search opens every piece
CANDIDATES = 200  # of the old column by inner product, which are put in order by the lengths


def connect(folder: Path):
    """Open the database in a folder; MissingPackage without LanceDB."""
    os.environ.setdefault("LANCEDB_LOG", "error")  # it warns of every table that is new
    try:
        import lancedb
    except ImportError as error:
        raise MissingPackage("a database needs LanceDB: pip install 'align-latents[database]'") from error
    return lancedb.connect(str(folder))


def _vectors(array):
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(array, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def as_array(column) -> np.ndarray:
    """Return a column of vectors, none of them missing, as an array `[n, d]`."""
    whole = column.combine_chunks()
    return whole.flatten().to_numpy().reshape(len(whole), -1)


def create(folder: Path, old: np.ndarray) -> None:
    """Write the table as it is before anything changes: ids, and vectors `[n, d_old]`."""
    import pyarrow as pa

    connect(folder).create_table(NAME, pa.table({"id": np.arange(len(old)), "old": _vectors(old)}), mode="overwrite")


def prepare(folder: Path, fitted: AffineMap, d_new: int) -> None:
    """Add the columns that the switch needs, and the lengths of mapped documents; what is there already is kept."""
    import pyarrow as pa

    table = connect(folder).open_table(NAME)
    there = set(table.schema.names)
    for name, kind in (("new", pa.list_(pa.float32(), d_new)), ("norm", pa.float32())):
        if name not in there:
            table.add_columns(pa.field(name, kind))
    if "moved" not in there:
        table.add_columns({"moved": "false"})
    while table.count_rows("norm IS NULL"):
        rows = table.search().where("norm IS NULL").select(["id", "old"]).limit(BLOCK).to_arrow()
        norms = np.asarray(fitted.norms(as_array(rows["old"])), np.float32)
        _update(table, {"id": rows["id"], "norm": norms})


def _update(table, columns):
    import pyarrow as pa

    table.merge_insert("id").when_matched_update_all().execute(pa.table(columns))


def fill(
    folder: Path, embed: Callable[[np.ndarray], np.ndarray], batch: int, stops: Collection[int] = ()
) -> Iterator[int]:
    """Embed what has not moved, a batch in a commit, and yield how many documents are left after each.

    embed: ids `[n]` to unit vectors `[n, d_new]`; stops: how many are left where a batch ends early.
    Whatever ends it, the next call goes on from there.
    """
    table, commits = connect(folder).open_table(NAME), 0
    while left := table.count_rows("NOT moved"):
        some = min([batch, *(left - stop for stop in stops if stop < left)])
        ids = table.search().where("NOT moved").select(["id"]).limit(some).to_arrow()["id"].to_numpy()
        _update(table, {"id": ids, "new": _vectors(embed(ids)), "moved": np.ones(len(ids), bool)})
        commits += 1
        if commits % TOGETHER == 0 or left == len(ids):
            table.optimize()
        yield left - len(ids)


def snapshot(folder: Path):
    """Open the table at its latest version, and stay there whatever is written meanwhile."""
    table = connect(folder).open_table(NAME)
    table.checkout(table.version)
    return table


def find_old(table, query: np.ndarray) -> np.ndarray:
    """Return the ids `[top]` that a query of the old encoder, `[d_old]`, finds in the old column, as ever."""
    asked = table.search(np.asarray(query, np.float32), vector_column_name="old").distance_type("dot")
    return asked.select(["id", "_distance"]).limit(TOP).to_arrow()["id"].to_numpy()


def find(table, query: np.ndarray, sent: np.ndarray, top: int = TOP) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and cosines `[top]` of the documents nearest to a query, best first, in one version of the table.

    query: unit, `[d_new]`; sent: what `AffineMap.queries` makes of it, `[d_old + 1]`.
    """
    moved = _nearest(table, "new", query, "moved", ["id"], top)
    rest = _nearest(table, "old", sent[:-1], "NOT moved", ["id", "norm"], CANDIDATES)
    mapped = (1 - rest["_distance"].to_numpy() + sent[-1]) / rest["norm"].to_numpy()
    ids = np.concatenate([moved["id"].to_numpy(), rest["id"].to_numpy()])
    scores = np.concatenate([1 - moved["_distance"].to_numpy(), mapped])
    best = np.argsort(-scores, kind="stable")[:top]
    return ids[best], scores[best]


def _nearest(table, column, vector, where, columns, count):
    """Search a column by inner product, whose distance LanceDB gives as one minus it."""
    asked = table.search(np.asarray(vector, np.float32), vector_column_name=column).distance_type("dot")
    return asked.where(where, prefilter=True).select([*columns, "_distance"]).limit(count).to_arrow()
