"""Files of a folder or a pattern: in which order they come, and where an output would be one of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from align import files
from align.files import naming


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """A working directory with a folder of 12 shards, each of a row that says its number, and a link to it."""
    monkeypatch.chdir(tmp_path)
    Path("shards/more").mkdir(parents=True)
    for shard in range(12):
        np.save(f"shards/part-{shard}.npy", np.full((1, 2), shard, np.float32))
    Path("link").symlink_to("shards")


@pytest.mark.parametrize("name", ["shards", "shards/*.npy", "sh*/part-*"])
def test_numbered_files_come_in_the_order_of_their_numbers(shards, name):
    assert files.open_rows(name).read(0, 12)[:, 0].tolist() == list(range(12))


@pytest.mark.parametrize(
    "ordered", ["x x1 x2 x10", "1/9 1/10 2/1 10/1", "a-001 a-002 a-010", "a-01 a-1 a-2", "B10 a b"]
)
def test_order_of_names(ordered):
    paths = [Path(f"{name}.npy") for name in ordered.split()]
    assert naming._in_order(reversed(paths)) == paths


@pytest.mark.parametrize("key", ["rows", "again", "/soft/", "elsewhere", "group/rows"])
def test_datasets_by_any_of_their_names(tmp_path, monkeypatch, key):
    monkeypatch.chdir(tmp_path)
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    with h5py.File("other.h5", "w") as other, h5py.File("x.h5", "w") as file:
        file["rows"] = file["group/rows"] = other["rows"] = rows
        file["again"], file["soft"] = file["rows"], h5py.SoftLink("/group/rows")
        file["elsewhere"] = h5py.ExternalLink("other.h5", "rows")
    np.testing.assert_array_equal(files.open_rows(f"x.h5:{key}").read(0, 3), rows)


@pytest.mark.parametrize(
    ("name", "output", "found"),
    [
        ("shards", "shards/z.npy", True),
        ("shards", "link/z.npy", True),
        ("shards", "shards/more/z.parquet", True),
        ("shards", "shards/.z.npy", False),
        ("shards", "shards/z.txt", False),
        ("shards", "z.npy", False),
        ("shards/*.npy", "shards/z.npy", True),
        ("shards/*.npy", "link/part-3.npy", True),
        ("shards/*.npy", "shards/z.npz", False),
        ("shards/*.npy", "shards/more/z.npy", False),
        ("shards/**", "shards/more/z.npy", True),
        ("shards/**/*.npy", "shards/more/z.npy", True),
        ("shards/part-3.npy", "shards/part-3.npy", False),  # in place, where it is asked for
    ],
)
def test_where_an_output_would_be_found(shards, name, output, found):
    assert files.finds(name, Path(output)) == found
