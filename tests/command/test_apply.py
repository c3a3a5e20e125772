"""`align apply` by blocks is the map on all rows at once, whatever the file and its layout."""

import json
import os
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from on_files import pairs, run, small_blocks
from safetensors.numpy import load_file, save_file

from align import files, solvers
from align.__main__ import main
from align.arrays import atomic
from align.command import blocks
from align.maps import AffineMap


@pytest.mark.parametrize("output", ["z.npy", "z.npz", "z.safetensors", "z.npz:mapped", "z.safetensors:mapped"])
def test_apply_by_blocks_equals_at_once(folder, capsys, monkeypatch, output):
    small_blocks(monkeypatch)
    result = run(capsys, "apply", "map.safetensors", "x.npy", "-o", output)
    assert result == {"output": output, "rows": 200, "dimensions": 6, "dtype": "float32"}
    path, _, key = output.partition(":")
    match Path(path).suffix:
        case ".npy":
            mapped = np.load(path)
        case ".npz":
            with np.load(path) as arrays:
                mapped = arrays[key or "array"]
        case _:
            mapped = load_file(path)[key or "array"]
    np.testing.assert_allclose(mapped, solvers.rigid(*pairs())(pairs()[0]), atol=1e-5)
    assert files.open_rows(path).shape == (200, 6)


def test_apply_inverse_and_dtypes(folder, capsys):
    source, target = pairs()
    run(capsys, "apply", "map.safetensors", "y.npy", "-o", "back.npy", "--inverse")
    np.testing.assert_allclose(np.load("back.npy"), source, atol=0.06)
    for dtype in ("float16", "float64"):
        run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.npy", "--dtype", dtype, "--force")
        assert np.load("z.npy").dtype == dtype
    np.save("wide.npy", source.astype(np.float64))
    assert run(capsys, "apply", "map.safetensors", "wide.npy", "-o", "z64.npy")["dtype"] == "float64"
    save_file({"x": source.astype(ml_dtypes.bfloat16)}, "half.safetensors")
    assert run(capsys, "apply", "map.safetensors", "half.safetensors", "-o", "zb.npy")["dtype"] == "float32"
    np.testing.assert_allclose(np.load("zb.npy"), target, atol=0.1)
    assert not jax.config.jax_enable_x64  # the switch is undone


@pytest.mark.parametrize("change", [">f4", "fortran", "int16"])
def test_layouts_of_npy(folder, capsys, change):
    source = np.round(10 * pairs()[0])
    np.save("plain.npy", source)
    np.save("other.npy", np.asfortranarray(source) if change == "fortran" else source.astype(change))
    for name in ("plain", "other"):
        run(capsys, "apply", "map.safetensors", f"{name}.npy", "-o", f"mapped_{name}.npy")
    np.testing.assert_allclose(np.load("mapped_other.npy"), np.load("mapped_plain.npy"), rtol=1e-6)


def test_memory_is_bounded_by_the_block(folder, capsys, monkeypatch):
    small_blocks(monkeypatch, rows=16)
    widest = []

    def recorded(name, open_rows=files.open_rows):
        rows = open_rows(name)
        return rows._replace(read=lambda start, stop: (widest.append(stop - start), rows.read(start, stop))[1])

    monkeypatch.setattr(files, "open_rows", recorded)
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.npy")
    run(capsys, "score", "map.safetensors", "x.npy", "y.npy")
    assert max(widest) == 16 and len(widest) > 30


