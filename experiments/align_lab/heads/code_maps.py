"""The maps between the codes of two classifiers, by what a step of the ladder may know of them."""

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp

from align import training
from align.relative import represent, standardised
from align.solvers import SOLVERS, Known
from align.stitching import stitching
from align_lab import draws
from align_lab.ends import Ends

# Of the reduced ranks that of the means of ten classes.
OPTIONS = {"reduced_rank": {"rank": 9}}
# Everything in the table of solvers that fits pairs.
PAIRED = tuple(
    name for name, one in SOLVERS.items() if one.needs == "pairs" and set(one.required) <= set(OPTIONS.get(name, {}))
)
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


def fit(method: str, count: int | None, ends: Ends, cloud: int = 0):
    """Fit the map of a method: from codes `[n, d]` to codes, and what else belongs into its row.

    cloud: how many images make a cloud where no pair is known; 0 for half of them.
    """
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
    half = len(ends.labels) // 2
    source, source_labels, target, target_labels = ends.apart("clouds", min(cloud or half, half))
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
