"""Any image set of TensorFlow Datasets: a copy that is prepared on this machine, or prepared here from a download.

A prepared copy is read without TensorFlow and without a network; to prepare one, most sets need both.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from align.data import tfds
from align.data.errors import DataError, SourceUnavailable
from align.data.pixels import SEED, TEST_SHARE, Found, Raw, check_fits

NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?")
TESTS = ("test", "validation")


def prepared(name: str, roots: Sequence[Path]) -> Path | None:
    """Find the newest copy of a set, such as emnist/letters or cifar10:3.0.2, that is prepared in one of some folders.

    None where there is none. DataError where one of the set's configurations is prepared but none is named.
    """
    if not (parts := NAME.fullmatch(name)):
        return None
    for root in roots:
        folder = root / parts["name"] / (parts["config"] or "")
        found = sorted(v for v in map(_version, folder.glob("*/dataset_info.json")) if v)
        wanted = [path for version, path in found if parts["version"] in (None, ".".join(map(str, version)))]
        if wanted:
            return wanted[-1]
        configs = {path.parents[1].name for path in folder.glob("*/*/dataset_info.json")}
        if configs and not parts["config"]:
            named = ", ".join(f"{parts['name']}/{config}" for config in sorted(configs))
            raise DataError(f"{name} (--dataset) must name its configuration; prepared in {folder} are {named}")
    return None


def known(name: str) -> bool:
    """Say whether TensorFlow Datasets knows a set by this name, its configuration left out."""
    parts = NAME.fullmatch(name)
    return parts is not None and parts["name"] in _names()


def near(name: str) -> list[str]:
    """Give the names that TensorFlow Datasets knows and that look like one."""
    return difflib.get_close_matches(name.lower(), _names(), n=3)


def read(folder: Path) -> Found:
    """Read the images and labels of a prepared copy from its folder.

    The test images are the split test, or validation where there is no such, or a fifth of the training images that is
    drawn by a fixed seed. DataError where it cannot be read, and where it is no set of images of one size with labels.
    """
    try:
        import tensorflow_datasets

        with tfds.next_source_on_failure():
            builder = tensorflow_datasets.builder_from_directory(folder)
            splits = {name: split.num_examples for name, split in builder.info.splits.items()}
            image, label = _features(builder.info)
        if "train" not in splits:
            raise DataError(f"it has no split train, but {', '.join(splits) or 'none'}")
        with tfds.next_source_on_failure():
            train = _split(builder, "train", splits["train"], image, label, folder)
            if test := next((name for name in TESTS if splits.get(name)), None):
                source, both = "tfds (prepared)", (train, _split(builder, test, splits[test], image, label, folder))
            else:
                source, both = "tfds (prepared), a fifth drawn for the test", _drawn(train)
    except (ImportError, DataError) as error:
        raise DataError(f"cannot read {folder}: {error}") from error
    full = builder.info.full_name.rpartition("/")[0] or builder.info.name
    return Found(full, source, *both)


def download(name: str, root: Path) -> Path:
    """Have TensorFlow Datasets download a set and prepare it in a folder of its own; give where it is then.

    DataError where it has no images with labels, or its configuration must be named; SourceUnavailable where it needs a
    network that is not there, or fails otherwise.
    """
    parts = NAME.fullmatch(name)
    assert parts, name
    with tfds.next_source_on_failure():
        import tensorflow_datasets

        kind = tensorflow_datasets.builder_cls(parts["name"])
        configs = [config.name for config in kind.BUILDER_CONFIGS]
        if parts["config"] not in (configs or [None]):
            named = ", ".join(f"{parts['name']}/{each}" for each in configs) or parts["name"]
            raise DataError(f"{name} (--dataset) must name one of its configurations: {named}")
        builder = kind(data_dir=root, config=parts["config"], version=parts["version"], file_format="array_record")
        try:
            _features(builder.info)
        except DataError as error:
            raise DataError(f"{name} (--dataset) is no set of images with labels: {error}") from error
        for url in list(kind.url_infos)[:1]:
            tfds.probe(url)
        try:
            never = tensorflow_datasets.download.DownloadConfig(try_download_gcs=False)
            builder.download_and_prepare(download_config=never)
        except ModuleNotFoundError as error:
            if error.name != "tensorflow":
                raise
            raise SourceUnavailable(
                "it needs TensorFlow for that (pip install tensorflow), and for nothing else"
            ) from error
        return Path(builder.data_path)


def _names() -> list[str]:
    import tensorflow_datasets

    return tensorflow_datasets.list_builders(with_community_datasets=False)


def _version(info: Path) -> tuple[tuple[int, ...], Path] | None:
    numbers = info.parent.name.split(".")
    return (tuple(map(int, numbers)), info.parent) if all(n.isdecimal() for n in numbers) else None


def _features(info: Any) -> tuple[str, str]:
    """Name the image and the label of a set: those of its supervised task, or the only ones there are."""
    features = dict(info.features.items()) if hasattr(info.features, "items") else {}
    images = [name for name, feature in features.items() if _is_image(feature)]
    labels = [name for name, feature in features.items() if _is_class(feature)]
    keys = info.supervised_keys
    if keys and len(keys) == 2 and keys[0] in images and keys[1] in labels:
        return keys[0], keys[1]
    if len(images) == 1 and len(labels) == 1:
        return images[0], labels[0]
    found = ", ".join(f"{name} ({type(feature).__name__})" for name, feature in features.items())
    raise DataError(f"it must have one image and one class label; its features are {found or info.features}")


def _is_image(feature):
    shape = getattr(feature, "shape", None) or ()
    return type(feature).__name__ == "Image" or (type(feature).__name__ == "Tensor" and len(shape) == 3)


def _is_class(feature):
    shape, dtype = getattr(feature, "shape", None), getattr(feature, "np_dtype", None)
    return type(feature).__name__ == "ClassLabel" or (shape == () and np.issubdtype(dtype or object, np.integer))


def _split(builder: Any, split: str, count: int, image: str, label: str, folder: Path) -> Raw:
    images, labels = np.empty(0), np.empty(count, np.int64)
    came = 0
    for came, example in enumerate(tfds.stored(builder, split), start=1):
        pixels = np.asarray(example[image])
        if came == 1:
            check_fits(count, pixels.shape, f"the split {split}")
            images = np.empty((count, *pixels.shape), pixels.dtype)
        if pixels.shape != images.shape[1:]:
            raise DataError(f"images must be of one size; {split} has some of {pixels.shape} and {images.shape[1:]}")
        if came <= count:
            images[came - 1], labels[came - 1] = pixels, int(example[label])
    if came != count:
        raise DataError(f"the split {split} has {came:,} examples, but its description says {count:,}")
    return Raw(images, labels, (f"the image of {split} in {folder}", f"the label of {split} in {folder}"))


def _drawn(train: Raw) -> tuple[Raw, Raw]:
    """Draw a fifth of the training images for the test; both stay in their order."""
    count = len(train.labels)
    tests = np.zeros(count, bool)
    tests[np.random.default_rng(SEED).permutation(count)[: max(1, round(TEST_SHARE * count))]] = True
    kept, drawn = (Raw(train.images[rows], train.labels[rows], train.called) for rows in (~tests, tests))
    return kept, drawn
