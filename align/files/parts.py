"""Several files as one."""

from collections.abc import Sequence

import numpy as np

from align.files.dictionaries import widened
from align.files.opened import DTYPES, Rows


def joined(name: str, parts: Sequence[Rows]) -> Rows:
    """Return the rows of several files, one after the other; ValueError where their dimensions or columns differ.

    Files without rows are left out: an empty table does not say how many dimensions it would have.
    """
    parts = [part for part in parts if part.shape[:1] != (0,)] or parts[:1]
    first = parts[0]
    if len(parts) == 1:
        return first._replace(name=name)
    for part in parts:
        if not part.shape:
            raise ValueError(f"{part.name} holds a single number; expected rows, one after the other")
        if part.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{part.name} has rows of {list(part.shape[1:])} and {first.name} of {list(first.shape[1:])}; expected "
                "the same"
            )
        if part.key != first.key:
            raise ValueError(
                f"{name}: {part.name} holds {part.key} and {first.name} {first.key}; expected vectors of one name"
            )
    starts = np.cumsum([0, *(part.shape[0] for part in parts)])

    def within(start, stop):
        """Yield the parts that hold the rows from start to stop, and where in them."""
        for part, begin in zip(parts, starts, strict=False):
            low, high = max(start - begin, 0), min(stop - begin, part.shape[0])
            if low < high:
                yield part, int(low), int(high)

    def read(start, stop):
        return np.concatenate(
            [part.read(low, high).astype(dtype, copy=False) for part, low, high in within(start, stop)]
        )

    def take(index):
        index = np.asarray(index)
        inside = np.searchsorted(starts, index, "right") - 1
        rows = np.empty((len(index), *first.shape[1:]), dtype)
        for k in np.unique(inside):
            rows[inside == k] = parts[k].take(index[inside == k] - starts[k])
        return rows

    def others(start, stop):
        tables = [part.others(low, high) for part, low, high in within(start, stop)]
        if any(table.keys() != tables[0].keys() for table in tables):
            raise ValueError(f"{name}: its files have different columns; expected {', '.join(tables[0])} in each")
        return {key: _together(f"{name}: column {key}", [table[key] for table in tables]) for key in tables[0]}

    dtype = _common(name, {part.dtype for part in parts})
    return Rows(
        name,
        (int(starts[-1]), *first.shape[1:]),
        dtype,
        read,
        take if all(part.take for part in parts) else None,
        others if all(part.others for part in parts) else None,
    )


def _common(name, dtypes):
    """Return the dtype that holds those of all parts; ValueError where there is none."""
    if len(dtypes) == 1:
        return dtypes.pop()
    try:
        # NumPy knows no type for both halves.
        return np.result_type(*(np.float32 if dtype == DTYPES["BF16"] else dtype for dtype in dtypes))
    except TypeError as error:
        came = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(f"{name}: its files have dtypes {came}; expected real numbers in each") from error


def _together(name, columns):
    """Return the pieces of one column in one: lists of words, or Arrow's; ValueError where these differ in type."""
    if columns[0] is None or len(columns) == 1:
        return columns[0]
    if isinstance(columns[0], list):
        return [word for column in columns for word in column]
    import pyarrow as pa

    columns = [column.cast(widened(column.type)) for column in columns]
    for column in columns:
        if column.type != columns[0].type:
            raise ValueError(f"{name} is {columns[0].type} in one of its files and {column.type} in another")
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks])
