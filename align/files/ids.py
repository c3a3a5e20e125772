"""The ids of rows, and how many of them two files share."""

import codecs
import hashlib
from typing import NamedTuple

import numpy as np

from align.files import naming, numpy_files
from align.files.formats import FORMATS
from align.files.opened import Rows
from align.files.raw_text import decoded, encoded


class Ids(NamedTuple):
    """The ids of the rows of a file: integers `[n]`, or of text the 128 bits `[n, 2]` that stand for it.

    Integers beyond int64 stand as text does, by their digits. Two texts in one file of a billion would share their bits
    by chance once in 10²⁰ files.
    """

    name: str
    first: str
    values: np.ndarray


class Match(NamedTuple):
    """Which rows of two files share an id: their places `[k]` in each, in the order of the first; and the counts.

    shared: ids that both have once, which is k. only_in_source, only_in_target: ids that the other lacks.
    repeated_in_source, repeated_in_target: ids that both have and that file more than once, which are left out, as
    nothing says which row is meant.
    """

    source: np.ndarray
    target: np.ndarray
    counts: dict[str, int]


def open_ids(name: str, key: str, *, flag: str = "--id") -> Ids:
    """Read the ids of the rows that a name means.

    flag: which asks for them. key: the column or array that holds them, of a format that has those; of one with words
    the word is the id; else the name of a file of ids. ValueError where there are none, or they are no integers or
    text.
    """
    paths, _ = naming.found(name)
    own = FORMATS[paths[0].suffix]
    if own.ids is None or _elsewhere(own, key):
        return _of_file(name, key, flag)
    own_key = key if own.keyed else None
    named = naming.split_name(name)[0]
    blocks = (each for path in paths for each in own.ids(path, own_key))
    return _gathered(f"{named}:{key}" if own.keyed else str(named), blocks)


def ids_apart(name: str, key: str) -> bool:
    """Say whether the ids of the rows that a name means lie in a file of their own, which `key` names."""
    own = FORMATS[naming.found(name)[0][0].suffix]
    return own.ids is None or _elsewhere(own, key)


def _elsewhere(own, key):
    """Say whether a key is the name of a file, for a format that knows no names of its own."""
    return not own.keyed and not own.beside and naming.split_name(key)[0].is_file()


def _of_file(name, key, flag):
    """Read ids that lie in a file of their own: an array, or a text with one in each line."""
    paths, own_key, missing = None, None, ""
    try:
        paths, own_key = naming.found(key)
    except FileNotFoundError:
        missing = ", and there is no such file"
    except ValueError as error:
        missing = f": {error}" if naming.split_name(key)[0].is_file() else ""
    own = None if paths is None else _lines if paths[0].suffix == ".txt" else FORMATS[paths[0].suffix].ids
    if paths is not None and paths[0].suffix == ".npy":
        own = numpy_files.npy_ids
    if own is None:
        raise ValueError(
            f"{name} holds vectors alone; expected the name of a file of ids to {flag}; it is {key!r}{missing}"
        )
    return _gathered(key, (each for path in paths for each in own(path, own_key)))


def _lines(path, key):
    if text := path.read_bytes().removeprefix(codecs.BOM_UTF8):
        yield [decoded(line.removesuffix(b"\r")) for line in text.removesuffix(b"\n").split(b"\n")]


def _gathered(name, blocks):
    parts, first, row = [], None, 0
    for block in blocks:
        if isinstance(block, list):  # of text, which an array would make as long as the longest
            first = block[0] if first is None and block else first
            parts.append(_digests(name, block, row))
            row += len(block)
            continue
        array = np.asarray(block)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1 or array.dtype.kind not in "iuSUOT":
            raise ValueError(
                f"{name} has ids of shape {list(array.shape)} and {array.dtype}; expected integers or text, [n]"
            )
        if first is None and len(array):
            first = decoded(array[0]) if isinstance(array[0], bytes) else str(array[0])
        whole = array.dtype.kind in "iu" and int(array.max(initial=0)) <= np.iinfo(np.int64).max
        parts.append(array.astype(np.int64) if whole else _digests(name, array.tolist(), row))
        row += len(array)
    if any(part.ndim == 2 for part in parts):
        parts = [part if part.ndim == 2 else _digests(name, part.tolist(), 0) for part in parts]
    return Ids(name, first or "", np.concatenate(parts) if parts else np.empty(0, np.int64))


def _digests(name, ids, row):
    """Return the 128 bits `[n, 2]` that stand for each text, or for the digits of an integer."""
    digests = []
    for place, each in enumerate(ids):
        if isinstance(each, list | np.ndarray):
            raise ValueError(f"{name} holds lists; expected integers or text")
        if each is None or each != each:
            raise ValueError(f"{name}: row {row + place} has no id")
        text = each if isinstance(each, bytes) else encoded(str(each))
        digests.append(hashlib.blake2b(text, digest_size=16).digest())
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)


def check_count(ids: Ids, rows: Rows) -> None:
    """Raise ValueError where there is not an id for each row."""
    if len(ids.values) != rows.shape[0]:
        raise ValueError(f"{ids.name} has {len(ids.values)} ids and {rows.name} {rows.shape[0]} rows; expected as many")


def match(source: Ids, target: Ids) -> Match:
    """Return which rows of two files share an id; ValueError where none do."""
    values = [source.values, target.values]
    if values[0].ndim != values[1].ndim:
        values = [
            each if each.ndim == 2 else _digests(name, each.tolist(), 0)
            for each, name in zip(values, "xy", strict=True)
        ]
    n = len(values[0])
    every = np.concatenate(values).reshape(n + len(values[1]), -1)
    order = np.lexsort(every.T)  # in which rows of one id stay in order: the source's first
    new = np.concatenate([[True], (every[order[1:]] != every[order[:-1]]).any(1)]) if len(every) else np.empty(0, bool)
    begins = np.flatnonzero(new)
    of_source = np.add.reduceat((order < n).astype(np.int64), begins) if len(begins) else begins
    of_target = np.diff([*begins, len(order)]) - of_source
    once = (of_source == 1) & (of_target == 1)
    both = (of_source > 0) & (of_target > 0)
    here, there = order[begins[once]], order[begins[once] + 1] - n
    in_order = np.argsort(here)
    counts = {
        "shared": int(once.sum()),
        "only_in_source": int((of_target == 0).sum()),
        "only_in_target": int((of_source == 0).sum()),
        "repeated_in_source": int((both & (of_source > 1)).sum()),
        "repeated_in_target": int((both & (of_target > 1)).sum()),
    }
    if not once.any():
        repeated = f"; {both.sum()} are there more than once" if both.any() else ""
        raise ValueError(
            f"{source.name} (first {source.first!r}) and {target.name} (first {target.first!r}) share no id{repeated}"
        )
    return Match(here[in_order], there[in_order], counts)
