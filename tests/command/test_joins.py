"""Two files joined by the ids of their rows, in any order and format: real definitions by two encoders."""

import functools
import json
from pathlib import Path

import file_samples
import numpy as np
import pyarrow.parquet
import pytest
from on_files import run, small_blocks
from safetensors.numpy import load_file

from align import files, solvers
from align.__main__ import main
from align.data import texts

ROOT = Path(__file__).parents[2]
N, D = 200, 6
SHARED, TWICE = 150, 3  # ids that both have, the last of them more than once in a file


@functools.cache
def sample():
    encoders = texts.encoder_sample()
    return encoders.minilm[: 2 * N, :D].copy(), encoders.mpnet[: 2 * N, :D].copy()


@pytest.fixture
def joined(tmp_path, monkeypatch):
    """Files of 200 rows each, in different orders, and the rows of both that share an id, in the source's order."""
    monkeypatch.chdir(tmp_path)
    source, target = sample()
    random = np.random.default_rng(0)
    here = random.permutation(N)
    there = random.permutation(np.arange(N - SHARED, 2 * N - SHARED))
    repeated = random.permutation(there[there < N])[:TWICE]
    here_ids, there_ids = ([f"d{each}" for each in order] for order in (here, there))
    here_ids[int(np.flatnonzero(here < N - SHARED)[0])] = f"d{repeated[0]}"
    for each, lost in zip(repeated[1:], np.flatnonzero(there >= N), strict=False):
        there_ids[lost] = f"d{each}"
    for name, rows, order, names in (("old", source, here, here_ids), ("new", target, there, there_ids)):
        table = file_samples.table(rows[order], "embedding")
        table = table.set_column(0, "id", [names])
        pyarrow.parquet.write_table(table, f"{name}.parquet", row_group_size=70)
        with pyarrow.ipc.new_file(f"{name}.arrow", table.schema) as file:
            file.write_table(table, max_chunksize=70)
        with files.writing(f"{name}.vec", (N, D), np.float32) as append:
            append(rows[order], {"word": names})
        np.savez(f"{name}.npz", embedding=rows[order], id=names)
    np.save("w.npy", np.float32([float(each % 2) for each in here]))
    kept = [each for each in here if each >= N - SHARED and each not in repeated]
    return source[kept], target[kept], np.array(kept)


COUNTS = {"shared": 147, "only_in_source": 49, "only_in_target": 48, "repeated_in_source": 1, "repeated_in_target": 2}
FORMATS = [
    ("old.parquet", "new.parquet"), ("old.arrow", "new.parquet"), ("old.npz", "new.vec"), ("old.parquet", "new.arrow"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), FORMATS)
@pytest.mark.parametrize("memory", ["0", "1"])
def test_a_fit_of_joined_rows_is_that_of_rows_in_correspondence(joined, capsys, monkeypatch, source, target, memory):
    small_blocks(monkeypatch, rows=64)
    argv = ("fit", source, target, "-o", "map.safetensors", "--solver", "affine", "--memory", memory)
    result = run(capsys, *argv, "--id", "id", "--column", "embedding")
    assert result["joined"] == COUNTS and result["rows"] == 147
    expected = solvers.affine(*joined[:2])
    np.testing.assert_allclose(load_file("map.safetensors")["weight"], expected.weight, atol=2e-5)
    scores = run(capsys, "score", "map.safetensors", source, target, "--id", "id", "--column", "embedding")
    assert scores["relative_residual"] == pytest.approx(float(expected.residual), rel=1e-4)
    assert scores["joined"] == COUNTS


@pytest.mark.parametrize(("source", "target"), [("old.parquet", "new.parquet"), ("old.arrow", "new.parquet")])
def test_weights_follow_their_rows(joined, capsys, source, target):
    options = ("--id", "id", "--weights", "w.npy", "--solver", "affine", "-o", "map.safetensors")
    run(capsys, "fit", source, target, *options)
    x, y, kept = joined
    odd = kept % 2 == 1
    expected = solvers.affine(x[odd], y[odd])
    np.testing.assert_allclose(load_file("map.safetensors")["weight"], expected.weight, atol=2e-5)


