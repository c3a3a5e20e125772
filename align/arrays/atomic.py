"""Files that are written whole or not at all."""

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors of writing, which do not name the file


def followed(path: Path) -> Path:
    """Return what a link leads to, there or not, and any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` at the end, and is removed on an error.

    A link stays, and what it leads to is replaced, by a file of the same permissions. FileExistsError where there is a
    file at the end that must not be overwritten. OSError names the file where the disk is full, and what is there where
    it is no regular file.
    """
    path = followed(Path(path))
    if not path.parent.is_dir():  # said of what was asked for, not of the path beside it
        code = errno.ENOTDIR if path.parent.exists() else errno.ENOENT
        raise OSError(code, "no such folder to write to", str(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "no regular file, which another could take the place of", str(path))
    # Not by the number of the process, which those on other machines, or in other containers, may share.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # a name must not survive a loss of power without what it names
        if overwrite or not _linked(partial, path):
            if path.exists():
                shutil.copymode(path, partial)
            os.replace(partial, path)
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def _linked(partial, path):
    """Give a file a name that must be free, in one step; False where the file system knows no links, and it is."""
    try:
        os.link(partial, path)
    except OSError as error:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists by now; it is kept") from error
        return False
    return True
