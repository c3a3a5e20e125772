"""One rule for every path that a user writes: ~ is the home folder, whatever shell or flag it came through."""

import os
import sys
from pathlib import Path


def expanded(path: str | os.PathLike) -> str:
    """Return a path with the home folder in place of a leading ~; ValueError where there is none."""
    text = os.fspath(path)
    found = os.path.expanduser(text)
    if found == text and (text == "~" or text.startswith("~/")):
        raise ValueError(
            f"{text}: there is no home folder; set HOME to a folder that can be written, or name it in full"
        )
    return found


def user_path(path: str | os.PathLike) -> Path:
    """Return the path that a user means; errors as for `expanded`."""
    return Path(expanded(path))


def user_cache() -> Path:
    """Return the folder of our caches, by $XDG_CACHE_HOME or else where the platform has them; errors as above."""
    usual = {"darwin": "~/Library/Caches", "win32": os.environ.get("LOCALAPPDATA") or "~/AppData/Local"}
    return user_path(os.environ.get("XDG_CACHE_HOME") or usual.get(sys.platform, "~/.cache")) / "align"
