"""Parquet, Arrow and Feather: columns of vectors, lists of numbers of one length; read by pyarrow.

A parquet file is decoded by row groups, a batch at a time; an Arrow file that is not compressed is read where it is
mapped. Both are read in order: a read that goes on where the last one ended decodes nothing twice.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.files.arrow_batches import layout_of
from align.files.cursors import Cursor
from align.files.dictionaries import type_held
from align.files.opened import Rows, needed, only, unreadable


def open_table(path: Path, key: str | None) -> Rows:
    """Open a column of vectors, the only one unless named; or a named one of numbers, `[n]`."""
    with _explained(path):
        layout = layout_of(path)
        schema = layout.schema
        vectors = [field.name for field in schema if _is_vectors(field.type)]
        numbers = [field.name for field in schema if _is_number(field.type)]
        if key in schema.names and key not in vectors + numbers and schema.names.count(key) == 1:
            raise ValueError(f"{path}: column {key} is {schema.field(key).type}; expected numbers, or lists of them")
        key = only(path, key, vectors or numbers, vectors + numbers)
        _check_once(path, schema, [key])
        first = Cursor(layout, [key]).read(0, 1)[0].column(0) if layout.rows else None
        sample = _numbers(path, first, 0) if first is not None else np.empty((0, 0), np.float32)
        names = [name for name in schema.names if name != key]
    cursor, beside = Cursor(layout, [key]), Cursor(layout, names)

    def read(start, stop):
        with _explained(path):
            parts, rows = [], start
            for batch in cursor.read(start, stop):
                parts.append(_numbers(path, batch.column(0), rows, sample.shape[1:]))
                rows += batch.num_rows
            return np.concatenate(parts)

    def take(index):
        with _explained(path):
            return layout.take(key, index, lambda column, rows: _numbers(path, column, rows, sample.shape[1:]))

    def others(start, stop):
        import pyarrow as pa

        _check_once(path, schema, names)
        with _explained(path):
            batches = beside.read(start, stop) if names else []
            columns = {name: pa.chunked_array([batch.column(name) for batch in batches]) for name in names}
            return {name: columns.get(name) for name in schema.names}

    shape = (layout.rows, *sample.shape[1:])
    return Rows(str(path), shape, sample.dtype, read, take if layout.is_mapped else None, others, key=key)


def table_ids(path: Path, key: str | None) -> Iterator[Any]:
    """Yield a column of ids, the only one unless named, by batches; ValueError where an id is missing."""
    with _explained(path):
        layout = layout_of(path)
        key = only(path, key, layout.schema.names)
        _check_once(path, layout.schema, [key])
        rows = 0
        for _, batch in layout.batches(0, [key]) if layout.rows else ():
            column = batch.column(0)
            if column.null_count:
                raise ValueError(f"{path}: row {rows + _first_null(column)} has no {key}")
            yield column.to_numpy(zero_copy_only=False)
            rows += batch.num_rows


def _check_once(path, schema, names):
    """Raise ValueError where a name is that of several columns, of which nothing says which is meant."""
    if twice := [name for name in names if schema.names.count(name) > 1]:
        raise ValueError(f"{path} has {schema.names.count(twice[0])} columns named {twice[0]}; expected one")


def _first_null(column):
    return int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))


@contextlib.contextmanager
def _explained(path):
    """Turn an error of Arrow into one that names the file."""
    pa = needed("pyarrow", "pyarrow", path)
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and type(error) is not OSError:  # those of the system name the file
            raise
        raise unreadable(path, path.suffix, error) from error


def _is_vectors(kind):
    import pyarrow as pa

    kind = getattr(kind, "storage_type", kind)  # of a tensor's type, which extends a list's
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return lists and _is_number(kind.value_type)


def _is_number(kind):
    import pyarrow as pa

    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _numbers(path, column, first_row, shape=None):
    """Return a column as an array `[n, d]`, or `[n]` of one that holds numbers; ValueError for rows of another length.

    first_row: of the file, of the first one here. It is a view where Arrow has the numbers in one piece.
    """
    column = getattr(column, "storage", column)
    if column.null_count:
        raise ValueError(f"{path}: row {first_row + _first_null(column)} is null; expected a number or a vector")
    if _is_number(column.type):
        return column.to_numpy(zero_copy_only=False)
    values = column.flatten()
    if values.null_count:
        raise ValueError(
            f"{path}: there are nulls within the vectors of rows {first_row} to {first_row + len(column) - 1}"
        )
    fixed = getattr(column.type, "list_size", None)
    lengths = np.full(len(column), fixed) if fixed is not None else column.value_lengths().to_numpy()
    d = shape[0] if shape else int(lengths[0])
    if (lengths != d).any():
        row = int(np.argmax(lengths != d))
        raise ValueError(f"{path}: row {first_row + row} has {lengths[row]} dimensions; expected {d}, as the first has")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), d)


@contextlib.contextmanager
def write_table(path: Path, key: str | None, shape: tuple[int, int], dtype: np.dtype) -> Iterator[Callable[..., Any]]:
    """Yield a function that appends rows, and what stands beside them, to a file; a call makes a row group, or a batch.

    The vectors take the name and the place that they had, and are called "vector" where they had none. ValueError for a
    key that something beside them has, and for a column that the format does not hold, or not beside those before.
    """
    pa = needed("pyarrow", "pyarrow", path)
    with contextlib.ExitStack() as stack:
        writer, schema = None, None

        def append(block, others):
            nonlocal writer, schema
            values = pa.array(np.ascontiguousarray(block).reshape(-1))
            vectors = pa.FixedSizeListArray.from_arrays(values, block.shape[1])
            if key and (others or {}).get(key) is not None:
                raise ValueError(f"there would be two columns named {key}; expected another name for the vectors")
            columns = {
                (name if column is not None else key or name): vectors if column is None else column
                for name, column in (others or {key or "vector": None}).items()
            }
            before = {} if schema is None else {field.name: field.type for field in schema}
            held = {name: _held(path.suffix, name, column, before.get(name)) for name, column in columns.items()}
            table = pa.table(held)
            try:
                if writer is None:
                    writer, schema = stack.enter_context(_writer(path.suffix, path, table.schema)), table.schema
                _check_alike(table.schema, schema)
                writer.write_table(table)
            except pa.ArrowException as error:
                raise _not_held(path.suffix, table, error) from error

        yield append


def _writer(suffix, where, schema):
    if suffix == ".parquet":
        parquet = needed("pyarrow.parquet", "pyarrow", where)
        text = [field.name for field in schema if not _is_vectors(field.type)]
        return parquet.ParquetWriter(where, schema, use_dictionary=text)
    return needed("pyarrow.ipc", "pyarrow", where).new_file(where, schema)


def _held(suffix, name, column, before):
    """Return a column as a file holds it; ValueError where it cannot. before: its type in the rows before, if any."""
    import pyarrow as pa

    try:
        column = column if isinstance(column, pa.Array | pa.ChunkedArray) else pa.array(column)
        kind = type_held(suffix, column.type, before)
        return column if column.type == kind else column.cast(kind)
    except UnicodeEncodeError as error:
        raise ValueError(f"column {name}: expected text in UTF-8, as tables hold; there is {error.object!r}") from error
    except pa.ArrowException as error:
        raise ValueError(f"column {name}: {error}") from error


def _check_alike(schema, first):
    """Raise ValueError where the columns of further rows are not those of the first ones."""
    if schema.names != first.names:
        raise ValueError(f"rows with {', '.join(schema.names)} came; expected {', '.join(first.names)}, as before")
    for column, before in zip(schema, first, strict=True):
        if column.type != before.type:
            raise ValueError(f"column {column.name} came as {column.type}; expected {before.type}, as before")


def _not_held(suffix, table, error):
    """Return the error that names the column of a table that a format does not hold, and why."""
    import pyarrow as pa

    for name in table.column_names:
        part = table.select([name])
        try:
            with _writer(suffix, pa.BufferOutputStream(), part.schema) as writer:
                writer.write_table(part)
        except pa.ArrowException as reason:
            return ValueError(
                f"column {name} is {part.schema.field(name).type}, which {suffix} does not hold: {reason}"
            )
    return ValueError(str(error))
