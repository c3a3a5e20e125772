"""A process that fills the new column of a table, until it is done or killed: `python -m ... FOLDER VECTORS BATCH`."""

import sys
import time
from pathlib import Path

import numpy as np

from align_lab.switch import database

PAUSE = 0.02  # seconds a batch, in which an encoder would be at work


def main(folder: str, vectors: str, batch: str) -> None:
    """Fill from a file of vectors that stands for the new encoder, and say in a line when it begins."""
    new = np.load(vectors, mmap_mode="r")

    def embed(ids):
        time.sleep(PAUSE)
        return new[ids]

    print("begun", flush=True)
    for _ in database.fill(Path(folder), embed, int(batch)):
        pass  # nobody reads what would be said


if __name__ == "__main__":
    main(*sys.argv[1:])
