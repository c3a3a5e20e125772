"""Folders of images: one folder a class, within train/ and test/ or directly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from align.data.errors import DataError
from align.data.pixels import SEED, TEST_SHARE, Found, Raw, check_fits

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
TESTS = ("test", "val", "valid", "validation")
# What Pillow calls the kinds of pixels, and as what they are read: transparency is left out.
_GREY = {"1": "L", "L": "L", "LA": "L", "La": "L"}
_DEEP = {"I;16": "uint16", "I;16L": "uint16", "I;16B": "uint16", "I": "int32", "F": "float32"}


def looks_like_one(folder: Path) -> bool:
    """Say whether there are folders in a folder, which may be classes or splits."""
    return any(_is_folder(path) for path in folder.iterdir())


def read(folder: Path) -> Found:
    """Read a folder of one folder a class, by their names in alphabetical order.

    Where it holds train/, the classes are within that and within the first that is there of test/, val/, valid/ and
    validation/. Else a fifth of each class, one image at least, is drawn for the test by a fixed seed.

    DataError names the folder or the file: no test split, classes that differ between splits, a class without images,
    images that cannot be read, or that differ in size or in the depth of their pixels.
    """
    if (train := folder / "train").is_dir():
        test = next((folder / name for name in TESTS if (folder / name).is_dir()), None)
        if test is None:
            raise DataError(f"{folder} has train/ but none of {', '.join(f'{name}/' for name in TESTS)}")
        listed = [_listed(train), _listed(test)]
        for one, other, names in ((train, test, listed), (test, train, listed[::-1])):
            if missing := sorted(names[1].keys() - names[0].keys()):
                raise DataError(f"{one} lacks classes that {other} has: {', '.join(missing)}")
        source = "folder"
    else:
        listed, source = list(_drawn(folder, _listed(folder))), "folder, a fifth drawn for the test"
    files = [path for split in listed for paths in split.values() for path in paths]
    images, first = _read(files), sum(map(len, listed[0].values()))
    labels = np.concatenate([np.full(len(paths), i) for split in listed for i, paths in enumerate(split.values())])
    called = [(f"{split} images in {folder}", f"{split} classes in {folder}") for split in ("training", "test")]
    parts = [
        Raw(images[part], labels[part], names)
        for part, names in zip((slice(first), slice(first, None)), called, strict=True)
    ]
    return Found(folder.resolve().name, source, *parts)


def _is_folder(path):
    return path.is_dir() and not path.name.startswith((".", "__"))


def _listed(folder: Path) -> dict[str, list[Path]]:
    """List the images of each class."""
    classes = sorted(path for path in folder.iterdir() if _is_folder(path))
    if len(classes) < 2:
        raise DataError(f"{folder} must hold a folder for each of two classes or more; there are {len(classes)}")
    listed = {each.name: sorted(path for path in each.iterdir() if _is_image(path)) for each in classes}
    if empty := [name for name, paths in listed.items() if not paths]:
        raise DataError(f"{folder / empty[0]} holds no image ({', '.join(SUFFIXES)})")
    return listed


def _is_image(path):
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _drawn(folder, listed):
    """Draw the test images: training and test, each `{class: images}`."""
    rng, train, test = np.random.default_rng(SEED), {}, {}
    for name, paths in listed.items():
        if len(paths) < 2:
            raise DataError(f"{folder / name} must hold two images or more, one of them for the test; it holds one")
        drawn = set(rng.permutation(len(paths))[: max(1, round(TEST_SHARE * len(paths)))].tolist())
        train[name] = [path for place, path in enumerate(paths) if place not in drawn]
        test[name] = [path for place, path in enumerate(paths) if place in drawn]
    return train, test


def _read(files: Sequence[Path]) -> np.ndarray:
    """Read images of one size: `[n, h, w]` where all are grey, else `[n, h, w, 3]`."""
    found: list[np.ndarray] = []
    grey = True
    for path in files:
        pixels = _pixels(path)
        if not found:
            check_fits(len(files), pixels.shape, str(path.parent.parent))
        elif pixels.shape[:2] != found[0].shape[:2]:
            sizes = [f"{shape[0]} x {shape[1]}" for shape in (pixels.shape, found[0].shape)]
            raise DataError(f"images must be of one size: {path} is {sizes[0]} pixels, {files[0]} {sizes[1]}")
        elif pixels.dtype != found[0].dtype:
            raise DataError(f"pixels must be of one depth: {path} has {pixels.dtype}, {files[0]} {found[0].dtype}")
        grey = grey and pixels.ndim == 2
        found.append(pixels)
    if not grey:
        found = [np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels for pixels in found]
    return np.stack(found)


def _pixels(path):
    from PIL import Image

    try:
        with Image.open(path) as image:
            if dtype := _DEEP.get(image.mode):
                return np.asarray(image).astype(dtype)
            whole = image.convert("RGBA") if image.mode in ("P", "PA") else image  # a palette may be transparent
            return np.asarray(whole.convert(_GREY.get(image.mode, "RGB")))
    except Exception as error:  # Pillow's decoders fail in ways of their own
        raise DataError(
            f"cannot read the image {path}: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error
