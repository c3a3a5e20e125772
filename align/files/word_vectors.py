"""Words with vectors: the text of word2vec, GloVe and fastText (`.vec`, `.txt`), and word2vec's `.bin`.

A word is whatever stands before the numbers, spaces within it included; numbers stand between spaces or tabs. A word of
several parts whose last one is a number, as in "the 1", is taken for a line of too many numbers. The text may begin
with a line "rows dimensions", as that of word2vec and fastText does; without it, lines of numbers alone are refused.
Numbers are read in float32, and written in no wider dtype.
One pass over a file finds where its rows are; after it they are read in place.
"""

import codecs
import contextlib
import itertools
import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import Rows, unreadable
from align.files.raw_text import decoded, encoded

_PART = 1 << 24  # bytes looked through at a time
_FASTTEXT = 793712314  # with which fastText's own models begin
_WORDS = 1 << 16  # of one block
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TOLD_BY = 20  # lines: of that many words some are no numbers


def open_text(path: Path, key: None = None) -> Rows:
    """Open the vectors of a text; a line that has other than d numbers is an error when it is read."""
    starts, d = _lines(path)

    def parsed(lines, rows):
        split = [_fields(line, d) for line in lines]
        try:
            vectors = np.array([[float(number) for number in numbers] for _, *numbers in split], np.float32)
            return vectors.reshape(len(rows), d)
        except ValueError as error:
            row = next(row for row, numbers in zip(rows, split, strict=True) if not _are_numbers(numbers[1:], d))
            raise unreadable(path, path.suffix, f"row {row} is no word and {d} numbers") from error

    def read(start, stop):
        return parsed(_between(path, starts, start, stop), range(start, stop))

    def take(index):
        with path.open("rb") as file:
            return parsed([_line(file, starts, row) for row in index], index)

    shape = (len(starts) - 1, d)
    return Rows(
        str(path),
        shape,
        np.dtype(np.float32),
        read,
        take,
        lambda a, b: {"word": _words(path, starts, d, a, b), "vector": None},
    )


def text_ids(path: Path, key: None = None) -> Iterator[list[str]]:
    """Yield the words of a text, by blocks."""
    starts, d = _lines(path)
    for start in range(0, len(starts) - 1, _WORDS):
        yield _words(path, starts, d, start, min(start + _WORDS, len(starts) - 1))


def _lines(path):
    """Return where the rows of a text begin and the last one ends, `[n + 1]`, and their dimensions."""
    with path.open("rb") as file:
        begin = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
        file.seek(begin)
        first = file.readline().split()
        header = len(first) == 2 and all(field.isdigit() for field in first)
        begin = file.tell() if header else begin
        d = int(first[1]) if header else len(first) - 1
        file.seek(begin)
        lines = [line.split() for line in itertools.islice(file, 0 if header else _TOLD_BY)]
        if first and not header and all(_are_numbers(fields, d + 1) for fields in lines if fields):
            raise unreadable(
                path,
                path.suffix,
                "its lines are numbers alone, without a word: read them by numpy.loadtxt and save them by numpy.save; "
                'where numbers are the words, a first line "rows dimensions" says so',
            )
        if d < 1:
            raise unreadable(path, path.suffix, "its first line is no word and numbers")
        file.seek(begin)
        ends, last, at = [], b"\n", begin
        while part := file.read(_PART):
            ends.append(np.flatnonzero(np.frombuffer(part, np.uint8) == 10) + at + 1)
            last, at = part[-1:], at + len(part)
    starts = np.concatenate([[begin], *ends, [] if last == b"\n" else [at]]).astype(np.int64)
    n = len(starts) - 1
    if header and n != int(first[0]):
        raise unreadable(path, path.suffix, f"it says {int(first[0])} rows and has {n}")
    return starts, d


def _between(path, starts, start, stop):
    with path.open("rb") as file:
        file.seek(starts[start])
        return file.read(starts[stop] - starts[start]).removesuffix(b"\n").split(b"\n")


def _line(file, starts, row):
    file.seek(starts[row])
    return file.read(starts[row + 1] - starts[row])


def _words(path, starts, d, start, stop):
    return [decoded(_fields(line, d)[0]) for line in _between(path, starts, start, stop)]


def _fields(line, d):
    """Return the word of a line and its d numbers; fewer where it holds less, and more where a number precedes them."""
    line = line.rstrip()
    word, *numbers = line.rsplit(None if b"\t" in line else b" ", d)
    return line.split() if _ends_in_number(word) else [word.rstrip(), *numbers]


def _ends_in_number(word):
    """Say whether a word has several parts, the last of them a number: in a text nothing tells it from the vector."""
    parts = word.split()
    return len(parts) > 1 and _NUMBER.fullmatch(parts[-1]) is not None