def test_ids_of_other_names_and_in_files_of_their_own(joined, capsys):
    with np.load("old.npz") as arrays:
        np.save("old.npy", arrays["embedding"])
        np.save("old_ids.npy", arrays["id"])
        table = pyarrow.table({"id": arrays["id"].tolist()})
    Path("old_ids.txt").write_text("\n".join(table["id"].to_pylist()), encoding="utf-8-sig")  # as Windows writes it
    pyarrow.parquet.write_table(table, "old_ids.parquet")
    with pyarrow.ipc.new_file("old_ids.arrow", table.schema) as file:
        file.write_table(table)
    # A table of one column needs no key.
    for name in ("old_ids.npy", "old_ids.txt", "old_ids.parquet", "old_ids.arrow"):
        options = ("--id", name, "--target-id", "id", "-o", "map.safetensors", "--overwrite")
        assert run(capsys, "fit", "old.npy", "new.npz:embedding", *options)["joined"] == COUNTS


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_bad_row_is_named_by_its_number_in_the_file(tmp_path, monkeypatch, capsys, ending):
    monkeypatch.chdir(tmp_path)
    sides = np.random.default_rng(0).normal(size=(2, 8, 3)).astype(np.float32)
    sides[1, 6] = np.nan
    for name, rows, ids in (("x", sides[0], [*"abcdefgh"]), ("y", sides[1], [*"hgfedcba"])):
        np.savez(f"{name}.npz", vector=rows, id=ids)
        pyarrow.parquet.write_table(file_samples.table(rows).set_column(0, "id", [ids]), f"{name}.parquet")
    argv = ["fit", f"x.{ending}", f"y.{ending}", "--id", "id", "--column", "vector", "-o", "map.safetensors", "--quiet"]
    assert main(argv) == 2
    assert f"y.{ending}:vector holds NaN or infinity, first in row 6;" in capsys.readouterr().err


def test_rows_in_one_order_are_read_where_they_are(joined):
    rows = files.open_rows("new.parquet")
    index = np.flatnonzero(np.arange(N) % 5)
    some = files.chosen(rows, index)
    np.testing.assert_array_equal(some.read(10, 150), rows.read(0, N)[index[10:150]])
    assert files.chosen(rows, index[::-1]) is None


def test_rows_are_put_in_order_on_disk_within_the_room_there_is(joined, monkeypatch):
    rows = files.open_rows("new.parquet")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 100}))
    with pytest.raises(OSError, match=r"new.parquet: its rows in order take 0.0 GB in .*TMPDIR names another folder"):
        files.put_in_order(rows, np.arange(N)[::-1], [(0, N)])


def test_unit_rows_before_the_fit_and_of_the_output(joined, capsys):
    source, target = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in joined[:2])
    options = ("--id", "id", "--solver", "affine")
    run(capsys, "fit", "old.parquet", "new.parquet", *options, "-o", "unit.safetensors", "--normalize")
    expected = solvers.affine(source, target)
    np.testing.assert_allclose(load_file("unit.safetensors")["weight"], expected.weight, atol=2e-5)
    run(capsys, "apply", "unit.safetensors", "old.parquet", "-o", "z.npy", "--normalize")
    np.testing.assert_allclose(np.linalg.norm(np.load("z.npy"), axis=1), 1, atol=1e-6)
    scores = run(capsys, "score", "unit.safetensors", "old.parquet", "new.parquet", "--id", "id", "--normalize")
    assert scores["relative_residual"] == pytest.approx(float(expected.residual), rel=1e-4)


def test_a_row_of_length_zero_stays_so():
    rows = files.to_unit(np.float32([[0, 0], [3e30, 4e30], [3e-30, 4e-30], [np.nan, 1], [np.inf, 1]]))
    np.testing.assert_allclose(rows[:3], [[0, 0], [0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
    assert not np.isfinite(rows[3:]).all(1).any()


def test_figures_of_joined_files():
    row = json.loads((ROOT / "experiments/results/rows/joined_files.jsonl").read_text().splitlines()[-1])
    page = " ".join((ROOT / "docs/files.md").read_text().split())
    fit, apply = (f"{row[name] / 2**20:.0f} MiB" for name in ("fit_allocated", "apply_allocated"))
    assert f"files of {row['rows']:,} rows of {row['dimensions']} dimensions in float16" in page
    assert f"take {fit} in all to fit and {apply} to apply" in page and row["left_by_kills"] == 0