def test_progress_is_shown_beside_the_output(folder, capsys, monkeypatch):
    small_blocks(monkeypatch, rows=16)
    assert main(["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"] == 200 and "200 of 200 rows" in err


@pytest.mark.parametrize("options", [(), ("--normalize",)])
def test_zero_rows_that_a_map_is_applied_to_are_counted(folder, capsys, monkeypatch, options):
    small_blocks(monkeypatch)
    source, _ = pairs()
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    np.save("unit.npy", source)
    run(capsys, "fit", "unit.npy", "y.npy", "-o", "unit.safetensors", *options)
    np.save("holes.npy", np.where(np.arange(200)[:, None] % 50 == 3, 0, source))
    argv = ["apply", "unit.safetensors", "holes.npy", "-o", "z.npy", *options, "--strict", "--json", "--quiet"]
    assert main(argv) == 0  # which is no warning
    out, err = capsys.readouterr()
    assert json.loads(out)["bad_rows"] == {"holes.npy": {"zero": 4}} and err == ""


def test_help_says_what_is_made_of_length_one(capsys):
    with pytest.raises(SystemExit):
        main(["apply", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "of the output (but --queries, --norms and --documents)" in text


def test_force_replaces(folder, capsys):
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "x.npy", "--force")
    np.testing.assert_allclose(np.load("x.npy"), solvers.rigid(*pairs())(pairs()[0]), atol=1e-5)


def test_rows_that_do_not_fit_leave_no_file(tmp_path):
    for parts in ([np.ones((3, 2))], [np.ones((4, 3))]):
        with (
            pytest.raises(ValueError, match="expected"),
            files.writing(str(tmp_path / "z.npy"), (4, 2), "f4") as append,
        ):
            for block in parts:
                append(block)
    assert not list(tmp_path.iterdir())


def test_blocks_are_as_long_as_the_wider_side_allows(folder, capsys, monkeypatch):
    asked = []
    read = blocks.read

    def counted(rows, start, end, *index):
        asked.append(end - start)
        return read(rows, start, end, *index)

    monkeypatch.setattr(blocks, "read", counted)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 20 * 6 * 4)
    wide = AffineMap(np.ones((6, 60), np.float32), np.zeros(60, np.float32))
    wide.save("wide.safetensors")
    run(capsys, "apply", "wide.safetensors", "x.npy", "-o", "wide.npy")
    assert max(asked) == 2 and np.load("wide.npy").shape == (200, 60)


def test_rows_below_the_range_of_8_bits_vanish_as_those_that_round_to_0(folder, capsys):
    AffineMap.identity(2).save("same.safetensors")
    rows = np.full((1000, 2), 5, np.float32)
    rows[7] = -3
    np.save("low.npy", rows)
    argv = ["apply", "same.safetensors", "low.npy", "-o", "low.bvecs", "--dtype", "uint8", "--quiet"]
    assert main(argv) == 2 and "round to 0 in uint8, or are cut off there" in capsys.readouterr().err
    assert not Path("low.bvecs").exists()


def test_an_output_that_comes_while_it_is_flushed_is_not_replaced(folder, capsys, monkeypatch):
    fsync = os.fsync

    def meanwhile(file):
        fsync(file)
        Path("z.npy").write_text("of another process")

    monkeypatch.setattr(atomic.os, "fsync", meanwhile)
    argv = ["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--quiet"]
    assert main(argv) == 2 and "z.npy exists by now; it is kept" in capsys.readouterr().err
    assert Path("z.npy").read_text() == "of another process" and not [*Path().glob(".z*")]


def test_an_output_has_the_permissions_of_what_it_replaces(folder, monkeypatch):
    def refused(*paths):
        raise PermissionError("a file system without links")

    monkeypatch.setattr(atomic.os, "link", refused)
    argv = ["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--quiet"]
    assert main(argv) == 0
    Path("z.npy").chmod(0o600)
    assert main([*argv, "--overwrite"]) == 0 and Path("z.npy").stat().st_mode & 0o777 == 0o600


def test_an_output_that_comes_while_rows_are_mapped_is_not_replaced(folder, capsys, monkeypatch):
    ranges = blocks.ranges

    def meanwhile(*asked, **said):
        yield from ranges(*asked, **said)
        Path("z.npy").write_text("of another process")

    monkeypatch.setattr(blocks, "ranges", meanwhile)
    argv = ["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--quiet"]
    assert main(argv) == 2 and "z.npy exists" in capsys.readouterr().err
    assert Path("z.npy").read_text() == "of another process" and not [*Path().glob(".z*")]
    assert main([*argv, "--overwrite"]) == 0 and np.load("z.npy").shape == (200, 6)
