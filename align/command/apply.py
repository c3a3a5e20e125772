"""`align apply`: the rows of a file as a map sends them."""

import numpy as np

from align import files
from align.command import blocks, places, printing


def apply(arguments) -> None:
    """Write the rows of a file as a map sends them, block by block."""
    fitted = places.load_map(arguments.map)
    if arguments.inverse:
        fitted = fitted.inverse()
    rows = files.open_rows(arguments.input)
    places.check_takes(fitted, rows, arguments)
    places.check_output(arguments)
    dtype = np.dtype(arguments.dtype or fitted(rows.read(0, 1)).dtype)
    shape = (rows.shape[0], fitted.weight.shape[1])
    with files.writing(arguments.output, shape, dtype) as append:
        for start, end in blocks.ranges(arguments, rows):
            with np.errstate(over="ignore"):  # reported below
                mapped = np.asarray(fitted(blocks.read(rows, start, end))).astype(dtype)
            if not np.isfinite(mapped).all():
                raise ValueError(f"the map sends rows {start} to {end - 1} of {rows.name} outside the range of {dtype}")
            append(mapped)
    result = {"output": arguments.output, "rows": shape[0], "dimensions": shape[1], "dtype": str(dtype)}
    printing.show(arguments, result)