def _are_numbers(fields, d):
    with contextlib.suppress(ValueError):
        return len([float(field) for field in fields]) == d
    return False


def open_binary(path: Path, key: None = None) -> Rows:
    """Open the vectors of word2vec's `.bin`."""
    starts, d = _records(path)

    def some(index):
        data = np.memmap(path, np.uint8, "r")
        rows = [data[begin : begin + 4 * d] for begin in starts[1:][index]]
        return np.concatenate(rows).view("<f4").reshape(len(rows), d).astype(np.float32)

    return Rows(
        str(path),
        (len(starts) - 1, d),
        np.dtype(np.float32),
        lambda start, stop: some(slice(start, stop)),
        some,
        lambda start, stop: {"word": _binary_words(path, starts, d, start, stop), "vector": None},
    )


def binary_ids(path: Path, key: None = None) -> Iterator[list[str]]:
    """Yield the words of word2vec's `.bin`, by blocks."""
    starts, d = _records(path)
    for start in range(0, len(starts) - 1, _WORDS):
        yield _binary_words(path, starts, d, start, min(start + _WORDS, len(starts) - 1))


def _binary_words(path, starts, d, start, stop):
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        ends = starts[start:stop] + 4 * d
        return [
            decoded(data[end : begin - 1].lstrip(b"\n"))
            for end, begin in zip(ends.tolist(), starts[start + 1 : stop + 1].tolist(), strict=True)
        ]


def _records(path):
    """Return where the vectors begin, `[n + 1]` with that of one that would end before the first word; dimensions."""
    if path.stat().st_size == 0:
        raise unreadable(path, ".bin", "it is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if int.from_bytes(data[:4], "little") == _FASTTEXT:
            raise unreadable(path, ".bin", "it is a model of fastText; write its vectors as .vec")
        line_end = data.find(b"\n", 0, 64)
        first = data[: max(line_end, 0)].split()
        if len(first) != 2 or not all(field.isdigit() for field in first) or not int(first[1]):
            raise unreadable(path, ".bin", "it does not begin with the number of rows and of dimensions")
        n, d = map(int, first)
        if n * (4 * d + 1) > len(data):
            raise unreadable(path, ".bin", f"it says {n} rows of {d} dimensions, and is too short for them")
        starts, at = np.empty(n + 1, np.int64), line_end + 1
        starts[0] = at - 4 * d
        for row in range(n):
            space = data.find(b" ", at)
            if space < 0 or space + 1 + 4 * d > len(data):
                raise unreadable(path, ".bin", f"it says {n} rows and ends within row {row}")
            starts[row + 1] = space + 1
            at = space + 1 + 4 * d
        if len(data) > at + _PART or data[at:].strip():
            raise unreadable(path, ".bin", f"it says {n} rows and goes on after them")
    return starts, d


@contextlib.contextmanager
def write_text(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows, and their words, to a text that begins with its shape."""
    with path.open("wb") as file:
        file.write("{} {}\n".format(*shape).encode())
        number = "%d" if dtype.kind in "iu" else "%.9g"
        line = " ".join([number] * shape[1])

        def append(block, others):
            words = [encoded(word) for word in _beside(others)]
            if bad := [word for word in words if _ends_in_number(word)]:
                raise ValueError(f"expected words without a number as their last part; there is {decoded(bad[0])!r}")
            if bad := [word for word in words if word != word.rstrip()]:
                raise ValueError(f"expected words without a space at their end; there is {decoded(bad[0])!r}")
            for word, row in zip(words, block.tolist(), strict=True):
                file.write(word + f" {line % tuple(row)}\n".encode())

        yield append


@contextlib.contextmanager
def write_binary(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows, in float32, and their words, to word2vec's `.bin`."""
    with path.open("wb") as file:
        file.write("{} {}\n".format(*shape).encode())

        def append(block, others):
            words = _beside(others)
            if bad := [word for word in words if " " in word]:
                raise ValueError(f"expected words without a space, at which .bin ends them; there is {bad[0]!r}")
            for word, row in zip(words, block.astype("<f4"), strict=True):
                file.write(encoded(word) + b" " + row.tobytes() + b"\n")

        yield append


def _beside(others):
    """Return the words among what stands beside rows; ValueError where there are none, or one that has a line's end."""
    words = (others or {}).get("word")
    if words is None:
        raise ValueError("expected a word for each row, of an input with words or with a column named word")
    words = words if isinstance(words, list) else words.to_pylist()
    if bad := [word for word in words if not isinstance(word, str) or not word or "\n" in word]:
        raise ValueError(f"expected a word for each row, without an end of line; there is {bad[0]!r}")
    return words
