"""Make the sample that the package ships: `python -m align.data.make_sample --data_dir=DIR`.

The first 600 training and 100 test images of each class, in the order of the full files. The bytes depend on nothing
else: the gzip header carries no time and no name. The checksums it prints belong into checksums.py.
"""

import argparse
import gzip
import hashlib
from pathlib import Path

import numpy as np

from align.data import folders, idx
from align.data.checksums import verify

PER_CLASS = {"train": 600, "test": 100}


def balanced(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Indices of the first `per_class` examples of each class, ascending; `labels` `[n]`."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in range(10)]))


def make(name: str, data_dir: Path, target: Path) -> None:
    """Write the four files of dataset `name` to `target`, and print the SHA-256 of what they hold."""
    files = folders.read_folder(name, data_dir)
    for file, data in files.items():
        verify(data, name=name, file=file, where=file)
    for split, (images, labels) in idx.FILES.items():
        chosen = balanced(idx.parse(files[labels], rank=1, where=labels), PER_CLASS[split])
        for file, rank in ((images, 3), (labels, 1)):
            data = idx.encode(idx.parse(files[file], rank=rank, where=file)[chosen])
            folders.write_atomically(target / f"{name}-{file}.gz", gzip.compress(data, compresslevel=9, mtime=0))
            print(f'"{file}": "{hashlib.sha256(data).hexdigest()}",')


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the full IDX files")
    parser.add_argument("--target", type=Path, default=Path(__file__).parent / "sample")
    arguments = parser.parse_args()
    for dataset in ("mnist", "fashion_mnist"):
        print(f"{dataset}_sample")
        make(dataset, arguments.data_dir, arguments.target)
