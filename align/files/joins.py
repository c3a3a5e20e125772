"""Rows in another order, or some of them: gathered where the format allows, else put in order on disk first."""

import mmap
import shutil
import tempfile
from collections.abc import Iterable

import numpy as np

from align.files.opened import Rows


def chosen(rows: Rows, index: np.ndarray) -> Rows | None:
    """Return the rows of an index `[k]`; None where reading them in that order would read the file again and again."""
    take = rows.take
    if take is None and not (np.diff(index) > 0).all():
        return None
    return rows._replace(
        shape=(len(index), rows.shape[1]),
        read=lambda start, stop: _gather(rows, index[start:stop]),
        take=None if take is None else lambda which: take(index[which]),
        others=None,
        numbers=index,
    )


def _gather(rows, index):
    if rows.take is not None:
        return rows.take(index)
    parts, done = [], 0
    while done < len(index):  # a stretch of the file at a time, as long as what is asked for
        start = int(index[done])
        stop = min(start + len(index), int(index[-1]) + 1)
        end = int(np.searchsorted(index, stop))
        parts.append(rows.read(start, stop)[index[done:end] - start])
        done = end
    return np.concatenate(parts)


def put_in_order(rows: Rows, index: np.ndarray, ranges: Iterable[tuple[int, int]]) -> Rows:
    """Return the rows of an index `[k]`, written in its order to a file without a name, which ends with the process.

    ranges: (start, stop) over all rows; each is read once. OSError where the folder for temporary files, which TMPDIR
    names, has no room.
    """
    needed, free = len(index) * rows.shape[1] * rows.dtype.itemsize, shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        raise OSError(
            f"{rows.name}: its rows in order take {needed / 1e9:.1f} GB in {tempfile.gettempdir()}, which has "
            f"{free / 1e9:.1f} GB free; TMPDIR names another folder"
        )
    shape = (len(index), rows.shape[1])
    with tempfile.TemporaryFile() as file:
        file.truncate(needed)
        mapped = mmap.mmap(file.fileno(), needed)
    ordered = np.frombuffer(mapped, rows.dtype).reshape(shape)
    places = np.full(rows.shape[0], -1)
    places[index] = np.arange(len(index))
    for start, stop in ranges:
        here = places[start:stop]
        ordered[here[here >= 0]] = rows.read(start, stop)[here >= 0]
        mapped.madvise(mmap.MADV_DONTNEED)  # the pages are the system's, which writes them out

    def some(which):
        found = np.array(ordered[which])
        mapped.madvise(mmap.MADV_DONTNEED)
        return found

    return Rows(rows.name, shape, rows.dtype, lambda start, stop: some(slice(start, stop)), some, numbers=index)
