"""What rows are called: integers of all sizes, text of any bytes, one in a line; and the words that vectors have."""

from pathlib import Path

import numpy as np
import pytest
from on_files import pairs, run

from align import files
from align.__main__ import main

pytestmark = pytest.mark.usefixtures("folder")
ROWS = pairs(n=60)[0]


def test_ids_that_are_numbers():
    np.savez("numbers.npz", x=np.zeros((3, 2)), i=np.uint8([7, 5, 9]))
    numbers = files.open_ids("numbers.npz:x", "i")
    np.save("texts.npy", ["9", "7", "x"])
    found = files.match(numbers, files.open_ids("x.npy", "texts.npy"))  # compared by their digits
    assert found.source.tolist() == [0, 2] and found.target.tolist() == [1, 0]


def test_ids_of_64_bits_keep_all_of_them():
    Path("wide").mkdir()
    for name, ids in (("0", np.array([2**53 + 1, -5])), ("1", np.array([2**53 + 3, 7], np.uint64))):
        np.savez(f"wide/{name}.npz", x=np.zeros((2, 2)), i=ids)
    assert files.open_ids("wide", "i").values.tolist() == [2**53 + 1, -5, 2**53 + 3, 7]
    np.savez("high.npz", x=np.zeros((3, 2)), i=np.array([2**63 + 1, 2**64 - 1, 7], np.uint64))
    np.savez("low.npz", x=np.zeros((3, 2)), i=np.array([1 - 2**63, -1, 7]))  # the same bits, but for the last
    np.save("digits.npy", ["x", str(2**64 - 1), "7"])
    high = files.open_ids("high.npz:x", "i")
    assert files.match(high, files.open_ids("low.npz:x", "i")).source.tolist() == [2]
    assert files.match(high, files.open_ids("x.npy", "digits.npy")).source.tolist() == [1, 2]


def test_halves_of_pairs_are_ids_too():
    np.savez("halves.npz", x=np.zeros((3, 2)), i=["\ud800", "\udc00", "\ud800"])
    first, second, again = files.open_ids("halves.npz:x", "i").values.tolist()
    assert first == again != second


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_of_ids_has_one_in_each_line(end):
    ids = ["a\x85b", "c\u2028d", "e\x0bf\x0c", "g\rh", "", "i\x1c\x1d\x1ej"]
    np.save("lines.npy", ids)
    for text in (end.join(ids), end.join([*ids, ""])):
        Path("lines.txt").write_bytes(text.encode())
        found, expected = files.open_ids("x.npy", "lines.txt"), files.open_ids("x.npy", "lines.npy")
        np.testing.assert_array_equal(found.values, expected.values)
    Path("none.txt").touch()
    assert files.open_ids("x.npy", "none.txt").values.shape == (0,)


def vec(words, rows):
    """The text of words, bytes, and rows, between single spaces."""
    numbers = [" ".join(f"{value:.9g}" for value in row).encode() for row in rows]
    return b"".join(b"%b %b\n" % line for line in zip(words, numbers, strict=True))


@pytest.mark.parametrize("ending", ["vec", "bin"])
def test_words_that_are_not_utf_8_keep_their_bytes(capsys, ending):
    words = [b"caf\xe9", b"caf\xe8", "café".encode(), b"\xed\xa0\x80", b"\x85", b"d"]
    Path("latin.vec").write_bytes(b"6 6\n" + vec(words, ROWS[:6]))
    Path("fewer.vec").write_bytes(vec([words[1], b"caf\xea", *words[2:]], ROWS[:6]))
    latin = files.open_ids("latin.vec", "word")
    counts = files.match(latin, files.open_ids("fewer.vec", "word")).counts
    assert (counts["shared"], counts["only_in_source"], counts["repeated_in_source"]) == (5, 1, 0)
    Path("latin.txt").write_bytes(b"\n".join(words))
    np.save("latin.npy", words)
    for name in ("latin.txt", "latin.npy"):
        np.testing.assert_array_equal(files.open_ids("x.npy", name).values, latin.values)
    run(capsys, "apply", "map.safetensors", "latin.vec", "-o", f"same.{ending}", "--force")
    assert main(["apply", "map.safetensors", f"same.{ending}", "-o", "same.vec", "--force", "--inverse"]) == 0
    assert [line.split(b" ")[0] for line in Path("same.vec").read_bytes().split(b"\n")[1:-1]] == words
    assert files.open_ids("same.vec", "word").first == "caf\udce9" and "same.vec" in capsys.readouterr().out


def test_numbers_may_be_words_where_something_says_so():
    words = [str(row).encode() for row in range(60)]
    Path("years.vec").write_bytes(b"60 6\n" + vec(words, ROWS))
    Path("most.txt").write_bytes(vec([*words[:19], b"a", *words[20:]], ROWS))  # as among the most frequent of GloVe's
    for name in ("years.vec", "most.txt"):
        np.testing.assert_array_equal(files.open_rows(name).read(0, 60), ROWS)
    Path("columns.txt").write_bytes(vec([*words[:20], b"a", *words[21:]], ROWS))
    for ids in (False, True):
        with pytest.raises(ValueError, match=r"columns.txt .* numbers alone, .*numpy.loadtxt .*numpy.save"):
            files.open_ids("columns.txt", "word") if ids else files.open_rows("columns.txt")


def test_texts_in_lines_keep_all_of_their_characters():
    Path("ids.txt").write_bytes(b"a\na\0\n" + b"long" * 5000)
    first, second, third = files.open_ids("x.npy", "ids.txt").values.tolist()
    assert first != second != third
    np.save("three.npy", ["a\0b", "a", "long" * 5000])
    found = files.match(files.open_ids("x.npy", "ids.txt"), files.open_ids("x.npy", "three.npy"))
    assert found.source.tolist() == [0, 2] and found.target.tolist() == [1, 2]


def test_the_flag_that_names_no_ids_is_said(capsys):
    Path("ids.txt").write_text("\n".join(map(str, range(200))))
    argv = ["fit", "x.npy", "y.npy", "-o", "new.safetensors", "--quiet", "--id"]
    assert main([*argv, "ids.txt", "--target-id", "no_such.txt"]) == 2
    told = capsys.readouterr().err
    assert "y.npy holds vectors alone" in told and "to --target-id; it is 'no_such.txt', and there is no such" in told
    assert main([*argv, "no_such.txt"]) == 2
    assert "to --id; it is 'no_such.txt', and there is no such file" in capsys.readouterr().err
