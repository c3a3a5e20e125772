"""What a dataset is once it is loaded."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# Mean and standard deviation of the training pixels scaled to [0, 1], of the published sets.
STANDARDISATION = {
    "mnist": (0.1307, 0.3081),
    "fashion_mnist": (0.2860, 0.3530),
    "mnist_sample": (0.1307, 0.3081),
    "fashion_mnist_sample": (0.2860, 0.3530),
}


class Split(NamedTuple):
    """Images float32 `[n, h, w, c]`, standardised, and their labels int32 `[n]`."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """A dataset, the name its results carry, and the source of its bytes.

    mean, std: by which its pixels were standardised, of all of them or of each channel `[c]`.
    """

    name: str
    source: str
    train: Split
    test: Split
    mean: ArrayLike = 0.0
    std: ArrayLike = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the images."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels
