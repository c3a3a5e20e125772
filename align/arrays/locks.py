"""Turns: processes that write to one file or folder wait for each other."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def turn(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Have a folder to oneself, or to those that only read it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        wait_for_turn(descriptor, shared=shared)
        yield
    finally:
        os.close(descriptor)


def wait_for_turn(descriptor: int, *, shared: bool = False) -> None:
    """Wait until no other process has the open file or folder to itself; `shared` lets others that share it go on.

    The turn ends when the descriptor is closed. It is the system's advisory lock on the thing itself: it ends with the
    process, however that ends, and leaves nothing behind that could become stale.
    """
    with contextlib.suppress(OSError):  # some network file systems have no locks: there, only one run at a time is safe
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
