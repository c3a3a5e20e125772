"""Two clouds of many dimensions: independent searches, the better of them on all rows, and what they say of it."""

from typing import Any, NamedTuple

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
from align.solvers.verdict import UnpairedFit, contrast, cosine, unjudged
from align.solvers.wide_draws import averaged, grown

# Rows of either side from which halves are enough for a search. With fewer, the value of third moments does not tell
# which candidate is right either: more are grown.
_HALVED = 6000
# Rows below which the matches of draws are averaged besides, and how often.
_FEW, _AVERAGED = 2000, 4
# Rows that candidates are compared on; those that the verdict is of, and rotations that chance is estimated by.
_COMPARED, _EXAMINED, _TURNS = 1000, 3000, 8
# A known pair counts like so many rows that found their match by themselves.
_ROWS_OF_A_PAIR = 5
_LEAST_AGREEMENT = 0.5
# Of what chance attains, the discrepancy that is asked of the map after axes of the source were turned round at random:
# second moments are what they were, and of a Gaussian, or whatever is as symmetric, that is all there is to compare.
_MIRRORED = 0.25
# The contrast that tells a map that finds nine tenths of what pairs would from one that does not, less so much times
# the root of effective dimensions over rows: few rows are fitted better than others would be. By runs between encoders
# of sentences; see docs/unpaired.md.
_CONTRAST, _CONTRAST_OF_FEW, _ODDS_SCALE = 0.6, 1.5, 0.01


class Search(NamedTuple):
    """A search for a map: on which rows, how many candidates are grown, and how often the best is grown again.

    half: 0 or 1, rows that the other search does not see, or None for all rows.
    """

    half: int | None
    candidates: int = 1
    again: int = 0


# Searches that share no row, or else three that share all.
_OF_MANY = (Search(0), Search(1))
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
    rows, narrower = min(len(source), len(target), sample), min(source.shape[1], target.shape[1])
    searches, stages = (_OF_MANY, wide_search.BRISK) if rows >= _HALVED else (_OF_FEW, wide_search.STAGES[1:])
    order_key, *search_keys, score_key = jax.random.split(key, 2 + len(searches))
    sides = [wide_search.directions(a) for a in (source, target)]
    order_keys = jax.random.split(order_key)  # apart: rows in correspondence would come side by side
    clouds_ = [_shuffled(*each, sample) for each in zip(order_keys, sides, (source, target), strict=True)]
    count = wide_search.number_of_components(*sides)
    known = _known(sides, source, target, pairs, labels)
    pull, anchors = _pulls(known, sides, clouds_, count)
    compared = [z[:_COMPARED] for z in clouds_]
    found = [
        _searched(k, search, sides, clouds_, compared, pull, anchors, restarts)
        for k, search in zip(search_keys, searches, strict=True)
    ]
    tried = jnp.stack([weight for weight, _ in found])
    first = _most_alike(tried, *compared)
    weight, rests = wide_search.staged(stages, tried[first], clouds_[0], clouds_[1], anchors)
    for draw_key in jax.random.split(jax.random.fold_in(order_key, 1), _AVERAGED) if rows < _FEW else ():
        weight = averaged(draw_key, weight, clouds_[0], clouds_[1], anchors)
        weight, rests = wide_search.staged(stages[-1:], weight, clouds_[0], clouds_[1], anchors)

    # Pairs pull the clouds' fit towards themselves. What the clouds say is what remains where they are let go, and that
    # is the map: pairs that correct it must not have been fitted by it already.
    alone = weight
    if known is not None:
        alone = wide_search.staged(stages[-1:], weight, clouds_[0], clouds_[1], jnp.zeros_like(anchors))[0]
    x, y = (z[:_EXAMINED] for z in clouds_)
    turns = nearest_orthogonal(jax.random.normal(score_key, (_TURNS, len(weight), len(weight)), weight.dtype))
    unrelated = _discrepancies(matmul(turns, alone), x, y)
    final = discrepancy(matmul(x, alone), y)[None]
    images = jnp.stack([matmul(compared[0], w) for w in tried])
    chance = jnp.median(unrelated)
    fit = unjudged(
        scores=jnp.concatenate([values for _, values in found]),
        final=final,
        unrelated=unrelated,
        contrast=contrast(final[0], chance),
        agreement=_agreement(images, first),
        alternatives=jnp.zeros((), jnp.int32),
    )
    a, b = sides
    dimensions = jnp.maximum(*map(wide_search.effective_rank, sides))
    scale = b.scale / jnp.maximum(a.scale, jnp.finfo(alone.dtype).tiny)
    weight = scale * matmul(matmul(a.basis, alone), b.basis.T)
    fitted = AffineMap(weight, b.mean - matmul(a.mean, weight))
    rests &= jnp.isfinite(weight).all() & (a.scale > 0) & (b.scale > 0)
    criteria = {
        "resolved": (final[0] < unrelated.min()) & _unlike_mirrored(score_key, alone, x, y, chance),
        "most_contrast": _most_contrast(dimensions, rows, settings.contrast),
        "odds_scale": _ODDS_SCALE,
        "least_agreement": _LEAST_AGREEMENT,
        "enough_pairs": narrower,
    }
    return fitted, rests, fit, criteria


