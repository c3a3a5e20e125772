"""Files of vectors that are not what their endings say, and ids that do not join: one line, exit code 2, no output."""

import struct
from pathlib import Path
from types import SimpleNamespace

import faiss
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from safetensors.numpy import save_file

from align import files
from align.__main__ import main
from align.files.cursors import Cursor
from align.maps import AffineMap

OUT = ("-o", "z.npy")
ID = ("--id", "id", "-o", "new.safetensors")


def apply(name, *argv):
    return ("apply", "map.safetensors", name, *(argv or OUT))


WRONG = [
    (apply("cut.parquet"), "cut.parquet is not a readable .parquet file"),
    (apply("cut.arrow"), "cut.arrow is not a readable .arrow file"),
    (apply("text.feather"), "text.feather is not a readable .feather file"),
    (apply("two.parquet"), "two.parquet holds a, b", "name one of them as two.parquet:KEY"),
    (apply("two.parquet:c"), "two.parquet holds a, b", "there is no 'c'"),
    (apply("two.parquet", "--column", "c", *OUT), "two.parquet holds a, b", "there is no 'c'"),
    (apply("columns/*", "--column", "c", *OUT), "two.parquet holds a, b", "there is no 'c'"),
    (apply("columns", "--column", "c", *OUT), "two.parquet holds a, b", "there is no 'c'"),
    (apply("columns/*:c"), "two.parquet holds a, b", "there is no 'c'"),
    (apply("uneven/*:c"), "uneven/*:c: files that end in .npy name nothing within; expected no :c"),
    (apply("twice.parquet:a"), "twice.parquet has 2 columns named a; expected one"),
    (apply("twice.arrow:a"), "twice.arrow has 2 columns named a; expected one"),
    (apply("twice.parquet:b", "-o", "z.parquet"), "twice.parquet has 2 columns named a; expected one"),
    (apply("torn.feather"), "torn.feather is not a readable .feather file", "decompression failed"),
    (apply("words.parquet"), "words.parquet holds no array"),
    (apply("ragged.parquet"), "ragged.parquet: row 2 has 2 dimensions; expected 3, as the first has"),
    (apply("null.parquet"), "null.parquet: row 1 is null", "expected a number or a vector"),
    (apply("holes.parquet"), "holes.parquet: there are nulls within the vectors of rows 0 to 3"),
    (apply("none.parquet"), "none.parquet has shape [0, 0]"),
    (apply("two.parquet:n"), "two.parquet:n has shape [4]", "expected rows and dimensions"),
    (apply("torn.h5:a"), "torn.h5 is not a readable .h5 file", "bad symbol table node signature"),
    (apply("x.h5:empty"), "x.h5:empty has shape []"),
    (("fit", "x.npy", "x.npy", "--weights", "scalars", *OUT[:1], "m.safetensors"), "2.npy holds a single number"),
    (("fit", "x.npy", "x.npy", "--id", "scalar.npy", *ID[2:]), "scalar.npy has ids of shape [] and <U2"),
    (("fit", "scalar.safetensors:a", "scalar.safetensors:a", "--id", "one", *ID[2:]), "has ids of shape [] and int64"),
    (apply("words.parquet:id"), "words.parquet: column id is string; expected numbers, or lists of them"),
    (("fit", "x.npy", "x.npy", "--id", "ids.csv", *ID[2:]), "expected the name of a file of ids", "ids.csv", ".npz"),
    (("fit", "x.npy", "x.npy", "--id", "objects.npy", *ID[2:]), "no numbers; save text by .astype(str)"),
    (apply("torn.npy"), "torn.npy is not a readable .npy file", "EOF in multi-line statement"),
    (apply("secret.npz"), "secret.npz is not a readable .npz file: x: File 'x.npy' is encrypted"),
    (apply("method.npz"), "method.npz is not a readable .npz file: x: That compression method is not supported"),
    (apply("cut.h5"), "cut.h5 is not a readable .h5 file"),
    (apply("x.h5"), "x.h5 holds a, b", "name one of them as x.h5:KEY"),
    (apply("x.h5:c"), "x.h5 holds a, b", "there is no 'c'"),
    (apply("short.vec"), "short.vec is not a readable .vec file: row 1 is no word and 3 numbers"),
    (apply("wordy.vec"), "wordy.vec is not a readable .vec file: row 1 is no word and 3 numbers"),
    (apply("long.vec"), "long.vec is not a readable .vec file: row 0 is no word and 3 numbers"),
    (apply("narrow.vec"), "narrow.vec is not a readable .vec file: row 0 is no word and 3 numbers"),
    (apply("lost.vec"), "lost.vec is not a readable .vec file: it says 9 rows and has 2"),
    (apply("empty.vec"), "empty.vec is not a readable .vec file: its first line is no word and numbers"),
    (apply("numbers.txt"), "numbers.txt is not", "lines are numbers alone", "numpy.loadtxt", "numpy.save"),
    (apply("one row.txt"), "one row.txt is not", "its lines are numbers alone, without a word"),
    (apply("one number.txt"), "one number.txt is not", "its lines are numbers alone, without a word"),
    (apply("empty.bin"), "empty.bin is not a readable .bin file: it is empty"),
    (apply("model.bin"), "model.bin is not a readable .bin file: it is a model of fastText; write its vectors as .vec"),
    (apply("noise.bin"), "noise.bin is not a readable .bin file: it does not begin with the number of rows"),
    (apply("short.bin"), "short.bin is not a readable .bin file: it says 9 rows of 3 dimensions, and is too short"),
    (apply("cut.bin"), "cut.bin is not a readable .bin file: it says 2 rows and ends within row 1"),
    (apply("more.bin"), "more.bin is not a readable .bin file: it says 1 rows and goes on after them"),
    (apply("cut.fvecs"), "cut.fvecs is not a readable .fvecs file: its 30 bytes are no rows of 3 dimensions"),
    (apply("uneven.fvecs"), "uneven.fvecs is not a readable .fvecs file: it begins with 3 dimensions"),
    (apply("empty.fvecs"), "empty.fvecs is not a readable .fvecs file: its 0 bytes"),
    (apply("cut.faiss"), "cut.faiss is not a readable .faiss file", "read error"),
    (apply("header.faiss"), "header.faiss is not a readable .faiss file: read error in its header"),
    (apply("named.faiss"), "named.faiss is not a readable .faiss file: read error: it says 4 rows"),
    (apply("graph.faiss"), "graph.faiss is an IndexHNSWFlat, which keeps no rows to read"),
    (apply("empty folder"), "empty folder: no such file; the folder has none that ends in .npy, .npz"),
    (apply("no rows"), "no rows has shape [0, 0]", "expected rows and dimensions"),
    (apply("mixed"), "mixed has files that end in .fvecs and in .npy; expected one of them"),
    (apply("uneven"), "uneven/1.npy has rows of [2] and uneven/0.npy of [3]; expected the same"),
    *(
        (apply(f"names/*.{ending}"), f"names/1.{ending} holds new and names/0.{ending} old; expected vectors")
        for ending in ("npz", "safetensors", "parquet", "arrow", "h5")
    ),
    (apply("parts/*.npz"), "parts/*.npz: no such file; nothing matches"),
    (apply("x.npy", "-o", "z.vec"), "z.vec: expected a word for each row"),
    (apply("latin.vec", "-o", "z.parquet"), "z.parquet: column word: expected text in UTF-8", "'caf\\udce9'"),
    (apply("latin.vec", "-o", "z.arrow"), "z.arrow: column word: expected text in UTF-8", "'caf\\udce9'"),
    (apply("latin.parquet:a", "-o", "z.vec"), "z.vec: ", "can't decode byte 0xe9"),
    (apply("spans.arrow", "-o", "z.parquet"), "z.parquet: column span is month_day_nano_interval", ".parquet does not"),
    (apply("types", "-o", "z.parquet"), "types: column n is int64 in one of its files and string in another"),
    (apply("breaks.parquet", "-o", "z.bin"), "expected a word for each row", "there is 'a\\nb'"),
    (apply("x.npy", "-o", "z.faiss"), "z.faiss: expected a file that ends in", ".parquet"),
    (apply("numbered.parquet", "-o", "z.vec"), "expected words without a number as their last part; there is 'the 1'"),
    (apply("spaced.parquet", "-o", "z.vec"), "expected words without a space at their end; there is 'the '"),
    (apply("columns", "--column", "a", "-o", "columns/z.parquet"), "columns/z.parquet would be one of the files of"),
    (apply("col*/*.parquet:a", "-o", "columns/two.parquet", "--overwrite"), "one of the files of col*/*.parquet:a"),
    (apply("tiny.npy", "--dtype", "float16", *OUT), "all round to 0 in float16", "--dtype float32, or larger values"),
    (apply("x.npy", "--dtype", "int8", *OUT), "all round to 0 in int8", "expected a map to values of 8 bits"),
    (("fit", "x.npy", "x.npy", *ID), "x.npy holds vectors alone", "file of ids to --id; it is 'id'"),
    (("fit", "two.parquet:a", "two.parquet:b", *ID[2:], "--id", "key"), "two.parquet holds a, b, id, n", "no 'key'"),
    (("fit", "two.parquet:a", "two.parquet:b", *ID[2:], "--target-id", "id"), "--target-id", "where --id says"),
    (("fit", "two.parquet:a", "nameless.parquet", *ID), "nameless.parquet: row 1 has no id"),
    (("fit", "two.parquet:a", "latin.parquet", *ID), "latin.parquet is not a readable .parquet file", "Wrapping caf"),
    (("fit", "two.parquet:a", "latin.vec", *ID), "(first 'w0')", "(first 'caf\\udce9') share no id"),
    (("fit", "two.parquet:a", "others.parquet", *ID), "(first 'w0')", "others.parquet:id (first 'x0')", "share no id"),
    (("fit", "two.parquet:a", "again.parquet", *ID), "share no id; 1 are there more than once"),
    (("fit", "x.npy", "x.npy", *ID[2:], "--id", "few.txt"), "few.txt has 3 ids and x.npy 4 rows"),
    (("fit", "x.npy", "x.npy", *ID[2:], "--id", "x.npy"), "x.npy has ids of shape [4, 3] and float32"),
    (("fit", "x.faiss", "x.npy", *ID), "x.faiss holds no ids; expected an IndexIDMap"),
    (("fit", "two.parquet:a", "two.parquet:b", *ID[2:], "--id", "b"), "two.parquet:b holds lists; expected"),
    (("fit", "twice.parquet:b", "two.parquet:b", *ID[2:], "--id", "a"), "twice.parquet has 2 columns named a"),
    (("fit", "x.npy", "x.npy", *ID, "--solver", "icp"), "--id is of rows in correspondence, which icp does not need"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32) / 10)
    return folder


