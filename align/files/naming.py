"""What a name means: a file, an array within it, or all files of a folder or of a pattern."""

import glob
import re
from pathlib import Path

from align.files.formats import FORMATS, KEYED, SUFFIXES


def split_name(name: str) -> tuple[Path, str | None]:
    """Return the path and the key of `file.npz:key` or of `parts/*:key`; the key is None for a whole file."""
    endings = "|".join(suffix[1:] for suffix in KEYED)
    match = re.fullmatch(rf"(.+\.(?:{endings})|.+/):(.+)", name)
    if match and not Path(name).exists():
        return Path(match[1]), match[2]
    if glob.has_magic(name) and not Path(name).exists() and not _matching(name):
        for colon in re.finditer(":(?=.)", name):
            if glob.has_magic(pattern := name[: colon.start()]) and _matching(pattern):
                return Path(pattern), name[colon.end() :]
    return Path(name), None


def check_suffix(name: str, path: Path, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """ValueError where a path has none of some endings."""
    if path.suffix not in suffixes:
        raise ValueError(f"{name}: expected a file that ends in {listed(suffixes)}")


def listed(suffixes: tuple[str, ...]) -> str:
    """Return endings as words: ".a, .b or .c"."""
    return " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))


def with_key(name: str, key: str | None) -> str:
    """Return a name with a key for the array within, where it has none yet and its files hold arrays by name."""
    path, own = split_name(name)
    if key is None or own is not None:
        return name
    folder = bool(name) and path.is_dir()
    several = folder or (glob.has_magic(name) and not path.exists())
    if (found(name)[0][0] if several else path).suffix not in KEYED:
        return name
    return f"{name.removesuffix('/')}/:{key}" if folder else f"{name}:{key}"


def found(name: str) -> tuple[list[Path], str | None]:
    """Return the files that a name means, in the order of their names, and the key of the array within each.

    A folder means the files within it, and within its folders, that hold vectors: those of one ending, but none whose
    name, or whose folder's, begins with `.` or `_`; a name with `*`, `?` or `[` the files that match.
    FileNotFoundError where there are none, ValueError for other endings, or a key where files hold nothing by name.
    """
    path, key = split_name(name)
    if name and path.is_dir():
        inside = [each for each in path.rglob("*") if each.suffix in SUFFIXES and FORMATS[each.suffix].in_folders]
        paths = sorted(each for each in inside if each.is_file() and not _is_hidden(each.relative_to(path)))
        if not paths:
            endings = tuple(suffix for suffix in SUFFIXES if FORMATS[suffix].in_folders)
            raise FileNotFoundError(f"{path}: no such file; the folder has none that ends in {listed(endings)}")
    elif not path.exists() and glob.has_magic(str(path)):
        paths = _matching(str(path))
        if not paths:
            raise FileNotFoundError(f"{path}: no such file; nothing matches")
    else:
        paths = [path]
    for each in paths:
        check_suffix(name, each)
        if not each.is_file():
            raise FileNotFoundError(f"{each}: no such file")
    if others := {each.suffix for each in paths} - {paths[0].suffix}:
        raise ValueError(f"{name} has files that end in {paths[0].suffix} and in {others.pop()}; expected one of them")
    if key is not None and paths[0].suffix not in KEYED:
        raise ValueError(f"{name}: files that end in {paths[0].suffix} name nothing within; expected no :{key}")
    return paths, key


def _matching(pattern):
    return sorted(each for each in map(Path, glob.glob(pattern, recursive=True)) if each.is_file())


def _is_hidden(path):
    return any(part.startswith((".", "_")) for part in path.parts)
