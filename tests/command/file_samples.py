"""The same rows in every format, with the ids d0, d1, … where a format has any."""

from pathlib import Path

import faiss
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

FLOATS = {"half.parquet": np.float16}
NAMES = (
    "x.parquet", "half.parquet", "tensor.parquet", "x.arrow", "stream.arrow", "packed.feather", "x.h5:group/vectors",
    "x.vec", "glove.txt", "x.bin", "tight.bin", "x.fvecs", "x.faiss", "ids.index", "x.npy", "parts", "parts/*.parquet",
)  # fmt: skip


def ids(n):
    return [f"d{row}" for row in range(n)]


def table(rows, column="vector", **others):
    """A table with the column id, the vectors and others, in this order."""
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])
    return pa.table({"id": ids(len(rows)), column: vectors, **others})


def write(rows):
    """Write `[n, d]` float32 rows into the working directory under all of `NAMES`."""
    (n, d), names = rows.shape, ids(len(rows))
    whole = table(rows, title=[f"title {row}" for row in range(n)])
    pa.parquet.write_table(whole, "x.parquet", row_group_size=n // 3)
    lists = pa.array(list(rows.astype(np.float16)), pa.list_(pa.float16()))
    pa.parquet.write_table(whole.set_column(1, "vector", lists), "half.parquet")
    tensors = pa.fixed_shape_tensor(pa.float32(), (d,)).wrap_array(whole["vector"].chunk(0))
    pa.parquet.write_table(whole.set_column(1, "vector", tensors), "tensor.parquet")
    for name, begin in (("x.arrow", pa.ipc.new_file), ("stream.arrow", pa.ipc.new_stream)):
        with begin(name, whole.schema) as file:
            file.write_table(whole, max_chunksize=n // 3)
    pa.feather.write_feather(whole, "packed.feather", compression="zstd", chunksize=n // 3)
    Path("parts").mkdir()
    for part in range(2):
        pa.parquet.write_table(whole.slice(part * n // 2, n // 2), f"parts/{part}.parquet")
    Path("parts/README.txt").write_text("not vectors")
    with h5py.File("x.h5", "w") as file:
        file["group/vectors"], file["group/ids"] = rows, [name.encode() for name in names]
    numbers = [" ".join(f"{value:.9g}" for value in row) for row in rows]
    lines = [f"{name} {row} \n" for name, row in zip(names, numbers, strict=True)]
    Path("x.vec").write_text(f"{n} {d}\n{''.join(lines)}")
    Path("glove.txt").write_text("".join(lines).rstrip("\n"))
    for name, end in (("x.bin", b"\n"), ("tight.bin", b"")):
        records = [f"{word} ".encode() + row.tobytes() + end for word, row in zip(names, rows, strict=True)]
        Path(name).write_bytes(f"{n} {d}\n".encode() + b"".join(records))
    np.insert(rows.view("i4"), 0, d, axis=1).tofile("x.fvecs")
    flat, mapped = faiss.IndexFlatIP(d), faiss.IndexIDMap(faiss.IndexFlatL2(d))
    flat.add(rows)
    mapped.add_with_ids(rows, np.arange(n)[::-1].copy())
    faiss.write_index(flat, "x.faiss")
    faiss.write_index(mapped, "ids.index")
    np.save("x.npy", rows)
    np.save("ids.npy", names)
    np.savez("y.npz", vectors=rows, ids=names)
    Path("ids.txt").write_text("\n".join(names))
