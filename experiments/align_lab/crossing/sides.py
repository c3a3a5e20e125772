"""The two clouds of a crossing: which texts are on either side, which both know, and what controls put there."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from align_lab.crossing.crossing_plans import Crossing
from align_lab.crossing.named import OTHERS
from align_lab.store import Store
from align_lab.texts import vectors
from align_lab.texts.text_plans import Space


class Sides(NamedTuple):
    """Vectors of different texts, source `[n, d]` and target `[n, e]`; of known pairs; and of the texts held out."""

    source: np.ndarray
    target: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]


def sides(crossing: Crossing, key: int, store: Store) -> Sides:
    """Draw the texts of a key: other ones on either side, pairs of the rest as far as there is any.

    The pairs of a key grow with their number.
    """
    both = [vectors.of(space, store) for space in (crossing.source, crossing.target)]
    kept = len(both[0]) - crossing.source.library.held_out
    order = np.random.default_rng(key).permutation(kept)
    first, second = order[: crossing.texts], order[crossing.texts : 2 * crossing.texts]
    known = order[kept - crossing.pairs :][::-1]
    target = both[1][second]
    if crossing.control:
        random = np.random.default_rng([key, 1])
        if crossing.control.startswith(OTHERS):
            target = _others(random, crossing, store)
            if target.shape[1] != both[1].shape[1]:
                name, widths = crossing.target.encoder, f"{target.shape[1]} dimensions, and {both[1].shape[1]}"
                raise ValueError(f"--others must be vectors of the same encoders; {name} has {widths} in --vectors")
        else:
            target = CONTROLS[crossing.control](random, target, store)
    pairs, held_out = (tuple(array[rows] for array in both) for rows in (known, slice(kept, None)))
    return Sides(both[0][first], target.astype(np.float32), pairs, held_out)


def _others(random, crossing, store):
    """Draw vectors of texts of another kind by the target's encoder."""
    there = vectors.of(Space(crossing.target.encoder, crossing.target.library.others), store)
    return _some(random, there, crossing.texts, "others")


def _some(random, array, count, control):
    """Draw rows; ValueError where there are fewer, since small clouds are another control."""
    if len(array) < count:
        raise ValueError(f"--texts={count}: the control {control!r} needs as many rows, and there are {len(array)}")
    return array[random.permutation(len(array))[:count]]


def _gaussian(random, cloud, store):
    """Draw Gaussians of the cloud's mean and covariance: nothing beyond second moments is left."""
    spread = np.linalg.cholesky(np.cov(cloud.T) + 1e-6 * np.eye(cloud.shape[1]))
    return cloud.mean(0) + random.normal(size=cloud.shape) @ spread.T


def _shuffled(random, cloud, store):
    """Shuffle the dimensions of every row for itself: rows keep their lengths, and nothing else."""
    return random.permuted(cloud, axis=1)


def _independent(random, cloud, store):
    """Shuffle every dimension over the rows: each keeps its distribution, and depends on no other."""
    return random.permuted(cloud, axis=0)


def _images(random, cloud, store):
    """Give leading principal coordinates of images in place of texts, and zeros where these have more dimensions."""
    images = np.asarray(store.data("mnist").train.images)
    chosen = _some(random, images, len(cloud), "images").reshape(-1, images[0].size)
    chosen = chosen - chosen.mean(0)
    _, _, basis = np.linalg.svd(chosen, full_matrices=False)
    coordinates = chosen @ basis[: cloud.shape[1]].T
    coordinates = np.pad(coordinates, ((0, 0), (0, cloud.shape[1] - coordinates.shape[1])))
    return coordinates / np.linalg.norm(coordinates, axis=1).mean()


CONTROLS: dict[str, Callable] = {
    "gaussian": _gaussian,
    "shuffled": _shuffled,
    "independent": _independent,
    "images": _images,
}
