"""Rows of files, block by block: with a progress bar, checked to be finite, stopped by a signal between two blocks."""

import argparse
import signal
from collections.abc import Iterator
from typing import NoReturn

import numpy as np

from align import files

# The signals that have come.
received: list[int] = []
BLOCK_BYTES = 1 << 25


def stop(number: int, frame: object = None) -> NoReturn:
    """Stop the command at SIGINT or SIGTERM, with exit code 128 + number."""
    received.append(number)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def chosen(rows: np.ndarray, arguments: argparse.Namespace, *arrays: files.Rows) -> Iterator[tuple]:
    """Yield (slice, the rows within it that a mask `[n]` chooses of each array), where there are any."""
    for start, end in ranges(arguments, *arrays):
        index = np.flatnonzero(rows[start:end])
        if len(index):
            yield slice(start, end), *(read(array, start, end, index) for array in arrays)


def ranges(arguments: argparse.Namespace, *arrays: files.Rows, row_bytes: int = 1) -> Iterator[tuple[int, int]]:
    """Yield (start, end) over the rows of arrays of equal length, few enough for the widest to take 32 MiB.

    row_bytes: of what is made of each row. An exception that a signal raises inside a callback of the runtime is
    swallowed there, so every block asks again.
    """
    for block in _with_progress(arguments, arrays, row_bytes):
        yield block
        if received:
            stop(received[0])


def read(array: files.Rows, start: int, end: int, index: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Return rows of an array; ValueError names the first one that is not finite, by its number in the file."""
    block = array.read(start, end)[index].astype(array.float_dtype, copy=False)
    finite = np.isfinite(block).all(1)
    if not finite.all():
        row = array.number(start + int(np.arange(end - start)[index][np.argmin(finite)]))
        raise ValueError(f"{array.name} holds NaN or infinity, first in row {row}")
    return block


def _with_progress(arguments, arrays, row_bytes):
    n = arrays[0].shape[0]
    size = max(1, BLOCK_BYTES // max(row_bytes, *(array.nbytes // n for array in arrays)))
    blocks = [(start, min(start + size, n)) for start in range(0, n, size)]
    if arguments.quiet or len(blocks) == 1:
        yield from blocks
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(arguments.name, total=n)
        for start, end in blocks:
            yield start, end
            progress.advance(task, end - start)