def write(x):
    AffineMap(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)).save("map.safetensors")
    np.save("x.npy", x)
    np.save("tiny.npy", 1e-9 * x)
    np.save("scalar.npy", "d0")
    save_file({"a": x, "one": np.array(3)}, "scalar.safetensors")
    Path("ids.csv").write_text("a\nb\nc\nd\n")
    np.save("objects.npy", np.array(["a", "b", "c", "d"], object))
    Path("scalars").mkdir()
    np.save("scalars/1.npy", np.ones(3)), np.save("scalars/2.npy", 1.0)
    vectors, names = pa.array(list(x)), [f"w{row}" for row in range(4)]

    def table(name, **columns):
        pa.parquet.write_table(pa.table(columns), f"{name}.parquet")

    table("two", id=names, a=vectors, b=vectors, n=range(4))
    table("words", id=names)
    table("ragged", a=[[1.0, 2, 3], [4, 5, 6], [7, 8], [9, 1, 2]])
    table("null", a=[[1.0, 2, 3], None, [1, 2, 3]])
    table("holes", a=[[1.0, 2, 3], [1, None, 3], [1, 2, 3], [1, 2, 3]])
    table("none", a=pa.array([], pa.list_(pa.float32())))
    table("breaks", word=["a\nb", *names[1:]], a=vectors)
    table("numbered", word=["the 1", *names[1:]], a=vectors)
    table("spaced", word=["the ", *names[1:]], a=vectors)
    table("nameless", id=["w0", None, "w2", "w3"], a=vectors)
    table("others", id=[name.replace("w", "x") for name in names], a=vectors)
    table("again", id=["w0", "w0", "x", "y"], a=vectors)
    latin = pa.array([b"caf\xe9", *(name.encode() for name in names[1:])]).view(pa.string())
    table("latin", id=latin, word=latin, a=vectors)
    Path("cut.parquet").write_bytes(Path("two.parquet").read_bytes()[:-20])
    with pa.ipc.new_file("whole.arrow", pa.schema({"a": vectors.type})) as file:
        file.write_table(pa.table({"a": vectors}))
    span = pa.array(4 * [(1, 2, 3)], pa.month_day_nano_interval())
    with pa.ipc.new_file("spans.arrow", pa.schema({"a": vectors.type, "span": span.type})) as file:
        file.write_table(pa.table({"a": vectors, "span": span}))
    Path("cut.arrow").write_bytes(Path("whole.arrow").read_bytes()[:200])
    twice = pa.Table.from_arrays([vectors, pa.array(names), vectors], names=["a", "a", "b"])
    pa.parquet.write_table(twice, "twice.parquet")
    with pa.ipc.new_file("twice.arrow", twice.schema) as file:
        file.write_table(twice)
    pa.feather.write_feather(pa.table({"a": pa.array([1.0] * 5000)}), "torn.feather", compression="zstd")
    torn = bytearray(Path("torn.feather").read_bytes())
    start = torn.index(b"\x28\xb5\x2f\xfd") + 4  # what zstd begins with
    torn[start : start + 8] = b"\xff" * 8
    Path("torn.feather").write_bytes(torn)
    Path("text.feather").write_text("0,1,2\n")
    with h5py.File("x.h5", "w") as file:
        file["a"], file["b"], file["ids"], file["empty"] = x, x, np.arange(4), h5py.Empty("f4")
    Path("torn.h5").write_bytes(Path("x.h5").read_bytes().replace(b"SNOD", b"XXXX"))
    Path("torn.npy").write_bytes(Path("x.npy").read_bytes().replace(b"}", b" "))
    np.savez("whole.npz", x=x)
    for name, places, value in (("secret", (6, 8), 1), ("method", (8, 10), 93)):  # in both headers of what is within
        archive = bytearray(Path("whole.npz").read_bytes())
        for begin, place in zip((b"PK\x03\x04", b"PK\x01\x02"), places, strict=True):
            archive[archive.rindex(begin) + place] = value
        Path(f"{name}.npz").write_bytes(archive)
    Path("cut.h5").write_bytes(Path("x.h5").read_bytes()[:500])
    Path("short.vec").write_text("a 1 2 3\nb 1\n")
    Path("wordy.vec").write_text("a 1 2 3\nb 1 two 3\n")
    Path("long.vec").write_text("2 3\nthe 1 2 3 4\nof 1 2 3\n")
    Path("narrow.vec").write_text("3 3\na 1 2\nb 1 2\nc 1 2\n")
    Path("lost.vec").write_text("9 3\na 1 2 3\nb 1 2 3\n")
    Path("empty.vec").touch()
    Path("latin.vec").write_bytes(b"caf\xe9 1 2 3\ncaf\xe8 1 2 3\nc 1 2 3\nd 1 2 3\n")
    np.savetxt("numbers.txt", np.insert(x, 3, 1, axis=1))
    np.savetxt("one row.txt", np.insert(x, 3, 1, axis=1)[:1], fmt="%9.3f")
    np.savetxt("one number.txt", x[:, 0])
    Path("empty.bin").touch()
    Path("model.bin").write_bytes(struct.pack("<i", 793712314) + bytes(100))
    Path("noise.bin").write_bytes(bytes(range(100)))
    Path("short.bin").write_bytes(b"9 3\na " + bytes(12))
    Path("cut.bin").write_bytes(b"2 3\na " + bytes(12) + b"\nb12345678901" + b" " + bytes(4))
    Path("more.bin").write_bytes(b"1 3\n" + 2 * (b"a " + bytes(12) + b"\n"))
    np.insert(x.view("i4"), 0, 3, axis=1).tofile("whole.fvecs")
    Path("cut.fvecs").write_bytes(Path("whole.fvecs").read_bytes()[:30])
    uneven = np.insert(x.view("i4"), 0, 3, axis=1)
    uneven[2, 0] = 2
    uneven.tofile("uneven.fvecs")
    Path("empty.fvecs").touch()
    flat, graph = faiss.IndexFlatL2(3), faiss.IndexHNSWFlat(3, 4)
    for index, name in ((flat, "x"), (graph, "graph")):
        index.add(x)
        faiss.write_index(index, f"{name}.faiss")
    Path("cut.faiss").write_bytes(Path("x.faiss").read_bytes()[:60])
    Path("header.faiss").write_bytes(Path("x.faiss").read_bytes()[:28])  # at either of these faiss ends the process
    named = faiss.IndexIDMap(faiss.IndexFlatL2(3))
    named.add_with_ids(x, np.arange(4))
    faiss.write_index(named, "whole.faiss")
    Path("named.faiss").write_bytes(Path("whole.faiss").read_bytes()[:90])
    for name in ("empty folder", "mixed", "uneven", "parts", "no rows", "columns", "types", "names"):
        Path(name).mkdir()
    for part in range(2):
        Path(f"no rows/{part}.parquet").write_bytes(Path("none.parquet").read_bytes())
    Path("columns/two.parquet").write_bytes(Path("two.parquet").read_bytes())
    for part, values in enumerate((range(4), names)):
        table(f"types/{part}", a=vectors, n=values)
    Path("empty folder/notes.txt").write_text("a 1 2 3")
    for part, name in enumerate(("old", "new")):
        np.savez(f"names/{part}.npz", **{name: x})
        save_file({name: x}, f"names/{part}.safetensors")
        table(f"names/{part}", **{name: vectors})
        with pa.ipc.new_file(f"names/{part}.arrow", pa.schema({name: vectors.type})) as file:
            file.write_table(pa.table({name: vectors}))
        with h5py.File(f"names/{part}.h5", "w") as file:
            file[name] = x
    np.save("mixed/y.npy", x)
    Path("mixed/x.fvecs").write_bytes(Path("whole.fvecs").read_bytes())
    np.save("uneven/0.npy", x)
    np.save("uneven/1.npy", x[:, :2])
    Path("few.txt").write_text("a\nb\nc\n")


