"""The files that a command is given: opened, and checked to belong together before any work is done."""

import argparse
import os
from pathlib import Path

import numpy as np

from align import files
from align.arrays import atomic, memory
from align.maps import AffineMap

_OF_NUMBERS = (".csv", ".tsv")  # endings of text that is not read
# Arguments that an output must not replace; rows may be mapped in their place.
_KEPT = (
    "map", "source", "target", "weights", "source_labels", "target_labels", "pairs", "among", "clouds",
    "id", "target_id",
)  # fmt: skip


def load_map(path: str) -> AffineMap:
    """Return the one finite map of a file; FileNotFoundError and ValueError otherwise."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file" + (", but a folder" if Path(path).is_dir() else ""))
    fitted = AffineMap.load(path)
    if fitted.weight.ndim != 2:
        raise ValueError(f"{path} holds {fitted.weight.shape[:-2]} maps; expected a single one")
    if not (np.isfinite(fitted.weight).all() and np.isfinite(fitted.bias).all()):
        raise ValueError(f"{path} holds a map with NaN or infinity")
    return fitted


def open_rows(name: str, column: str | None) -> files.Rows:
    """Open the rows that an argument names, of --column where it names none and its file has columns."""
    try:
        return files.open_rows(files.with_key(name, column))
    except ValueError as error:
        if Path(name).suffix not in _OF_NUMBERS:
            raise
        raise ValueError(f"{error}; read its numbers by numpy.loadtxt and save them by numpy.save") from error


def open_pairs(source: str, target: str, column: str | None = None) -> tuple[files.Rows, files.Rows]:
    """Open two arrays whose rows correspond; ValueError where they are not as many."""
    x, y = open_rows(source, column), open_rows(target, column)
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            f"{x.name} has {x.shape[0]} rows and {y.name} {y.shape[0]}; expected the same number, in correspondence"
        )
    return x, y


def check_room(source: files.Rows, target: files.Rows) -> None:
    """Raise ValueError where the map between two arrays, and the sums that make it, would not fit into the memory."""
    itemsize = np.result_type(source.float_dtype, target.float_dtype).itemsize
    needed, there = 2 * source.shape[1] * target.shape[1] * itemsize, memory.installed()
    if there is not None and needed > there:
        raise ValueError(
            f"{source.name} has {source.shape[1]:,} dimensions and {target.name} {target.shape[1]:,}: a map between "
            f"them takes {needed / 1e9:,.1f} GB to fit, of {there / 1e9:,.1f} GB of memory; expected fewer dimensions"
        )


def open_weights(name: str, source: files.Rows) -> files.Rows:
    """Open the weights of the rows of a source; ValueError where they are not one for each."""
    weights = files.open_column(name)
    if weights.shape != (source.shape[0], 1):
        raise ValueError(f"{name} has shape {list(weights.shape)}; expected [{source.shape[0]}, 1], one for each row")
    return weights


def read_labels(name: str, rows: files.Rows) -> np.ndarray:
    """Read the classes of the rows of an array, integers `[n]`; ValueError where they are none or not as many."""
    labels = files.open_column(name)
    if labels.shape[0] != rows.shape[0] or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"{name} holds {labels.shape[0]} labels of {labels.dtype}; expected {rows.shape[0]} integers, one for each "
            f"row of {rows.name}"
        )
    return labels.read(0, labels.shape[0])[:, 0]


def check_takes(fitted: AffineMap, rows: files.Rows, arguments: argparse.Namespace) -> None:
    """Raise ValueError where a map does not take rows of so many dimensions."""
    if getattr(arguments, "sent", "") == "queries":
        if fitted.weight.shape[1] != rows.shape[1]:
            raise ValueError(
                f"{rows.name} has {rows.shape[1]} dimensions; --queries are of the space that {arguments.map} maps to, "
                f"which has {fitted.weight.shape[1]}"
            )
        return
    if fitted.weight.shape[0] != rows.shape[1]:
        raise ValueError(
            f"{rows.name} has {rows.shape[1]} dimensions; {arguments.map} takes {fitted.weight.shape[0]}"
            + (" when inverted" if getattr(arguments, "inverse", False) else "")
        )


def check_output(arguments: argparse.Namespace, suffixes: tuple[str, ...] = files.WRITTEN) -> None:
    """Refuse an output that could not be written, before any work is done."""
    path, key = files.split_name(arguments.output)
    if path.suffix not in suffixes or (key and suffixes != files.WRITTEN):
        raise ValueError(f"{arguments.output}: expected a file that ends in {', '.join(suffixes)}")
    folder = atomic.followed(path).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder for the output")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder}: the output cannot be written to this folder")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    for name in ("input", *_KEPT):
        given = getattr(arguments, name, None) or ()
        for each in [given] if isinstance(given, str) else given:
            if files.finds(each, path):
                raise ValueError(f"{path} would be one of the files of {each} from then on; expected another place")
            file = files.split_name(each)[0]
            if name in _KEPT and file.exists() and path.exists() and file.samefile(path):
                role = name.replace("_", "-")
                raise ValueError(f"{path} is read as the {role}; expected another place for the output")
    if os.path.lexists(path) and not replaces(arguments):
        raise FileExistsError(f"{path} exists; --overwrite or --force replaces it")
    if others := files.lost(arguments.output):
        raise ValueError(
            f"{path} holds {', '.join(others)} as well, which would be lost: a file is written anew; expected another "
            "file, or its name alone to replace all of it"
        )


def check_column(arguments: argparse.Namespace, *names: str | None) -> None:
    """Raise ValueError where --column names an array within files that hold none by name."""
    given = [name for name in names if name]
    if arguments.column is not None and all(files.with_key(name, arguments.column) == name for name in given):
        raise ValueError(
            f"--column {arguments.column} names an array within a file; none of {', '.join(given)} has any"
        )


def replaces(arguments: argparse.Namespace) -> bool:
    """Say whether an output that exists, or that comes while it is computed, is replaced."""
    return arguments.overwrite or arguments.force
