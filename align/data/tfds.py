"""The same files through TensorFlow Datasets: a copy that is already prepared, or its download manager.

TensorFlow is needed for neither. Nor is Google's storage of prepared datasets ever asked.
"""

import contextlib
import hashlib
import os
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from align.arrays import paths
from align.data import idx
from align.data.errors import DataError, SourceUnavailable

_PROBE_SECONDS = 5
_AT_A_TIME = 1000  # examples


@contextlib.contextmanager
def next_source_on_failure() -> Iterator[None]:
    """Raise SourceUnavailable with the first line of whatever fails within."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # whichever way a third party fails, the next source is tried
        first_line = next(iter(str(error).splitlines()), "")  # more may be pages, such as a list of all datasets
        raise SourceUnavailable(f"{type(error).__name__}: {first_line}") from error


def root() -> Path:
    """Give the folder in which TensorFlow Datasets keeps what it has prepared."""
    return paths.user_path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


@next_source_on_failure()
def prepared(name: str) -> dict[str, bytes]:
    """Read a copy that TensorFlow Datasets has prepared on this machine, back in the order of the published files."""
    folder = root() / name
    versions = sorted(folder.glob("*/dataset_info.json"))
    if not versions:
        raise SourceUnavailable(f"no prepared copy in {folder}")
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(versions[-1].parent)
    return {file: data for split in idx.FILES for file, data in _read_split(builder, split).items()}


@next_source_on_failure()
def download(name: str) -> dict[str, bytes]:
    """Download the published files through TensorFlow Datasets, which checks them against its own checksums too."""
    import tensorflow_datasets as tfds

    urls = {file: f"{tfds.builder_cls(name).URL}{file}.gz" for file in idx.ALL_FILES}
    probe(next(iter(urls.values())))
    with tempfile.TemporaryDirectory() as folder:
        manager = tfds.download.DownloadManager(download_dir=folder, force_checksums_validation=True)
        return {file: idx.read(path) for file, path in manager.download(urls).items()}


def stored(builder: Any, split: str) -> Iterator[dict[str, Any]]:
    """Yield the examples of a split of a prepared copy, in the order in which they are stored."""
    if builder.info.file_format.value == "tfrecord":
        decode = builder.info.features.deserialize_example_np
        for path in builder.info.splits[split].filepaths:
            yield from map(decode, _tfrecords(path))
    else:
        source = builder.as_data_source(split)
        for first in range(0, len(source), _AT_A_TIME):
            yield from source.__getitems__(range(first, min(first + _AT_A_TIME, len(source))))


def _read_split(builder: Any, split: str) -> dict[str, bytes]:
    examples = list(stored(builder, split))
    # Examples are stored sorted by the hash of their position in the published files, salted with the split's name.
    salted = hashlib.md5(split.encode())
    order = sorted(range(len(examples)), key=lambda position: _digest(salted, position))
    images, labels = np.empty((len(order), 28, 28), np.uint8), np.empty(len(order), np.uint8)
    images[order] = [example["image"][..., 0] for example in examples]
    labels[order] = [example["label"] for example in examples]
    return dict(zip(idx.FILES[split], (idx.encode(images), idx.encode(labels)), strict=True))


def _digest(salted: Any, position: int) -> bytes:
    hasher = salted.copy()
    hasher.update(str(position).encode())
    return hasher.digest()


def _tfrecords(path: Path) -> Iterator[bytes]:
    # A record: its length (uint64, little-endian), 4 bytes of checksum, the payload, 4 bytes of checksum. The checksums
    # are left alone: what matters in the end is the SHA-256 of everything.
    with open(path, "rb") as file:
        while head := file.read(12):
            yield file.read(int.from_bytes(head[:8], "little"))
            file.read(4)


def probe(url: str) -> None:
    """Raise SourceUnavailable where an address does not answer within seconds."""
    # Without a network the download manager retries for minutes, and a lookup of the name may hang in spite of any time
    # limit. The thread is left behind in that case; a daemon does not keep the interpreter alive.
    failures = [f"no answer within {_PROBE_SECONDS} s"]

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS).close()
            failures.clear()
        except Exception as error:  # any failure means the same here
            failures[:] = [str(error)]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    if failures:
        raise SourceUnavailable(f"{url}: {failures[0]}")