def _pulls(known, sides, clouds_, count):
    """Return what known pairs add to the products of third moments `[k, k]`, and of matched rows `[d, e]`."""
    x, y = clouds_ if known is None else known
    if known is None:
        return jnp.zeros((count, count), x.dtype), jnp.zeros((x.shape[1], y.shape[1]), x.dtype)
    white = [wide_search.whitened(side, z, count) for side, z in zip(sides, known, strict=True)]
    # A pair is worth 1/σ² of a product of white rows, σ² ≈ ½; an entry of the tensors n/12 of a product of third
    # moments, whose norm is about √(2 k³/n). In units of the normalised tensors n cancels.
    pull = 12 / count**3 * matmul(white[0].T, white[1])
    return pull, _ROWS_OF_A_PAIR * matmul(x.T, y) / min(map(len, clouds_))


def _searched(key, search, sides, clouds_, compared, pull, anchors, restarts):
    """Return the weight `[d, e]` that a search ends at, and the values of its coarse candidates.

    compared: the rows by which one of several is chosen.
    """
    half, candidates, again = search
    x, y = (z if half is None else z[half::2] for z in clouds_)
    white = [wide_search.whitened(side, z, len(pull)) for side, z in zip(sides, (x, y), strict=True)]
    growth = wide_search.BRIEFLY if candidates > 1 else wide_search.AT_LENGTH
    weights, values = wide_search.coarse(key, white[0], white[1], pull, restarts=restarts, growth=growth)
    starts = [wide_search.unwhitened(weight, sides) for weight in weights[:candidates]]
    tried = jnp.stack([_rough(key, start, x, y, anchors) for start in starts])
    weight = tried[_most_alike(tried, *compared)]
    for fold in range(again):
        weight = _rough(jax.random.fold_in(key, fold), weight, x, y, anchors)
    return weight, values


def _most_contrast(dimensions, rows, most):
    """Return the contrast below which a map is trusted, of clouds of so many effective dimensions and rows."""
    return jnp.minimum(most, _CONTRAST - _CONTRAST_OF_FEW * jnp.sqrt(dimensions / rows))


def _rough(key, start, x, y, anchors):
    """Return what a weight between directions grows to, in the leading coordinates."""
    return wide_search.staged(wide_search.STAGES[:2], grown(key, start, x, y, anchors), x, y, anchors)[0]


def _most_alike(weights, x, y):
    """Return which of the weights `[tried, d, e]` makes the rows x `[n, d]` look most like the rows y `[m, e]`."""
    if len(weights) == 1:
        return 0
    return jnp.argmin(_discrepancies(weights, x, y))


@jax.jit
def _discrepancies(weights, x, y):
    """Return that of the rows y `[m, e]` and of x `[n, d]` under each of the weights `[tried, d, e]`."""
    return lax.map(lambda w: discrepancy(matmul(x, w), y), weights)


def _unlike_mirrored(key, weight, x, y, chance):
    """Say whether the rows differ from their mirror images, or all there is to compare is their covariances."""
    signs = jax.random.rademacher(jax.random.fold_in(key, 1), (_TURNS, len(weight), 1), weight.dtype)
    return jnp.median(_discrepancies(signs * weight, x, y)) > _MIRRORED * chance


def _agreement(images, chosen):
    """Return the greatest cosine between the chosen one of images `[searches, n, e]` and any other."""
    return jnp.where(jnp.arange(len(images)) == chosen, -1, cosine(images, images[chosen])).max()


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
