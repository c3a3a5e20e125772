"""Any set of images, by a name of TensorFlow Datasets or by a path."""

import os
from pathlib import Path

from align.arrays import paths
from align.data import class_folders, folders, idx, keras_files, tfds, tfds_images
from align.data.datasets import STANDARDISATION
from align.data.errors import DataError, SourceUnavailable
from align.data.pixels import Found, Raw

KINDS = (
    f"a .npz of {', '.join(keras_files.ARRAYS)}, a folder of one folder a class, of the four IDX files, or prepared by "
    "TensorFlow Datasets"
)
_LONGEST = 255  # bytes in the name of a file


def find(name: str, data_dir: str | os.PathLike | None) -> Found:
    """Find and read the images that a name or a path says.

    What begins with / . or ~, or ends in / or .npz, is a path. Anything else is a name of TensorFlow Datasets, such as
    cifar10 or emnist/letters: in `data_dir` or $ALIGN_DATA_DIR as IDX files in a folder of that name, or prepared in
    there, or where TensorFlow Datasets keeps what it has prepared, or else downloaded; where `data_dir` is named,
    nothing else is tried. A name that is none is a path if there is something at it.

    ValueError for a name that is neither; DataError where what it says cannot be had, or is not what it should be.
    """
    if "\0" in name or max(len(os.fsencode(part)) for part in name.split("/")) > _LONGEST:
        raise ValueError(unknown(name))
    if name.startswith(("/", ".", "~")) or name.endswith(("/", ".npz")):
        return at(paths.user_path(name), name)
    named = [paths.user_path(folder) for folder in (data_dir or os.environ.get("ALIGN_DATA_DIR"),) if folder]
    roots = named if data_dir else [*named, tfds.root()]
    for folder in (place / within for place in named for within in (name, folders.TORCHVISION.get(name, name))):
        if folders.holds_idx(folder):
            return _idx(folder, name)
    if prepared := tfds_images.prepared(name, roots):
        return tfds_images.read(prepared)
    try:
        is_known = tfds_images.known(name)
    except ImportError:
        is_known = False
    if not is_known:
        if paths.user_path(name).exists():
            return at(paths.user_path(name), name)
        raise ValueError(unknown(name))
    tried = f"{name} (--dataset) is not prepared in {' or '.join(map(str, roots))}"
    if paths.user_path(name).exists():
        tried += f" (what is here by that name would be ./{name})"
    if data_dir:
        raise DataError(f"{tried} (--data_dir), nor is there a folder {name} of the four IDX files")
    try:
        return tfds_images.read(tfds_images.download(name, tfds.root()))
    except SourceUnavailable as error:
        raise DataError(
            f"{tried}, and TensorFlow Datasets could not prepare it here: {error}. Have it prepared elsewhere by `tfds "
            f"build {name}` and copy the folder to {tfds.root()}, or name the path of {KINDS}"
        ) from error


def unknown(name: object, why: str = "") -> str:
    """Say that a name is none, why it is not, and what there is."""
    try:
        near = [f"{other!r}" for other in tfds_images.near(name)] if isinstance(name, str) and not why else []
    except ImportError:
        near = []
    likely = f" (near it: {', '.join(near)})" if near else ""
    known = ", ".join(map(repr, STANDARDISATION))
    return (
        f"name is {name!r} (--dataset){why}, expected one of {known}, an image set of TensorFlow Datasets{likely}, or "
        f"the path of {KINDS}"
    )


def at(path: Path, name: str) -> Found:
    """Read the images at a path; ValueError where nothing is there, DataError where that is no images."""
    if path.is_file():
        return keras_files.read(path)
    if not path.is_dir():
        raise ValueError(unknown(name, ", a path at which there is nothing"))
    if (path / "dataset_info.json").exists():
        return tfds_images.read(path)
    for folder in (path, path / "raw"):
        if folders.holds_idx(folder):
            return _idx(folder, path.name if path.name != "raw" else path.parent.name)
    if class_folders.looks_like_one(path):
        return class_folders.read(path)
    raise DataError(f"{path} (--dataset) holds no images in a way that is known; expected {KINDS}")


def _idx(folder: Path, name: str) -> Found:
    files = folders.read_files(folder, (folder,))
    parts: list[Raw] = []
    for images, labels in idx.FILES.values():
        called = (f"{images} ({folder})", f"{labels} ({folder})")
        pixels = idx.parse(files[images], rank=3, where=called[0])
        parts.append(Raw(pixels, idx.parse(files[labels], rank=1, where=called[1]), called))
    return Found(name, "idx", *parts)
