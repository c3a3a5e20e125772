"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` at the end, and is removed on an error."""
    path = Path(path)
    if not path.parent.is_dir():  # said of what was asked for, not of the path beside it
        code = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
        raise OSError(code, "no such folder to write to", str(path))
    # Not by the number of the process, which those on other machines, or in other containers, may share.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # a name must not survive a loss of power without what it names
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
