"""An ordered pair of networks, and what may be known of their codes: all pairs, some, or clouds of different images."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from align import networks
from align_lab import draws


class Ends(NamedTuple):
    """Two networks, autoencoders or classifiers, with their codes, and the labels `[n]` of the images to train on."""

    source: Any
    target: Any
    labels: np.ndarray

    def key(self, *names: str) -> Array:
        """Derive the key of a purpose."""
        return networks.named_key(self.source.seed, self.source.name, self.target.name, str(self.target.seed), *names)

    def pairs(self, count: int | None) -> tuple[Array, Array]:
        """Give the codes of images at random, the same for every method, or of all."""
        chosen = slice(None)
        if count:
            chosen = draws.without_repeats(self.key("anchors", str(count)), len(self.labels), count)
        return self.source.train[chosen], self.target.train[chosen]

    def apart(self, purpose: str, size: int) -> tuple[Array, np.ndarray, Array, np.ndarray]:
        """Give the source's codes and the labels of some images, and the target's of others, at most `size` each."""
        order = np.asarray(jax.random.permutation(networks.named_key(0, purpose), len(self.labels)))
        first, second = order[:size], order[size : 2 * size]
        return self.source.train[first], self.labels[first], self.target.train[second], self.labels[second]
