"""A small real sample of text embeddings: what tests and examples of alignment without pairs need, without a network.

7,000 definitions of WordNet 3.0 (Princeton University; its licence lets anybody use, copy and distribute it) as
all-MiniLM-L6-v2 and all-mpnet-base-v2 (both Apache-2.0) embed them: the leading 160 principal coordinates of each, as
whole numbers from −127 to 127 with one scale for all.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

PATH = Path(__file__).parent / "sample" / "wordnet_encoders.npz"
COORDINATES = 160


class Encoders(NamedTuple):
    """The same texts by two encoders, float32: minilm `[texts, 160]` and mpnet `[texts, 160]`."""

    minilm: np.ndarray
    mpnet: np.ndarray


def encoder_sample() -> Encoders:
    """Read the sample. The rows correspond; take different ones of either side for clouds without pairs."""
    with np.load(PATH) as file:
        return Encoders(*(file[name].astype(np.float32) * file[f"{name}_scale"] for name in Encoders._fields))
