"""The batches of a parquet or an Arrow file: where they begin, and some of their columns from a row on."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.opened import needed

_BATCH = 1024  # rows decoded at a time


class Parquet:
    """A parquet file, decoded a batch at a time from the beginning of a row group on."""

    is_mapped = False

    def __init__(self, path: Path) -> None:
        """Read the schema, and where the row groups begin."""
        self.path = path
        with self._file() as file:
            self.schema = file.schema_arrow
            sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
        self.starts = np.cumsum([0, *sizes])
        self.rows = int(self.starts[-1])

    def _file(self):
        parquet = needed("pyarrow.parquet", "pyarrow", self.path)
        # Without a cache of its own in memory: row groups may be as large as the file.
        return parquet.ParquetFile(self.path, memory_map=True, pre_buffer=False)

    def batches(self, row: int, names: list[str]) -> Iterator[tuple[int, Any]]:
        """Yield (first row, batch) from the row group on that holds a row."""
        group = _holding(self.starts, row)
        first = int(self.starts[group])
        with self._file() as file:
            groups = range(group, file.num_row_groups)
            for batch in file.iter_batches(_BATCH, groups, names, use_threads=False):
                yield first, batch
                first += batch.num_rows


class Arrow:
    """A file of record batches, or a stream of them, read where it is mapped.

    is_mapped: whether its numbers lie in the file as they are, so that reading a row reads no other.
    """

    def __init__(self, path: Path) -> None:
        """Read the schema, and where the batches begin."""
        self.path, sizes, self.is_mapped = path, [], True
        with self._reader() as (reader, mapped):
            self.schema = reader.schema
            begin, end = mapped.address, mapped.address + mapped.size
            for batch in _each(reader, 0):
                sizes.append(batch.num_rows)
                buffers = [buffer for column in batch.columns for buffer in column.buffers() if buffer is not None]
                self.is_mapped &= all(begin <= buffer.address < end for buffer in buffers if buffer.size)
        self.starts = np.cumsum([0, *sizes])
        self.rows = int(self.starts[-1])

    @contextlib.contextmanager
    def _reader(self):
        pa = needed("pyarrow", "pyarrow", self.path)
        ipc = needed("pyarrow.ipc", "pyarrow", self.path)
        with pa.memory_map(str(self.path)) as source:
            mapped = source.read_buffer()
            try:
                reader = ipc.open_file(mapped)
            except pa.ArrowInvalid:
                reader = ipc.open_stream(mapped)
            yield reader, mapped

    def batches(self, row: int, names: list[str]) -> Iterator[tuple[int, Any]]:
        """Yield (first row, batch) from the batch on that holds a row."""
        with self._reader() as (reader, _):
            first = _holding(self.starts, row)
            for start, batch in zip(self.starts[first:-1], _each(reader, first), strict=True):
                yield int(start), batch.select(names)

    def take(self, name: str, index: np.ndarray, numbers: Callable[[Any, int], np.ndarray]) -> np.ndarray:
        """Return the rows of an index `[k]` of a column, as `numbers(column, first row)` reads a batch's `[n, d]`."""
        index = np.asarray(index)
        inside = np.searchsorted(self.starts, index, "right") - 1
        result = None
        with self._reader() as (reader, _):
            for k, batch in enumerate(_each(reader, 0)):
                (wanted,) = np.nonzero(inside == k)
                if len(wanted):
                    rows = numbers(batch.column(name), int(self.starts[k]))
                    result = np.empty((len(index), *rows.shape[1:]), rows.dtype) if result is None else result
                    result[wanted] = rows[index[wanted] - self.starts[k]]
        assert result is not None, "an index without rows"
        return result


def layout_of(path: Path) -> Any:
    """Return the batches of a file by its ending."""
    return Parquet(path) if path.suffix == ".parquet" else Arrow(path)


def _holding(starts, row):
    """Return which batch holds a row."""
    return max(int(np.searchsorted(starts, row, "right")) - 1, 0)


def _each(reader, first):
    if hasattr(reader, "get_batch"):
        return (reader.get_batch(k) for k in range(first, reader.num_record_batches))
    return (batch for k, batch in enumerate(reader) if k >= first)
