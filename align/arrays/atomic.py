"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors of writing, which do not name the file


def followed(path: Path) -> Path:
    """Return what a link leads to, there or not, and any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` at the end, and is removed on an error.

    A link stays, and what it leads to is replaced. OSError names the file where the disk is full.
    """
    path = followed(Path(path))
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
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)
