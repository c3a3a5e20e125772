"""What a name means: a file, an array within it, or all files of a folder or of a pattern."""

import fnmatch
import glob
import re
from collections.abc import Iterable
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
    """Raise ValueError where a path has none of some endings."""
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

    Digits in names are compared as the numbers that they are: part-2 comes before part-10.
    A folder means the files within it, and within its folders, that hold vectors: those of one ending, but none whose
    name, or whose folder's, begins with `.` or `_`; a name with `*`, `?` or `[` the files that match.
    FileNotFoundError where there are none, ValueError for other endings, or a key where files hold nothing by name.
    """
    path, key = split_name(name)
    if name and path.is_dir():
        paths = _in_order(each for each in path.rglob("*") if _is_meant(each, path) and each.is_file())
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


def finds(name: str, output: Path) -> bool:
    """Say whether a folder or a pattern means a file at this path as well, which need not be there yet."""
    path, _ = split_name(name)
    if name and path.is_dir():
        path, output = path.resolve(), output.resolve()
        return output.is_relative_to(path) and _is_meant(output, path)
    if path.exists() or not glob.has_magic(str(path)):
        return False
    whole = path.name == "**"  # which is files in folders of any depth
    folders = {Path(each).resolve() for each in glob.glob(str(path if whole else path.parent), recursive=True)}
    alike = fnmatch.fnmatchcase(output.name, path.name) and (path.name[0] == "." or output.name[0] != ".")
    return alike and output.parent.resolve() in folders


def _matching(pattern):
    return _in_order(each for each in map(Path, glob.glob(pattern, recursive=True)) if each.is_file())


def _in_order(paths: Iterable[Path]) -> list[Path]:
    """Sort paths folder by folder, digits as numbers; what is alike then as text, as by leading zeros."""

    def numbered(part):
        return [int(piece) if place % 2 else piece for place, piece in enumerate(re.split(r"(\d+)", part))]

    return sorted(paths, key=lambda path: ([numbered(part) for part in path.with_suffix("").parts], path))


def _is_meant(path, folder):
    """Say whether a folder means a path within it, by its name alone."""
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    return path.suffix in SUFFIXES and FORMATS[path.suffix].in_folders and not hidden
