"""Maps between all pairs of several spaces, and what is measured of them: residuals, decoders, circles."""

import functools
from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from align import evaluation, models, solvers
from align.maps import AffineMap

Maps = dict[tuple[int, int], AffineMap]
_FITS = {
    "rigid": solvers.rigid,
    "similarity": solvers.similarity,
    "affine": solvers.affine,
    "ridge": functools.partial(solvers.ridge, towards="auto"),
}


class Codes(NamedTuple):
    """Codes of the anchors `[networks, n, d]`, which of them a network has embedded `[networks, n]`, and of tests."""

    anchors: jax.Array
    known: jax.Array
    tests: jax.Array


def maps(method: str, codes: Codes) -> tuple[Maps, dict]:
    """Fit maps between all ordered pairs, and return what there is to tell of them.

    A pair that shares too few anchors for its own map is told the mean of the target.
    """
    count = len(codes.anchors)
    pairs = list(permutations(range(count), 2))
    if method not in _FITS:
        strengths = [np.inf] if method == "procrustes" else None
        found = solvers.consensus(list(codes.anchors), weights=codes.known, strengths=strengths)
        told = {"strength": None if jnp.isinf(found.strength) else float(found.strength)}
        return {(i, j): found.between(i, j) for i, j in pairs}, told
    weight, bias = _fitted(_FITS[method], codes, *np.transpose(pairs))
    second = [j for _, j in pairs]
    alone = ~np.isfinite(weight).all((1, 2))
    means = np.asarray(jnp.einsum("in,ind->id", codes.known, codes.anchors) / codes.known.sum(1)[:, None])
    weight = np.where(alone[:, None, None], 0, weight)
    bias = np.where(alone[:, None], means[second], bias)
    found = {pair: AffineMap(jnp.asarray(weight[k]), jnp.asarray(bias[k])) for k, pair in enumerate(pairs)}
    return found, {"pairs_without_a_map": int(alone.sum())}


def _fitted(fit, codes, first, second):
    """Fit all pairs, and give the weights and biases of their maps.

    Those that share no more anchors than there are dimensions are fitted by themselves, on as many rows as the most
    share: what a solver offers for so few it tells by the number of rows, and rows of weight zero would hide it.
    """
    shared = np.asarray(codes.known[first] * codes.known[second])
    count, dimension = shared.sum(1), codes.anchors.shape[2]
    weight = np.empty((len(first), dimension, dimension), codes.anchors.dtype)
    bias = np.empty((len(first), dimension), codes.anchors.dtype)
    for group in (count <= dimension, count > dimension):
        if not group.any():
            continue
        rows = np.argsort(-shared[group], axis=1, stable=True)[:, : max(2, int(count[group].max()))]
        x, y = (codes.anchors[np.asarray(ends)[group][:, None], rows] for ends in (first, second))
        fits = jax.vmap(lambda x, y, w: fit(x, y, weights=w))(x, y, np.take_along_axis(shared[group], rows, 1))
        weight[group], bias[group] = fits.weight, fits.bias
    return weight, bias


def measured(found: Maps, codes: Codes, networks: Sequence, images: jax.Array) -> dict[str, float]:
    """Measure maps on the codes of the test images.

    residual: ‖target − mapped‖ / ‖target − mean‖, the mean over ordered pairs. test_error: of each network's decoder on
    the codes of the network before it. around: how far a code is from itself after all networks in turn; by_way: from i
    to i + 2 straight, and by way of i + 1; both over the spread of the codes.
    """
    tests, count = codes.tests, len(codes.tests)
    residuals = [_apart(tests[j], found[i, j](tests[i])) for i, j in found]
    ring = [(i, (i + 1) % count) for i in range(count)]
    errors = []
    for i, j in ring:
        decoder = models.decoder_of(networks[j].model, networks[j].params)
        errors.append(float(evaluation.reconstruction_error(*decoder, found[i, j](tests[i]), images)))
    around, by_way = [], []
    for i in range(count):
        after = tests[i]
        for step in range(count):
            after = found[(i + step) % count, (i + step + 1) % count](after)
        around.append(_apart(tests[i], after))
        j, k = (i + 1) % count, (i + 2) % count
        straight, turned = found[i, k](tests[i]), found[j, k](found[i, j](tests[i]))
        by_way.append(float(jnp.linalg.norm(straight - turned) / jnp.linalg.norm(tests[k] - tests[k].mean(0)[None])))
    means = {"residual": residuals, "test_error": errors, "around": around, "by_way": by_way}
    return {name: float(np.mean(values)) for name, values in means.items()}


def _apart(right, found):
    return float(jnp.linalg.norm(right - found) / jnp.linalg.norm(right - right.mean(0)[None]))
