"""Folders of IDX files: the one a user names, and the per-user cache."""

import os
from pathlib import Path

from align.arrays import atomic, paths
from align.data import idx
from align.data.errors import DataError, SourceUnavailable

# As torchvision lays them out within its own root.
TORCHVISION = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "kmnist": "KMNIST/raw"}
ELSEWHERE = "put the IDX files into a folder and name it by --data_dir or ALIGN_DATA_DIR"


def cache_dir() -> Path:
    """The per-user cache of data; DataError where there is no place for one."""
    try:
        return paths.user_cache() / "data"
    except ValueError as error:
        raise DataError(f"{error}. Or set XDG_CACHE_HOME, and the cache is there: {ELSEWHERE}") from error


def read_folder(name: str, folder: str | os.PathLike) -> dict[str, bytes]:
    """Read the four files of dataset `name` from `folder/name`, `folder`, or torchvision's place in it, gzipped or not.

    Raises SourceUnavailable where files are missing, DataError where one is there and cannot be read.
    """
    folder = paths.user_path(folder)
    return read_files(folder, (folder / name, folder, folder / TORCHVISION.get(name, name)))


def read_files(folder: Path, places: tuple[Path, ...]) -> dict[str, bytes]:
    """Read the four files from the first of several places that has each; raises as `read_folder`, of the folder."""
    found = {file: _find(file, places) for file in idx.ALL_FILES}
    missing = [file for file, path in found.items() if path is None]
    if missing:
        reason = f"has no {', '.join(missing)} (each with or without .gz)" if folder.is_dir() else "is not a folder"
        raise SourceUnavailable(f"{folder} {reason}")
    return {file: idx.read(path) for file, path in found.items() if path is not None}


def holds_idx(folder: Path) -> bool:
    """Say whether any of the four files is in a folder."""
    return any(_find(file, (folder,)) for file in idx.ALL_FILES)


def write_cache(name: str, files: dict[str, bytes]) -> None:
    """Write the decompressed files, already verified, to the per-user cache; raises DataError where that fails."""
    try:
        for file, data in files.items():
            write_atomically(cache_dir() / name / file, data)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {cache_dir() / name}: {error.strerror or error}. Set XDG_CACHE_HOME to a folder "
            f"that can be written, or {ELSEWHERE}"
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that another process, or a later run, sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_bytes(data)


def _find(file: str, folders: tuple[Path, ...]) -> Path | None:
    spellings = (file, file.replace("-idx", ".idx"))
    paths = (folder / f"{spelling}{suffix}" for folder in folders for spelling in spellings for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)
