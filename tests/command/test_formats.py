"""Files as people keep them: the same rows from each of them, by blocks, in any order, and with their ids."""

import subprocess
import sys
from pathlib import Path

import file_samples
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import safetensors.numpy
from on_files import pairs, run, small_blocks

from align import files, solvers
from align.__main__ import main
from align.maps import AffineMap, description

# What would be decoded again and again if its rows were read in another order than the file's.
IN_ORDER = (
    "x.parquet", "half.parquet", "tensor.parquet", "packed.feather", "x.h5:group/vectors", "parts", "parts/*.parquet",
)  # fmt: skip
OTHERS_IDS = {
    "x.h5:group/vectors": "group/ids", "x.fvecs": "ids.npy", "x.npy": "ids.txt", "x.faiss": "y.npz:ids",
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return pairs(n=60)[0]


@pytest.fixture(scope="module")
def samples(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        file_samples.write(rows)
        solvers.rigid(*pairs()).save("map.safetensors")
    return folder


@pytest.fixture(autouse=True)
def within(samples, monkeypatch):
    monkeypatch.chdir(samples)


@pytest.mark.parametrize("name", file_samples.NAMES)
def test_rows(rows, name):
    opened = files.open_rows(name)
    assert opened.shape == (60, 6) and opened.dtype == file_samples.FLOATS.get(name, np.float32)
    expected = rows.astype(opened.dtype)
    for start, stop in ((0, 60), (0, 7), (7, 45), (45, 60), (10, 11), (0, 60)):
        np.testing.assert_array_equal(opened.read(start, stop), expected[start:stop])
    order = np.random.default_rng(0).permutation(60)[:40]
    if opened.take is not None:
        np.testing.assert_array_equal(opened.take(order), expected[order])
    assert (opened.take is None) == (name in IN_ORDER)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *((name, "id") for name in file_samples.NAMES if name not in OTHERS_IDS and name != "ids.index"),
        *OTHERS_IDS.items(),
    ],
)
def test_ids(name, key):
    found, expected = files.open_ids(name, key), files.open_ids("x.npy", "ids.npy")
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.first == "d0"


def test_ids_of_an_index():
    np.testing.assert_array_equal(files.open_ids("ids.index", "id").values, np.arange(60)[::-1])


def test_parts_that_are_hidden_or_hold_no_row_are_passed_over(rows):
    for part, folder in enumerate(("runs", "runs/later", "runs/_temporary/0", "runs/.cache")):
        Path(folder).mkdir(parents=True)
        pa.parquet.write_table(file_samples.table(rows), f"{folder}/{part}.parquet")
        pa.parquet.write_table(file_samples.table(rows).slice(0, 0), f"{folder}/empty.parquet")
    opened = files.open_rows("runs")
    np.testing.assert_array_equal(opened.read(0, 120), np.concatenate([rows, rows]))
    assert opened.shape == (120, 6) and opened.others(50, 70)["id"].to_pylist()[9:11] == ["d59", "d0"]
    np.testing.assert_array_equal(files.open_ids("runs", "id").values[60:], files.open_ids("x.parquet", "id").values)


PATTERNS = ("two/part-*", "two", "two/", "two/*.par*", "two/**", "t[vw]o/*", "two/*.parquet", "two/part-0.parquet")


@pytest.mark.parametrize("name", PATTERNS)
def test_a_column_of_what_a_pattern_matches(capsys, rows, name):
    Path("two").mkdir(exist_ok=True)
    for part in range(2):
        table = file_samples.table(rows, other=file_samples.table(rows + 1)["vector"])
        pa.parquet.write_table(table.slice(30 * part, 30), f"two/part-{part}.parquet")
    run(capsys, "apply", "map.safetensors", name, "--column", "other", "-o", "z.npy", "--force")
    expected = np.asarray(solvers.rigid(*pairs())(rows + 1))[: len(np.load("z.npy"))]
    np.testing.assert_allclose(np.load("z.npy"), expected, rtol=1e-6)
    whole = files.with_key(name, "other")
    assert files.with_key(whole, "vector") == whole and files.open_rows(whole).name == whole
    assert files.open_ids(whole, "id").first == "d0"
    assert main(["apply", "map.safetensors", name, "--column", "nosuch", "-o", "none.npy"]) == 2
    assert "there is no 'nosuch'" in capsys.readouterr().err


