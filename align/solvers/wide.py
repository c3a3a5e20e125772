"""Two clouds of many dimensions: independent searches, the better of them on all rows, and what they say of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from align.arrays.products import matmul
from align.clouds import classes
from align.linalg.components import nearest_orthogonal
from align.linalg.neighbours import discrepancy
from align.maps import AffineMap
from align.solvers import wide_search
from align.solvers.narrow import Settings
from align.solvers.verdict import UnpairedFit, cosine, unjudged

# Where a search has fewer rows, the value of third moments does not tell which candidate is right: more are grown.
_ROWS_THAT_TELL = 3000
# Rows that images are compared on, and rotations that chance is estimated by.
_COMPARED, _TURNS = 1000, 8
# A known pair counts like so many rows that found their match by themselves.
_ROWS_OF_A_PAIR = 5
_LEAST_AGREEMENT, _MOST_CONTRAST = 0.62, 0.9


class Search(NamedTuple):
    """A search for a map: on which rows, how many candidates are grown, and how often the best is grown again.

    half: 0 or 1, rows that the other half's searches do not see, or None for all rows. restarts: of the components,
    None for as many as were asked for.
    """

    half: int | None
    candidates: int = 1
    again: int = 0
    restarts: int | None = None


# Maps agree for a reason only where they were found on other rows. Rows whose halves are too few for the best map are
# searched as a whole too; those too few to be halved, only so.
_OF_MANY = (Search(0), Search(1))
_OF_SOME = (Search(None), Search(None), *(Search(half, 3, 1, 1) for half in (0, 1) * 3))
_OF_FEW = (Search(None, 3, 1),) * 3


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
    rows = min(len(source), len(target), sample)
    searches = _OF_MANY if rows >= 2 * _ROWS_THAT_TELL else _OF_SOME if rows >= _ROWS_THAT_TELL else _OF_FEW
    order_key, *search_keys, score_key = jax.random.split(key, 2 + len(searches))
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

    compared = [z[:_COMPARED] for z in clouds_]
    found = []
    for k, (half, candidates, again, fewer) in zip(search_keys, searches, strict=True):
        x, y = (z if half is None else z[half::2] for z in clouds_)
        white = [wide_search.whitened(side, z, count) for side, z in zip(sides, (x, y), strict=True)]
        growth = wide_search.BRIEFLY if candidates > 1 else wide_search.AT_LENGTH
        weights, values = wide_search.coarse(k, *white, pull, restarts=fewer or restarts, growth=growth)
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
        agreement=_agreement(images[1:], first, [search.half for search in searches]),
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


def _agreement(images, chosen, halves):
    """Return how well searches agree with the chosen one, by the cosines between their images `[searches, n, e]`.

    Where some saw the one half of the rows and some the other: the least cosine between it, one of these and one of
    those, where that is greatest. Where all saw all rows: the greatest between it and any other.
    """
    alike = jax.vmap(lambda image: cosine(images, image))(images)
    alike = jnp.where(jnp.eye(len(images), dtype=bool), 1, alike)
    of_half = [np.array([number for number, half in enumerate(halves) if half == one], int) for one in (0, 1)]
    if not len(of_half[0]):
        return jnp.where(jnp.arange(len(images)) == chosen, -1, alike[chosen]).max()
    with_chosen = [alike[chosen][numbers] for numbers in of_half]
    between = alike[of_half[0]][:, of_half[1]]
    return jnp.minimum(between, jnp.minimum(with_chosen[0][:, None], with_chosen[1][None])).max()


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
