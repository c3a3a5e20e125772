"""Several spaces of the same samples: N maps into one common space, in place of N² between them.

Generalised Procrustes analysis (Gower 1975, ten Berge 1977) turns all spaces at once so that they agree with their
mean, the consensus. The way from one space to another leads through it, x A_i A_j⁻¹, and so a circle of maps ends where
it began. Its ridge form lets each A_i leave the rotation Q_i that it had: the minimiser of tr A' K A + λ ‖A − Q‖², K
the quadratic form of the disagreement (`align.linalg.disagreement`), is A = λ (K + λ)⁻¹ Q.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.arrays.scales import unit
from align.linalg import disagreement, lapack, threads
from align.linalg.decompositions import pinv, reciprocal
from align.linalg.left_out import folded
from align.maps import AffineMap

_MULTIPLES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, jnp.inf)  # of the mean curvature of the disagreement
_FOLDS, _ASKED = 5, 400  # folds of rows that are left out, and how many of each are predicted
_SWEEPS = 500


class Consensus(NamedTuple):
    """Maps of several spaces into one, that compose to the identity around every circle.

    Around one through a space of fewer dimensions, to the projection on what that space can hold.

    maps: one `AffineMap` for each space into the consensus, which lies as the first space does; residual of a map: what
    it leaves of the consensus, over the spread of that; converged: whether the rotations came to rest, and rows link
    all spaces.
    strength: the chosen one, infinite where the maps are rotations. left_out `[k]`: the error of rows left out, carried
    from each space to each other, over the spread there, by strength; NaN where one alone was given.
    """

    maps: tuple[AffineMap, ...]
    strength: jax.Array
    strengths: jax.Array
    left_out: jax.Array

    def between(self, i: int, j: int) -> AffineMap:
        """Return the map from space i to space j, through the consensus."""
        return self.maps[i].then(self.maps[j].inverse())


def consensus(
    spaces: Sequence[ArrayLike],
    *,
    weights: ArrayLike | None = None,
    strengths: ArrayLike | None = None,
    scaled: bool = True,
) -> Consensus:
    """Fit maps of two or more spaces into one in which they agree, Σ w ‖x A + t − consensus‖² least.

    spaces: arrays `[n, d_i]`, rows in correspondence; the consensus has the most of their dimensions.
    weights: `[spaces, n]`, count rows; 0 where a space lacks a row, whose numbers say nothing then.
    strengths: `[k]`, absolute, what a map pays for leaving its rotation; infinity for generalised Procrustes itself.
        Unless given, seven, from a thousandth to a hundred times the mean curvature of the disagreement, and infinity.
        Of several the one is taken whose maps best predict rows that were left out, a fifth of them at a time.
    scaled: give each space a scale of its own, and the consensus their mean spread.

    In float32, directions in which the spaces spread less than a thousandth of the most are lost in its rounding; under
    `jax_enable_x64` they are not. ValueError for fewer than two spaces, shapes that do not fit, and concrete input that
    is not finite, whose squares leave the range of its dtype, whose rows are all the same, or of which no rows link a
    space to the others.
    """
    checks.check_flags(scaled=scaled)
    arrays = _as_spaces(spaces)
    counts = jnp.ones((arrays[0].shape[0], len(arrays)), arrays[0].dtype)
    counts = counts if weights is None else _as_weights(weights, arrays)
    arrays = [jnp.where(counts[:, i, None] > 0, array, 0) for i, array in enumerate(arrays)]
    for i, array in enumerate(arrays):
        inputs.check_finite(**{f"spaces[{i}]": array})
        inputs.check_squares(**{f"spaces[{i}]": array})
        _check_varies(i, array, counts[:, i])
    if strengths is not None:
        strengths = inputs.as_array("strengths", strengths)
        inputs.as_strengths(jnp.where(jnp.isposinf(strengths), 0, strengths))
        strengths = strengths.astype(arrays[0].dtype)
    widths = tuple(array.shape[1] for array in arrays)
    padded = jnp.stack([jnp.pad(a, ((0, 0), (0, max(widths) - a.shape[1]))) for a in arrays], axis=1)
    with threads.for_rows(*arrays):
        fitted = jax.block_until_ready(_fit(padded, counts, strengths, widths, scaled))
    weight, bias, residual, sweeps, converged, *chosen = fitted
    maps = tuple(
        AffineMap(weight[i, :width], bias[i], residual=residual[i], iterations=sweeps, converged=converged)
        for i, width in enumerate(widths)
    )
    return Consensus(maps, *chosen)


def _as_spaces(spaces):
    if not hasattr(spaces, "__len__"):
        raise ValueError(f"spaces must be a sequence of arrays; it is {type(spaces).__name__}")
    if len(spaces) < 2:
        raise ValueError(f"spaces must be two or more for a consensus; they are {len(spaces)}")
    arrays = inputs.as_floats(**{f"spaces[{i}]": space for i, space in enumerate(spaces)})
    for i, array in enumerate(arrays):
        if array.ndim != 2 or 0 in array.shape or array.shape[0] != arrays[0].shape[0]:
            raise ValueError(
                f"spaces must be [rows, dimensions], with as many rows as the first, {arrays[0].shape}; "
                f"spaces[{i}] is {array.shape}"
            )
    return arrays


def _check_varies(i, array, counts):
    if not any(isinstance(a, jax.core.Tracer) for a in (array, counts)):
        rows = np.asarray(array)[np.asarray(counts) > 0]
        if len(rows) and (rows == rows[0]).all():
            raise ValueError(f"spaces[{i}] must vary over the rows that count; all {len(rows)} of them are the same")


def _as_weights(weights, arrays):
    weights = inputs.as_array("weights", weights)
    expected = (len(arrays), arrays[0].shape[0])
    if weights.shape != expected:
        raise ValueError(f"weights must be {list(expected)}, a row for each space; it is {weights.shape}")
    weights = weights.astype(inputs.float_dtype(weights=weights)).astype(arrays[0].dtype)
    if not isinstance(weights, jax.core.Tracer):
        with jax.ensure_compile_time_eval():  # `jit` may close over them
            inputs.check_weights(weights)
            empty, linked = not bool((weights > 0).any(1).all()), np.asarray(_linked(weights.T))
        if empty:
            raise ValueError("weights must leave every space a row; one of them has none")
        if apart := [f"spaces[{i}]" for i, each in enumerate(linked) if not each]:
            raise ValueError(f"weights must leave rows that link all spaces to the first; none link {', '.join(apart)}")
    return weights.T


def _linked(weights):
    """Return which spaces `[N]` rows of weights `[n, N]` link to the first, by way of others or not."""
    there = (weights > 0).astype(jnp.float32)
    linked = matmul(there.T, there) > 0
    for _ in range(max(1, len(linked) - 1).bit_length()):  # each time by ways of twice as many
        linked = (linked[:, :, None] & linked[None]).any(1)
    return linked[0]


@functools.partial(jax.jit, static_argnames=("widths", "scaled"))
def _fit(spaces, weights, strengths, widths, scaled):
    """Fit spaces `[n, N, d]` with weights `[n, N]`; returns what `Consensus` holds, maps as arrays.

    widths: the dimensions that each space has of the d, which zeros follow.
    """
    rows, count, size = spaces.shape
    dimensions = (np.arange(size)[None] < np.array(widths)[:, None]).astype(spaces.dtype)
    total = weights.sum(0)
    means = jnp.einsum("ri,rik->ik", weights, spaces, precision="highest") / total[:, None]
    x = spaces - means[None]
    spread = jnp.einsum("ri,rik->i", weights, x**2, precision="highest") / total
    # Roots before the quotient, which spaces many orders of magnitude apart would take out of range.
    varies = spread > (4 * jnp.finfo(spaces.dtype).eps) ** 2 * (means**2).sum(1)
    scale = jnp.sqrt(spread.mean()) * reciprocal(jnp.sqrt(spread), varies)
    scale = jnp.where(scaled & varies, scale, 1)
    x = x * scale[None, :, None]

    folds = min(_FOLDS, rows)
    parts = folded(x, folds), folded(weights, folds)
    each = jax.lax.map(lambda part: disagreement.sums(*part), parts)
    whole = each.sum(0)
    form = disagreement.form(whole, count)
    if strengths is None:
        # Where rows link spaces in a point alone there is none, and infinity times it is no number.
        least = jnp.finfo(spaces.dtype).eps * (weights[..., None] * x**2).sum((0, 2)).mean()
        curvature = jnp.maximum(jnp.trace(form.matrix) / len(form.matrix), least)
        strengths = jnp.asarray(_MULTIPLES, spaces.dtype) * curvature
    turned = disagreement.motions(form.matrix, count, scaled, _SWEEPS)
    errors = jnp.full(len(strengths), jnp.nan, spaces.dtype)
    if len(strengths) > 1:

        def without(fold):
            matrix, x, weights = fold
            left = disagreement.form(whole - matrix, count)
            found = disagreement.motions(left.matrix, count, scaled, _SWEEPS, turned.weights)
            left, step = disagreement.scaled(left, found.scales), -(-len(x) // _ASKED)
            soft = _softened(left.matrix, found.weights, strengths)
            return _carried(left, soft, dimensions, x[::step] * found.scales[None, :, None], weights[::step] / power)

        power = unit(weights)[1]  # weights of two spaces are multiplied, in whatever units they come
        errors, squares = jax.lax.map(without, (each, *parts))
        errors = jnp.sqrt(errors.sum(0) / squares.sum(0))
    strength = strengths[jnp.argmin(jnp.where(jnp.isnan(errors), jnp.inf, errors))]

    form = disagreement.scaled(form, turned.scales)
    x, scale = x * turned.scales[None, :, None], scale * turned.scales
    soft = _softened(form.matrix, turned.weights, strength[None])[0]
    soft = jnp.einsum("ikl,ml->ikm", soft, turned.weights[0], precision="highest")  # as the first space lies
    shift = matmul(form.translations, soft.reshape(-1, size))
    said = jnp.einsum("rik,ikl->ril", x, soft, precision="highest") + shift[None]
    shared = weights.sum(1)
    mean = jnp.einsum("ri,ril->rl", weights, said, precision="highest") * reciprocal(shared, shared > 0)[:, None]
    apart = ((said - mean[:, None]) ** 2).sum(-1)
    centre = jnp.einsum("ri,rl->il", weights, mean, precision="highest") / total[:, None]
    around = ((mean[:, None] - centre[None]) ** 2).sum(-1)
    residual = jnp.sqrt((weights * apart).sum(0) / (weights * around).sum(0))
    weight = soft * scale[:, None, None]
    bias = shift - jnp.einsum("ik,ikl->il", means, weight, precision="highest")
    sound = jnp.isfinite(residual).all() & varies.all() & ((len(strengths) == 1) | jnp.isfinite(errors).any())
    converged = turned.converged & _linked(weights).all() & sound
    return weight, bias, residual, turned.sweeps, converged, strength, strengths, errors


def _softened(matrix, rotations, strengths):
    """Return λ (K + λ)⁻¹ Q `[k, N, d, d]` for K `[N d, N d]`, Q `[N, d, d]` and every strength `[k]`.

    A factor for each strength: all of them cost less than the eigenvalues of K, which would serve any number.
    """
    stacked, identity = rotations.reshape(len(matrix), -1), jnp.eye(len(matrix), dtype=matrix.dtype)
    exact = jnp.finfo(matrix.dtype)
    least = jnp.maximum(4 * exact.eps * jnp.trace(matrix), exact.tiny)  # below it K + λ has no factor

    def at(strength):
        finite = jnp.where(jnp.isinf(strength), 1, jnp.maximum(strength, least))

        def softened():
            half = lapack.inverse_cholesky(matrix + finite * identity)
            return finite * matmul(half.T, matmul(half, stacked))

        return jax.lax.cond(jnp.isinf(strength), lambda: stacked, softened).reshape(rotations.shape)

    return jax.lax.map(at, strengths)


def _carried(form, weights_of, dimensions, x, weights):
    """Return the squared errors `[k]` of rows carried from each space to each other, and the squares there `[k]`.

    dimensions: `[N, d]`, 1 for those that a space has: no map leads to others.
    """
    count, size = x.shape[1:]

    def at(maps):
        shift = matmul(form.translations, maps.reshape(-1, size))
        said = jnp.einsum("rik,ikl->ril", x, maps, precision="highest") + shift[None]

        def into(target):
            """Sum over the sources: with all targets at once, rows of many spaces would outgrow the caches."""
            back, origin, there, known, own, others = target
            back = back * own[:, None]
            found = matmul((said - origin[None, None]).reshape(-1, size), pinv(back)[0]).reshape(said.shape)
            both = weights * known[:, None] * others[None]
            return (both * ((found - there[:, None]) ** 2).sum(-1)).sum(), (both * (there**2).sum(-1)[:, None]).sum()

        others = 1 - jnp.eye(count, dtype=x.dtype)
        errors, squares = jax.lax.map(into, (maps, shift, x.swapaxes(0, 1), weights.T, dimensions, others))
        return errors.sum(), squares.sum()

    return jax.lax.map(at, weights_of)