def test_a_colon_may_be_of_a_pattern(rows):
    Path("at 10:30").mkdir()
    np.save("at 10:30/a:0", rows)
    np.savez("at 10:30/b:0", a=rows, b=-rows)
    for name, expected in (("at*:30/a*", rows), ("at*:30/a:*", rows), ("at*:30/[b:b]*:b", -rows)):
        np.testing.assert_array_equal(files.open_rows(name).read(0, 60), expected)
    assert files.with_key("at*:30/a:*", "b") == "at*:30/a:*"  # of which each file holds one array
    assert files.split_name("at*:31/a:*") == (Path("at*:31/a:*"), None)


@pytest.mark.parametrize("begin", ["", "60 6\n", "\ufeff", "\ufeff60 6\n"])
@pytest.mark.parametrize(("after", "between"), [("\t", "\t"), ("\t", " "), ("  ", " ")])
def test_words_and_numbers_between_tabs_and_after_a_mark_of_utf_8(rows, begin, after, between):
    numbers = [between.join(f"{value:.9g}" for value in row) for row in rows]
    lines = [f"d{row}{after}{each}\n" for row, each in enumerate(numbers)]
    Path("tabs.txt").write_text(begin + "".join(lines), encoding="utf-8")
    np.testing.assert_array_equal(files.open_rows("tabs.txt").read(0, 60), rows)
    np.testing.assert_array_equal(files.open_ids("tabs.txt", "word").values, files.open_ids("x.npy", "ids.npy").values)


@pytest.mark.parametrize("output", ["z.parquet", "z.arrow", "z.feather", "z.parquet:mapped"])
@pytest.mark.parametrize("name", ["x.parquet", "stream.arrow", "packed.feather", "parts"])
def test_other_columns_pass_through(capsys, monkeypatch, rows, name, output):
    small_blocks(monkeypatch)
    run(capsys, "apply", "map.safetensors", name, "-o", output, "--force")
    path, _, key = output.partition(":")
    written = pa.parquet.read_table(path) if "parquet" in path else pa.feather.read_table(path)
    assert written.column_names == ["id", key or "vector", "title"] and written["id"].to_pylist() == file_samples.ids(
        60
    )
    assert written["title"][59].as_py() == "title 59"
    expected = np.asarray(solvers.rigid(*pairs())(rows))
    np.testing.assert_allclose(files.open_rows(output).read(0, 60), expected, atol=1e-5)


def category(values, bits=8, **options):
    places = pa.array(range(len(values)), pa.int8() if bits == 8 else pa.int16())
    return pa.DictionaryArray.from_arrays(places, values, **options)


@pytest.mark.parametrize("output", ["z.parquet", "z.arrow", "z.feather"])
def test_values_of_dictionaries_that_differ_pass_through(rows, output):
    words, nested = ["a", "b", "c", "d"], [["a"], ["b", "b"], ["c"], []]
    lists = [pa.array(nested[k : k + 2], pa.list_(pa.dictionary(pa.int32(), pa.string()))) for k in (0, 2)]
    with files.writing(output, (4, 2), np.float32) as append:
        append(rows[:2, :2], {"v": None, "c": category(words[:2]), "n": category([1, 2]), "l": lists[0]})
        append(rows[2:4, :2], {"v": None, "c": category(words[2:], 16), "n": category([3, 4]), "l": lists[1]})
    written = pa.parquet.read_table(output) if "parquet" in output else pa.feather.read_table(output)
    assert written["c"].to_pylist() == words and written["n"].to_pylist() == [1, 2, 3, 4]
    assert written["l"].to_pylist() == nested
    if "parquet" in output:  # of which each part may have a dictionary of its own
        assert written.schema.field("c").type == pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize("output", ["z.parquet", "z.arrow"])
