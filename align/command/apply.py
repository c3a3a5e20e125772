"""`align apply`: the rows of a file as a map sends them."""

import argparse

import numpy as np

from align import files
from align.command import belonging, blocks, places, printing

# What is written of each row, by --queries, --norms and --documents.
_SENT = {
    "mapped": lambda fitted: fitted,
    "queries": lambda fitted: fitted.queries,
    "norms": lambda fitted: lambda rows: fitted.norms(rows)[:, None],
    "documents": lambda fitted: fitted.documents,
}
# A share of values at the ends of 8 bits from which on they are worth a warning.
_MANY_CUT = 0.01


def apply(arguments: argparse.Namespace) -> bool | None:
    """Write the rows of a file as a map sends them, block by block; False under --strict where there is a warning.

    Rows that are not of the map's space are refused, and nothing is written, unless --force says to go on.
    What stands beside the rows is written too where both files have a place for it. Rows that are zero, which a bias
    sends to where no code is, are counted.
    """
    fitted = places.load_map(arguments.map)
    if arguments.inverse:
        fitted = fitted.inverse()
    places.check_column(arguments, arguments.input)
    rows = places.open_rows(arguments.input, arguments.column)
    places.check_takes(fitted, rows, arguments)
    places.check_output(arguments)
    ends = belonging.ends(arguments)
    said = {"name": arguments.input_name, "prefix": arguments.input_prefix}
    watch, cut, zero = belonging.Watch(arguments, str(arguments.input), ends, said), 0, 0
    # Norms are those of the rows as the file holds them, whose scores they divide.
    if arguments.normalize and ends.unit and arguments.sent != "norms":
        rows = files.unit(rows)
    send = _SENT[arguments.sent](fitted)
    first = np.asarray(send(blocks.read(rows, 0, 1)))
    own = files.dtypes_of(arguments.output)
    # A format of 8 bits is asked for in so many words: it rounds.
    dtype = np.dtype(arguments.dtype or ("float32" if own and "float32" in own else first.dtype))
    shape = (rows.shape[0], first.shape[1])
    others = rows.others if files.keeps_others(arguments.output) else None
    with files.writing(arguments.output, shape, dtype, overwrite=places.replaces(arguments)) as append:
        for start, end in blocks.ranges(arguments, rows, row_bytes=first.nbytes):
            block = blocks.read(rows, start, end)
            watch.look(block)
            zero += int((block == 0).all(1).sum())
            mapped = np.asarray(send(block))
            if arguments.normalize and arguments.sent == "mapped":
                mapped = files.to_unit(mapped)
            mapped, beyond = _as_dtype(mapped, dtype)
            if not np.isfinite(mapped).all():
                raise ValueError(f"the map sends rows {start} to {end - 1} of {rows.name} outside the range of {dtype}")
            cut += beyond
            append(mapped, others and others(start, end))
    result = {"output": arguments.output, "rows": shape[0], "dimensions": shape[1], "dtype": str(dtype)}
    result |= {"bad_rows": {rows.name: {"zero": zero}}} if zero else {}
    warnings = watch.warnings()
    if dtype.kind in "iu":
        result["cut_off"] = cut / (shape[0] * shape[1])
        if result["cut_off"] > _MANY_CUT:
            kept = np.iinfo(dtype)
            warnings += [f"{result['cut_off']:.1%} of the values lie beyond {kept.min} to {kept.max} and were cut off"]
    printing.show(arguments, result | ({"warnings": warnings} if warnings else {}))
    return not (warnings and arguments.strict)


def _as_dtype(mapped, dtype):
    """Return rows in another dtype, and how many values were cut off to its range; ValueError for rows that vanish."""
    if not np.isfinite(mapped).all():  # reported by what calls
        return mapped, 0
    whole = dtype.kind in "iu"
    beyond = 0
    with np.errstate(over="ignore", under="ignore"):  # the first is reported by what calls as well
        if whole:
            kept, ends = np.rint(mapped), np.iinfo(dtype)
            beyond = int(((kept < ends.min) | (kept > ends.max)).sum())
            kept = np.clip(kept, ends.min, ends.max).astype(dtype)
        else:
            kept = mapped.astype(dtype)
    if ((kept == 0).all(1) & (mapped != 0).any(1)).any():
        expected = "a map to values of 8 bits" if whole else "--dtype float32, or larger values"
        cut = ", or are cut off there" if whole else ""
        raise ValueError(f"there are rows whose values all round to 0 in {dtype}{cut}; expected {expected}")
    return kept, beyond
