"""Arrays of pixels and labels, as somebody keeps them, checked, standardised and named by what they hold."""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from align.arrays import memory
from align.data import idx
from align.data.checksums import SHA256
from align.data.datasets import STANDARDISATION, Dataset, Split
from align.data.errors import DataError

_FULL_SCALE = {"uint8": 255.0, "uint16": 65535.0}
_BLOCK = 1000  # images whose sums are taken at a time, in float64
# Of a set without test images, what is drawn for the test, and the seed of the draw.
TEST_SHARE, SEED = 0.2, 0
Numbers = float | Sequence[float] | None


class Raw(NamedTuple):
    """Images `[n, h, w]` or `[n, h, w, c]` and labels `[n]` or `[n, 1]` of a split, and what messages call both."""

    images: np.ndarray
    labels: np.ndarray
    called: tuple[str, str]


class Found(NamedTuple):
    """What a source gives: what to call it, which kind of source it is, and its splits, not yet looked at."""

    name: str
    source: str
    train: Raw
    test: Raw


def dataset(found: Found, *, mean: Numbers = None, std: Numbers = None) -> Dataset:
    """Check what a source gave, and standardise it.

    Pixels are scaled first: uint8 by 255, uint16 by 65,535, any other numbers so that 0 and 1 are the least and the
    largest of the training images. Mean and standard deviation are then those of each channel of the training images,
    unless `mean` and `std` give them, one number or one a channel; of a channel that is constant, the deviation is 1.

    The name ends in eight digits of a SHA-256 of pixels, labels and given standardisation, so that whatever is computed
    from the data is not taken for what other data gave under the same name. Where they are byte for byte a published
    set, and nothing is given, it is that set, by its own name and standardisation.

    DataError names the array that is not as it should be, what it is and what was expected; ValueError `mean` or `std`.
    """
    splits = tuple(_shaped(raw) for raw in (found.train, found.test))
    _check_together(*splits)
    given = _given(splits[0].images.shape[-1], mean=mean, std=std)
    name = published(*splits)
    if name and (given is None or np.array_equal(np.ravel(given), STANDARDISATION[name])):
        return _standardised(name, found.source, splits, *STANDARDISATION[name])
    low, scale = _scale(splits[0].images)
    centre, spread = _moments(splits[0].images, low, scale) if given is None else given
    digest = hashlib.sha256()
    for raw in splits:
        for array in (raw.images, raw.labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    digest.update(b"" if given is None else np.concatenate([centre, spread]).tobytes())
    name = f"{re.sub(r'[^A-Za-z0-9_.]+', '_', found.name).strip('_') or 'images'}-{digest.hexdigest()[:8]}"
    return _standardised(name, found.source, splits, centre, spread, low, scale)


def published(train: Raw, test: Raw) -> str | None:
    """Give the name of the published set whose images and labels these are, None where there is none."""
    arrays = []
    for raw in (train, test):
        if raw.images.dtype != np.uint8 or raw.images.shape[1:] != (28, 28, 1) or raw.labels.max() > 255:
            return None
        arrays += [raw.images[..., 0], raw.labels.astype(np.uint8)]
    came = [hashlib.sha256(idx.encode(array)).hexdigest() for array in arrays]
    return next((name for name, sums in SHA256.items() if [sums[file] for file in idx.ALL_FILES] == came), None)


def check_fits(count: int, shape: Sequence[int], where: str) -> None:
    """Raise DataError where so many images of a shape would not fit into the memory of this machine as float32."""
    needed = 4 * count * int(np.prod(shape, dtype=np.int64))
    there = memory.installed()
    if there is not None and needed > there:
        size = " x ".join(map(str, shape))
        raise DataError(
            f"{where} has {count:,} images of {size}: {needed / 1e9:,.0f} GB as float32, of {there / 1e9:,.0f} GB of "
            "memory; name a smaller set, or images made smaller"
        )


def _shaped(raw: Raw) -> Raw:
    """Give a split with images `[n, h, w, c]` and labels int32 `[n]`, each by itself as it should be."""
    images, labels = (np.asarray(array) for array in raw[:2])
    where, whose = raw.called
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(
            f"{where} must be images [n, height, width] or [n, height, width, channels]; its shape is {images.shape}"
        )
    images = images[..., None] if images.ndim == 3 else images
    height, width, channels = images.shape[1:]
    if height in (1, 3, 4) and min(width, channels) > 4:
        raise DataError(
            f"{where} must have its channels last, [n, height, width, channels]; its shape is {images.shape}: "
            "turn it by .transpose(0, 2, 3, 1)"
        )
    if images.dtype.kind not in "buif":
        raise DataError(f"{where} must hold numbers, such as uint8 from 0 to 255; its dtype is {images.dtype}")
    if images.dtype.kind == "f" and (bad := ~np.isfinite(images).all(axis=(1, 2, 3))).any():
        raise DataError(
            f"{where} must be finite; {bad.sum():,} of {len(bad):,} images hold NaN or infinite pixels, the first is "
            f"number {int(bad.argmax())}"
        )
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.ndim != 1 or labels.dtype.kind not in "bui":
        raise DataError(
            f"{whose} must be whole numbers [n], a class for each image; it is {labels.dtype}{list(labels.shape)}"
        )
    if len(labels) != len(images):
        raise DataError(f"{whose} has {len(labels):,} labels for the {len(images):,} images of {where}")
    if labels.min() < 0 or labels.max() >= 2**31:
        wrong = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(f"{whose} must be from 0 to 2,147,483,647; there is {wrong}")
    return Raw(images, labels.astype(np.int32), raw.called)


def _check_together(train: Raw, test: Raw) -> None:
    """Raise DataError unless both splits are of one kind, and the classes of the training images serve for all."""
    for what in ("shape", "dtype"):
        one, other = (raw.images.shape[1:] if what == "shape" else raw.images.dtype for raw in (train, test))
        if one != other:
            raise DataError(f"{test.called[0]} has images of {what} {other}, {train.called[0]} of {one}")
    classes = np.unique(train.labels)
    if len(classes) < 2:
        raise DataError(f"{train.called[1]} must have two classes or more; all are {classes[0]}")
    if len(unknown := np.setdiff1d(test.labels, classes)):
        raise DataError(f"{test.called[1]} has classes that {train.called[1]} lacks: {', '.join(map(str, unknown))}")
    if all((train.images[..., c] == train.images[0, 0, 0, c]).all() for c in range(train.images.shape[-1])):
        raise DataError(f"{train.called[0]} holds one constant image, from which nothing is learnt")


def _given(channels: int, **values: Numbers) -> list[np.ndarray] | None:
    """Read mean and deviation, `[c]` each, or None where neither is given; ValueError where one is none."""
    missing = [name for name, value in values.items() if value is None]
    if len(missing) == len(values):
        return None
    if missing:
        raise ValueError(f"{missing[0]} must be given too: mean and std go together")
    read = []
    for name, value in values.items():
        least = np.nextafter(0, 1) if name == "std" else -np.inf
        try:
            numbers = np.atleast_1d(np.asarray(value, np.float64))
        except (TypeError, ValueError):
            numbers = np.array([np.nan])
        if numbers.shape not in ((1,), (channels,)) or not (np.isfinite(numbers) & (numbers >= least)).all():
            above = " above 0" if name == "std" else ""
            each = f", or one for each of {channels} channels" if channels > 1 else ""
            raise ValueError(f"{name} must be a finite number{above}{each}; it is {value!r}")
        read.append(np.broadcast_to(numbers, channels).copy())
    return read


def _scale(images: np.ndarray) -> tuple[float, float]:
    """Give what is taken from pixels `[n, h, w, c]`, and by what they are divided then, to lie in [0, 1]."""
    if scale := _FULL_SCALE.get(images.dtype.name):
        return 0.0, scale
    low, high = float(images.min()), float(images.max())
    return low, high - low


def _moments(images: np.ndarray, low: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and standard deviation `[c]` of the scaled pixels of images `[n, h, w, c]`."""
    blocks = [images[first : first + _BLOCK] for first in range(0, len(images), _BLOCK)]

    def average(of):
        sums = sum(of((block.astype(np.float64) - low) / scale).sum(axis=(0, 1, 2)) for block in blocks)
        return sums / (images.size // images.shape[-1])

    mean = average(lambda block: block)
    std = np.sqrt(average(lambda block: (block - mean) ** 2))
    constant = images.max(axis=(0, 1, 2)) == images.min(axis=(0, 1, 2))
    return np.where(constant, (images[0, 0, 0].astype(np.float64) - low) / scale, mean), np.where(constant, 1.0, std)


def _standardised(name, source, splits, mean, std, low=0.0, scale=255.0):
    def split(raw):
        images = np.empty(raw.images.shape, np.float32)
        for first in range(0, len(images), _BLOCK):
            block = slice(first, first + _BLOCK)
            images[block] = ((raw.images[block].astype(np.float64) - low) / scale - mean) / std
        return Split(images, raw.labels)

    return Dataset(name, source, *map(split, splits), mean, std)