@pytest.mark.parametrize("size", [20, 60])
def test_categories_of_files_of_a_folder_pass_through(capsys, monkeypatch, rows, output, size):
    small_blocks(monkeypatch, rows=size)
    Path("categories").mkdir(exist_ok=True)
    for part in range(2):
        titles = category([f"title {row}" for row in range(30 * part, 30 * part + 30)], 8 + 8 * part)
        table = file_samples.table(rows[30 * part : 30 * part + 30], title=titles)
        pa.feather.write_feather(table, f"categories/{part}.feather")
    run(capsys, "apply", "map.safetensors", "categories", "-o", output, "--force")
    written = pa.parquet.read_table(output) if "parquet" in output else pa.feather.read_table(output)
    assert written["title"].to_pylist() == [f"title {row}" for row in range(60)]


@pytest.mark.parametrize("output", ["types.parquet", "types.arrow"])
def test_a_column_of_another_type_than_before_is_named(rows, output):
    for column, words in (("w", "rows with v, w came; expected v, c, as before"), ("c", "column c came as int64; exp")):
        with (
            pytest.raises(ValueError, match=rf"^{output}: {words}"),
            files.writing(output, (4, 2), np.float32) as append,
        ):
            append(rows[:2, :2], {"v": None, "c": pa.array(["a", "b"])})
            append(rows[2:4, :2], {"v": None, column: pa.array([1, 2])})
        assert not Path(output).exists()


@pytest.mark.parametrize("output", ["clash.parquet:title", "clash.arrow:id"])
def test_no_column_is_lost_to_the_vectors(capsys, output):
    assert main(["apply", "map.safetensors", "x.parquet", "-o", output, "--force", "--quiet"]) == 2
    path, _, key = output.partition(":")
    assert f"there would be two columns named {key}" in capsys.readouterr().err
    assert not Path(path).exists()


@pytest.mark.parametrize(("name", "output"), [("x.vec", "z.bin"), ("x.bin", "z.vec"), ("x.vec", "z.parquet")])
def test_words_pass_through(capsys, monkeypatch, rows, name, output):
    small_blocks(monkeypatch)
    run(capsys, "apply", "map.safetensors", name, "-o", output, "--force")
    np.testing.assert_array_equal(files.open_ids(output, "word").values, files.open_ids("x.npy", "ids.npy").values)
    expected = np.asarray(solvers.rigid(*pairs())(rows))
    np.testing.assert_allclose(files.open_rows(output).read(0, 60), expected, rtol=1e-6)


def test_text_keeps_all_that_is_read_of_it(capsys, rows):
    table = file_samples.table(np.float64(rows)).rename_columns(["word", "vector"])
    pa.parquet.write_table(table, "double.parquet")
    for output, dtype in (("z.vec", "float32"), ("z.parquet", "float64")):
        assert run(capsys, "apply", "map.safetensors", "double.parquet", "-o", output, "--force")["dtype"] == dtype
    kept = files.open_rows("z.parquet").read(0, 60).astype(np.float32)
    np.testing.assert_array_equal(files.open_rows("z.vec").read(0, 60), kept)


def test_words_with_a_space_are_written_where_they_can_be_read(capsys, rows):
    numbers = [" ".join(f"{value:.9g}" for value in row) for row in rows[:3]]
    words = ["New York", "b", "c"]
    lines = [f"{word} {row}\n" for word, row in zip(words, numbers, strict=True)]
    Path("spaces.vec").write_text(f"3 {rows.shape[1]}\n{''.join(lines)}")
    run(capsys, "apply", "map.safetensors", "spaces.vec", "-o", "again.vec", "--force")
    again = files.open_ids("again.vec", "word")
    np.testing.assert_array_equal(again.values, files.open_ids("spaces.vec", "word").values)
    assert again.first == "New York"
    assert main(["apply", "map.safetensors", "spaces.vec", "-o", "again.bin", "--force", "--quiet"]) == 2
    assert "'New York'" in capsys.readouterr().err and not Path("again.bin").exists()


