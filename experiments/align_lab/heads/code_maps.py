"""The maps between the codes of two classifiers, by what a step of the ladder may know of them."""

from typing import NamedTuple

import jax
import numpy as np
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align import networks, training
from align.relative import represent, standardised
from align.solvers import SOLVERS, Known
from align.stitching import stitching
from align_lab import draws
from align_lab.heads.classifiers import Classified

# Everything in the table of solvers that fits pairs; of the reduced ranks that of the means of ten classes.
PAIRED = tuple(name for name, one in SOLVERS.items() if one.needs == "pairs")
OPTIONS = {"reduced_rank": {"rank": 9}}
# An orthogonal matrix between codes whose axes have mean 0 and deviation 1 over the pairs.
STANDARDISED = "standardised_orthogonal"
RELATIVE = ("relative_cosine", "relative_euclidean")
LABELLED = {
    "class_means_rigid": ("class_means", {"step": "rigid"}),
    "class_means_linear": ("class_means", {"step": "linear"}),
    "class_gaussians": ("class_gaussians", {}),
    "subclass_means": ("subclass_means", {}),
    "labels": ("labels", {}),
    "icp_labels": ("icp", {}),
}
METHODS = {
    "own": ("classifier",),
    "pairs": ("as_they_are", *PAIRED, STANDARDISED),
    "labels": tuple(LABELLED),
    "unpaired": ("unpaired", "icp"),
    "few": ("unpaired",),
    "stitching": ("stitching_k2",),
    "relative": RELATIVE,
}
HEAD = training.Settings(epochs=3, batch=128, learning_rate=1e-2)


class Ends(NamedTuple):
    """An ordered pair of classifiers, the labels `[n]` of the images to train on, and how many make a cloud."""

    source: Classified
    target: Classified
    labels: np.ndarray
    cloud: int = 0

    def key(self, *names: str) -> Array:
        """Derive the key of a purpose."""
        return networks.named_key(self.source.seed, self.source.name, self.target.name, str(self.target.seed), *names)

    def pairs(self, count: int | None) -> tuple[Array, Array]:
        """Give the codes of images at random, the same for every method, or of all."""
        chosen = slice(None)
        if count:
            chosen = draws.without_repeats(self.key("anchors", str(count)), len(self.labels), count)
        return self.source.train[chosen], self.target.train[chosen]

    def clouds(self) -> tuple[Array, np.ndarray, Array, np.ndarray]:
        """Give the source's codes and the labels of some images, and the target's of others."""
        order = np.asarray(jax.random.permutation(networks.named_key(0, "clouds"), len(self.labels)))
        size = min(self.cloud or len(order), len(order) // 2)
        first, second = order[:size], order[size : 2 * size]
        return self.source.train[first], self.labels[first], self.target.train[second], self.labels[second]


def fit(method: str, count: int | None, ends: Ends):
    """Fit the map of a method: from codes `[n, d]` to codes, and what else belongs into its row."""
    key = ends.key(method, str(count))
    if method in ("classifier", "as_they_are"):
        return (lambda codes: codes), {}
    if method == "stitching_k2":
        return stitching(key, *ends.pairs(count)), {}
    if method == STANDARDISED:
        return _standardised(*ends.pairs(count)), {}
    if method in PAIRED:
        most = ends.source.train.shape[1]  # a rank is no more than the codes have dimensions
        options = {name: min(value, most) for name, value in OPTIONS.get(method, {}).items()}
        fitted = SOLVERS[method].run(Known(None, *ends.pairs(count)), **options)
        return fitted, {"rank": int(fitted.rank)} if fitted.rank is not None else {}
    source, source_labels, target, target_labels = ends.clouds()
    known = Known(key, source, target)
    if method == "icp":
        return SOLVERS["icp"].run(known), {}
    if method == "unpaired":
        fitted = SOLVERS["unpaired"].run(known._replace(pairs=ends.pairs(count) if count else None))
        summary = fitted.details.summary()
        told = {"searches": summary.pop("agreement"), **summary}
        return fitted, {"trusted": bool(fitted.trusted), **told}
    solver, options = LABELLED[method]
    known = known._replace(source_labels=source_labels, target_labels=target_labels)
    return SOLVERS[solver].run(known, **options), {}


def _standardised(source, target):
    means, spreads = zip(*((x.mean(0), jnp.maximum(x.std(0), 1e-6)) for x in (source, target)), strict=True)
    white = [(x - m) / s for x, m, s in zip((source, target), means, spreads, strict=True)]
    turn = SOLVERS["orthogonal"].fit(*white)
    return lambda codes: turn((codes - means[0]) / spreads[0]) * spreads[1] + means[1]


def relative(method: str, count: int, ends: Ends) -> np.ndarray:
    """Give the classes `[n]` that a head of the target's relative representations names of the source's.

    The anchors are one draw for all networks, and each network's representation has mean 0 and deviation 1 over its own
    training images. The head is trained on the target's.
    """
    anchors = draws.shared(len(ends.labels), ends.source.train.shape[1], count)
    shown = []
    for end in (ends.source, ends.target):
        train, test = (represent(x, end.train[anchors], method.partition("_")[2]) for x in (end.train, end.test))
        shown.append((standardised(train, train), standardised(test, train)))
    (_, asked), (learned, _) = shown
    head, keys = nn.Dense(int(ends.labels.max()) + 1), jax.random.split(ends.key(method, str(count)))
    start = training.start(head, keys[0], learned, HEAD)
    labels = jnp.asarray(ends.labels)
    (state,) = training.fit(head, [start], [keys[1]], learned, labels, HEAD, loss=training.cross_entropy)
    return np.asarray(head.apply(state.params, asked).argmax(-1))
