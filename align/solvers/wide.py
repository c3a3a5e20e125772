"""Two clouds of many dimensions: independent searches, the better of them on all rows, and what they say of it."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.clouds import classes
from align.linalg.components import nearest_orthogonal
from align.linalg.neighbours import discrepancy
from align.maps import AffineMap
from align.solvers import wide_search
from align.solvers.narrow import Settings
from align.solvers.verdict import UnpairedFit, cosine, unjudged

# With so many rows on either side, the searches share none.
_ROWS_TO_SHARE = 8000
# Below so many, the value of third moments does not tell which candidate is right, and more of them are grown.
# How much is tried: searches, candidates of each, and how often the best is grown again.
_ROWS_THAT_TELL = 3000
_TRIED, _TRIED_OF_FEW = (2, 1, 0), (3, 3, 1)
# Rows that images are compared on, and rotations that chance is estimated by.
_COMPARED, _TURNS = 1000, 8
# A known pair counts like so many rows that found their match by themselves.
_ROWS_OF_A_PAIR = 5
_LEAST_AGREEMENT, _MOST_CONTRAST = 0.4, 0.9


def between_wide(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    pairs: tuple[jax.Array, jax.Array] | None,
    labels: tuple[Any, Any] | None,
    settings: Settings,
) -> tuple[AffineMap, jax.Array, UnpairedFit, dict[str, Any]]:
    """Return a map, whether it rests, the evidence (an `UnpairedFit`, not judged yet), and what `judged` asks of it.

    source `[n, d]`, target `[m, e]`; pairs: `(x, y)` or None; labels: `(source_labels, target_labels)` or None.
    """
    restarts, sample = settings.restarts, settings.sample
    few = min(len(source), len(target), sample) < _ROWS_THAT_TELL
    searches, candidates, again = _TRIED_OF_FEW if few else _TRIED
    order_key, *search_keys, score_key = jax.random.split(key, 2 + searches)
    sides = [wide_search.directions(a) for a in (source, target)]
    clouds_ = [_shuffled(order_key, side, a, sample) for side, a in zip(sides, (source, target), strict=True)]
    count = wide_search.number_of_components(*sides)
    known = _known(sides, source, target, pairs, labels)
    pull = jnp.zeros((count, count), source.dtype)
    anchors = jnp.zeros((source.shape[1], target.shape[1]), source.dtype)
    if known is not None:
        x, y = known
        white = [wide_search.whitened(side, z, count) for side, z in zip(sides, known, strict=True)]
        # A pair is worth 1/σ² of a product of white rows, σ² ≈ ½; an entry of the tensors n/12 of a product of third
        # moments, whose norm is about √(2 k³/n). In units of the normalised tensors n cancels.
        pull = 12 / count**3 * matmul(white[0].T, white[1])
        anchors = _ROWS_OF_A_PAIR * matmul(x.T, y) / min(map(len, clouds_))

    disjoint = min(map(len, clouds_)) >= _ROWS_TO_SHARE
    compared = [z[:_COMPARED] for z in clouds_]
    found = []
    for i, k in enumerate(search_keys):
        x, y = (z[i::2] if disjoint else z for z in clouds_)
        white = [wide_search.whitened(side, z, count) for side, z in zip(sides, (x, y), strict=True)]
        weights, values = wide_search.coarse(k, *white, pull, restarts=restarts)
        starts = [wide_search.unwhitened(weight, sides) for weight in weights[:candidates]]
        tried = jnp.stack([_rough(k, start, x, y, anchors) for start in starts])
        weight = tried[_most_alike(tried, *compared)]
        for fold in range(again):
            weight = _rough(jax.random.fold_in(k, fold), weight, x, y, anchors)
        found.append((weight, values))
    tried = jnp.stack([weight for weight, _ in found])
    first = _most_alike(tried, *compared)
    weight, rests = wide_search.staged(wide_search.STAGES[1:], tried[first], clouds_[0], clouds_[1], anchors)

    x, y = compared
    images = jnp.stack([matmul(x, w) for w in (weight, *tried)])
    turns = nearest_orthogonal(jax.random.normal(score_key, (_TURNS, len(weight), len(weight)), weight.dtype))
    unrelated = lax.map(lambda t: discrepancy(matmul(matmul(x, t), weight), y), turns)
    final = lax.map(lambda image: discrepancy(image, y), images[:1])
    chance = jnp.median(unrelated)
    fit = unjudged(
        scores=jnp.concatenate([values for _, values in found]),
        final=final,
        unrelated=unrelated,
        contrast=final[0] / jnp.where(chance > 0, chance, final[0]),
        agreement=_agreement(images[1:], first),
        alternatives=jnp.zeros((), jnp.int32),
    )
    a, b = sides
    scale = b.scale / jnp.maximum(a.scale, jnp.finfo(weight.dtype).tiny)
    weight = scale * matmul(matmul(a.basis, weight), b.basis.T)
    fitted = AffineMap(weight, b.mean - matmul(a.mean, weight))
    rests &= jnp.isfinite(weight).all() & (a.scale > 0) & (b.scale > 0)
    criteria = {
        "resolved": final[0] < unrelated.min(),
        "most_contrast": _MOST_CONTRAST,
        "least_agreement": _LEAST_AGREEMENT,
    }
    return fitted, rests, fit, criteria


def _rough(key, start, x, y, anchors):
    """Return what a weight between directions grows to, in the leading coordinates."""
    return wide_search.staged(wide_search.STAGES[:2], wide_search.grown(key, start, x, y, anchors), x, y, anchors)[0]


def _most_alike(weights, x, y):
    """Return which of the weights `[tried, d, e]` makes the rows x `[n, d]` look most like the rows y `[m, e]`."""
    if len(weights) == 1:
        return 0
    return jnp.argmin(lax.map(lambda w: discrepancy(matmul(x, w), y), weights))


def _agreement(images, chosen):
    """Return the greatest cosine between the chosen one of the images `[searches, n, e]` and the others."""
    alike = cosine(images, images[chosen])
    return jnp.where(jnp.arange(len(images)) == chosen, -1, alike).max()


def _shuffled(key, side, array, sample):
    """Return directions of up to `sample` rows in an order drawn at random."""
    return side(array[jax.random.permutation(key, len(array))[:sample]])


def _known(sides, source, target, pairs, labels):
    """Return directions of what is known to correspond, `[p, d]` and `[p, e]`, or None: pairs, and means of classes."""
    known = [] if pairs is None else [tuple(side(a) for side, a in zip(sides, pairs, strict=True))]
    if labels is not None:
        *positions, count = classes.share(source, labels[0], target, labels[1])
        means = [
            classes.average(side(a), p, count) for side, a, p in zip(sides, (source, target), positions, strict=True)
        ]
        known.append(tuple(means))
    return tuple(jnp.concatenate(one) for one in zip(*known, strict=True)) if known else None