def test_vectors_of_bytes(capsys, rows):
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.npy", "--force", "--dtype", "uint8")
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.bvecs", "--force", "--dtype", "uint8")
    np.testing.assert_array_equal(files.open_rows("z.bvecs").read(0, 60), np.load("z.npy"))
    run(capsys, "apply", "map.safetensors", "x.vec", "-o", "bytes.vec", "--force", "--dtype", "uint8")
    np.testing.assert_array_equal(files.open_rows("bytes.vec").read(0, 60), np.load("z.npy"))
    assert "." not in Path("bytes.vec").read_text()


@pytest.mark.parametrize("output", ["z.npy", "z.npz", "z.safetensors", "z.fvecs", "z.h5", "group.h5:of/a group"])
def test_other_outputs(capsys, monkeypatch, rows, output):
    small_blocks(monkeypatch)
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", output, "--force")
    expected = np.asarray(solvers.rigid(*pairs())(rows))
    np.testing.assert_allclose(files.open_rows(output).read(0, 60), expected, rtol=1e-6)


def test_eight_bits_keep_their_range(capsys, rows):
    np.save("bytes.npy", np.rint(20 * rows).astype(np.int8))
    assert run(capsys, "apply", "map.safetensors", "bytes.npy", "-o", "z.npy", "--force")["dtype"] == "float32"
    exact = np.load("z.npy")
    result = run(capsys, "apply", "map.safetensors", "bytes.npy", "-o", "z.npy", "--force", "--dtype", "uint8")
    assert np.load("z.npy").dtype == np.uint8 and 0.1 < result["cut_off"] < 0.6 and "cut off" in result["warnings"][0]
    np.testing.assert_array_equal(np.load("z.npy"), np.clip(np.rint(exact), 0, 255))
    assert main(["apply", "map.safetensors", "bytes.npy", "-o", "z.npy", "--force", "--dtype", "int8", "--strict"]) == 0


def test_a_fit_of_eight_bits_is_one_in_float32(capsys, rows):
    source, target = (np.rint(20 * each).astype(np.int8) for each in pairs())
    np.save("x8.npy", source)
    np.save("y8.npy", target)
    assert run(capsys, "fit", "x8.npy", "y8.npy", "-o", "8.safetensors")["dtype"] == "float32"


@pytest.mark.parametrize(
    ("module", "package", "name"),
    [
        ("pyarrow", "pyarrow", "x.parquet"),
        ("pyarrow", "pyarrow", "x.arrow"),
        ("h5py", "h5py", "x.h5:group/vectors"),
        ("faiss", "faiss-cpu", "x.faiss"),
    ],
)
def test_a_missing_package_is_one_line(capsys, monkeypatch, module, package, name):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["apply", "map.safetensors", name, "-o", "none.npy"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"pip install {package}, or 'align-latents[files]'" in err


def test_formats_of_numpy_import_nothing_else():
    code = (
        "import sys; from align import files; files.open_rows('x.npy').read(0, 3)\n"
        "assert not {'pyarrow', 'h5py', 'faiss'} & {name.split('.')[0] for name in sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_a_folder_in_either_half_precision_are_read_as_float32(tmp_path):
    halves = {"0": np.ones((3, 2), jnp.bfloat16), "1": np.ones((2, 2), np.float16)}
    for name, array in halves.items():
        safetensors.numpy.save_file({"a": array}, tmp_path / f"{name}.safetensors")
    opened = files.open_rows(str(tmp_path))
    assert opened.dtype == np.float32 and opened.read(0, 5).dtype == np.float32 and (opened.read(1, 4) == 1).all()
    safetensors.numpy.save_file({"a": np.ones((2, 2), bool)}, tmp_path / "0.safetensors")
    with pytest.raises(ValueError, match=r"its files have dtypes .*; expected real numbers in each"):
        files.open_rows(str(tmp_path))


def test_maps_of_very_large_numbers_are_described():
    large = AffineMap(1e200 * np.diag([1.0, 2, 3]), np.zeros(3))
    assert description.describe(large)["family"] == "scale per axis"
