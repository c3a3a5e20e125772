"""`align apply`: the rows of a file as a map sends them."""

import argparse

import numpy as np

from align import files
from align.command import blocks, places, printing
from align.maps import AffineMap, fingerprint

# What is written of each row, by --queries, --norms and --documents.
_SENT = {
    "mapped": lambda fitted: fitted,
    "queries": lambda fitted: fitted.queries,
    "norms": lambda fitted: lambda rows: fitted.norms(rows)[:, None],
    "documents": lambda fitted: fitted.documents,
}


def apply(arguments: argparse.Namespace) -> bool | None:
    """Write the rows of a file as a map sends them, block by block; False under --strict where they seem foreign."""
    fitted = places.load_map(arguments.map)
    if arguments.inverse:
        fitted = fitted.inverse()
    rows = files.open_rows(arguments.input)
    places.check_takes(fitted, rows, arguments)
    places.check_output(arguments)
    send = _SENT[arguments.sent](fitted)
    first = np.asarray(send(rows.read(0, 1)))
    dtype = np.dtype(arguments.dtype or first.dtype)
    shape = (rows.shape[0], first.shape[1])
    warnings = []
    with files.writing(arguments.output, shape, dtype) as append:
        for start, end in blocks.ranges(arguments, rows):
            block = blocks.read(rows, start, end)
            if start == 0:
                warnings = _doubts(arguments, block)
            with np.errstate(over="ignore"):  # reported below
                mapped = np.asarray(send(block)).astype(dtype)
            if not np.isfinite(mapped).all():
                raise ValueError(f"the map sends rows {start} to {end - 1} of {rows.name} outside the range of {dtype}")
            append(mapped)
    result = {"output": arguments.output, "rows": shape[0], "dimensions": shape[1], "dtype": str(dtype)}
    printing.show(arguments, result | ({"warnings": warnings} if warnings else {}))
    return not (warnings and arguments.strict)


def _doubts(arguments, rows):
    """Return in words what speaks against rows being of the space that the map takes."""
    known = AffineMap.read_metadata(arguments.map).get("source_space")
    if known is None or arguments.inverse or arguments.sent == "queries":
        return []
    reason = fingerprint.foreign(known, rows)
    return [f"{arguments.input} seems not to hold codes of the map's source space: {reason}"] if reason else []