@pytest.mark.parametrize(("argv", "words"), [pytest.param(argv, words, id=" ".join(argv)) for argv, *words in WRONG])
def test_wrong_files(folder, monkeypatch, capsys, argv, words):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert main([*argv, "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert [word for word in words if word not in err] == [], err
    assert err.startswith(f"align {argv[0]}: error: ") and err.count("\n") == 1 and out == ""
    assert sorted(folder.rglob("*")) == before


def test_a_table_that_ends_before_its_rows_do():
    layout = SimpleNamespace(path=Path("x.parquet"), rows=4, batches=lambda row, names: iter(()))
    with pytest.raises(ValueError, match=r"x.parquet is not a readable .parquet file: it ends before row 2"):
        Cursor(layout, ["a"]).read(2, 4)


def test_rows_of_a_group_are_decoded_once_whatever_is_left_out():
    rows, begun = 40, []

    def batches(row, names):
        first = 20 * (row // 20)
        begun.append(first)
        for start in range(first, rows, 5):
            yield start, pa.record_batch({"a": list(range(start, start + 5))})

    layout = SimpleNamespace(path=Path("x.parquet"), rows=rows, starts=np.array([0, 20, 40]), batches=batches)
    cursor = Cursor(layout, ["a"])
    for start, stop in ((1, 3), (4, 8), (12, 13), (21, 24), (30, 40), (2, 3)):
        found = [each for batch in cursor.read(start, stop) for each in batch.column(0).to_pylist()]
        assert found == list(range(start, stop))
    assert begun == [0, 20, 0]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".parquet"])
def test_a_file_that_is_replaced_while_it_is_read_is_refused(tmp_path, suffix):
    path, other = tmp_path / f"x{suffix}", tmp_path / f"other{suffix}"
    for name, value in ((path, 0), (other, 1)):
        with files.writing(str(name), (10, 2), np.float32) as append:
            append(np.full((10, 2), value, np.float32), {"vector": None} if files.keeps_others(str(name)) else None)
    rows = files.open_rows(str(path))
    assert (rows.read(0, 5) == 0).all()
    other.replace(path)
    with pytest.raises(ValueError, match="has changed since it was opened"):
        rows.read(5, 10)
