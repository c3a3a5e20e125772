"""Reading in order what cannot be read from anywhere."""

from typing import Any

import numpy as np

from align.files.opened import unreadable


class Cursor:
    """Columns of a file in order: a read that goes on where the last one ended decodes nothing twice."""

    def __init__(self, layout: Any, names: list[str]) -> None:
        """Begin anywhere: `layout.batches(row, names)` yields (first row, batch) from the one on that holds a row."""
        self.layout, self.names = layout, names
        self._close()

    def _close(self):
        self.position, self.batches, self.left = None, None, None

    def _comes_by(self, row):
        """Say whether to go on is the shortest way to a row: it is where this, and the row, are in one group."""
        if self.position is None or row < self.position:
            return False
        groups = np.searchsorted(self.layout.starts, [self.position, row], "right")
        return row == self.position or groups[0] == groups[1]

    def read(self, start: int, stop: int) -> list[Any]:
        """Return the batches that hold the rows from start to stop."""
        if not self._comes_by(start):
            self._close()
            self.batches = self.layout.batches(start, self.names)
        parts, position = [], start  # batches before it are passed over
        while position < stop:
            first, batch = self.left or next(self.batches, (position, None))
            if batch is None:
                raise unreadable(self.layout.path, self.layout.path.suffix, f"it ends before row {position}")
            if (within := position - first) < batch.num_rows:
                part = batch.slice(within, stop - position)
                parts.append(part)
                position += part.num_rows
            self.left = (first, batch) if position < first + batch.num_rows else None
        self.position = position
        if position == self.layout.rows:
            self._close()  # and with it the file
        return parts
