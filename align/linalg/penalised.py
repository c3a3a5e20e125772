"""Penalised least squares about one centre: every strength from one decomposition, its exact left-out errors, the fit.

Let X and Y be the centred rows, G = X'X = V diag(g) V', C = X'Y, and W₀ a goal. The minimiser of
‖Y − X W‖² + λ ‖W − W₀‖² is W = W₀ + (G + λ)⁻¹ (C − G W₀), the pseudo-inverse where λ = 0.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.linalg import lapack, left_out
from align.linalg.care import apart_where, with_care
from align.linalg.decompositions import reciprocal
from align.linalg.far_means import Turned
from align.linalg.least_squares import differentiable, triangle_of
from align.linalg.moments import Moments, blocked_sum
from align.linalg.shrinkage import shrinkage
from align.linalg.spectra import LOST, axes_of_rows

_TOGETHER = 64  # rows times strengths that are multiplied at once: as many as a product needs to run at full speed


class Spectrum(NamedTuple):
    """Eigenvalues `[d]` of the Gram matrix, ascending, which of them count, and eigenvectors `[d, d]`."""

    values: jax.Array
    keep: jax.Array
    vectors: jax.Array

    def inverse(self, strength: jax.Array) -> jax.Array:
        """Return (G + strength)⁻¹ `[d, d]`."""
        return matmul(self.vectors * shrinkage(self.values, self.keep, strength)[None], self.vectors.T)


def spectrum(m: Moments, source: jax.Array, weights: jax.Array | None) -> Spectrum:
    """Decompose the Gram matrix of moments, as a constant: of the rows themselves where it has lost small directions.

    source `[n, d]`, weights `[n]` or None: the rows. Moments square the condition, so that what is below the root of
    the precision, as a share of the largest singular value, is rounding in them.
    """
    m, source, weights = jax.lax.stop_gradient((m, source, weights))
    values, vectors = lapack.eigh(m.source)
    values, rounding = jnp.maximum(values, 0), len(values) * jnp.finfo(values.dtype).eps
    lost = values[0] < LOST * rounding * values[-1]
    of_moments = values, values > rounding * values[-1], vectors
    ways = [lambda *operands: operands[:3], lambda *operands: _spectrum_of_rows(*operands[3:])]
    return Spectrum(*with_care(lost.astype(int), ways, *of_moments, m, source, weights))


def spectrum_apart(turned: Turned, weights: jax.Array | None) -> Spectrum:
    """Decompose turned rows; where they are far from the origin, their first axis is not mixed with the others."""
    m, source = turned.moments, turned.source
    if source.shape[1] == 1:
        return spectrum(m, source, weights)

    def apart(m, source, weights):
        others = {"source_shift": m.source_shift[1:], "source_offset": m.source_offset[1:], "source": m.source[1:, 1:]}
        values, keep, vectors = spectrum(m._replace(**others), source[:, 1:], weights)
        values, keep = jnp.append(values, m.source[0, 0]), jnp.append(keep, True)
        return Spectrum(values, keep, jnp.zeros_like(m.source).at[1:, :-1].set(vectors).at[0, -1].set(1))

    operands = jax.lax.stop_gradient((m, source, weights))
    return apart_where(turned.far, spectrum, apart, *operands)


def _spectrum_of_rows(m, source, weights):
    def prepared(x, w):
        x = x - m.source_shift[None] - m.source_offset[None]
        return x if w is None else x * jnp.sqrt(w)[:, None]

    rows, d = source.shape
    return axes_of_rows(triangle_of(prepared, (source, weights), d) if rows > 2 * d else prepared(source, weights))


def left_out_errors(
    goals: Sequence[str],
    reflection: bool,
    intercept: bool,
    m: Moments,
    of: Spectrum,
    source: jax.Array,
    target: jax.Array,
    weights: jax.Array | None,
    strengths: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the squared errors of left-out rows `[goals, k]`, summed, and the degrees of freedom `[k]`.

    goals: names among "zero", "rigid" and "similarity"; intercept: whether the centre was fitted to the rows; m:
    `Moments` of the rows about the centre, `of` their `Spectrum`; source `[n, d_source]`, target `[n, d_target]`,
    weights `[n]` or None: the rows; strengths `[k]`.

    Towards zero, row i is predicted with the error r_i / (1 − w_i h_i) by the fit to the others, where r is the
    residual of the fit to all rows, r = Y − X (G + λ)⁻¹ C, and h_i = x_i' (G + λ)⁻¹ x_i, plus 1/Σw where an intercept
    is fitted.
    Towards a W₀ of one's own for every row, the one of the other rows, the fit is that of Y − X W₀ towards zero.
    Residuals are linear in what is fitted: r = r(Y) − r(X) W₀, with r(X) = X (1 − (G + λ)⁻¹ G), and row i takes its own
    W₀ there. In coordinates Z = X V of the source, and of the target along the images of these under W₀, all of this is
    diagonal but for one product with V'C, which all goals share.
    """
    x, y = m.centred(source, target)
    rows, d_source = x.shape
    solution = matmul(of.vectors.T, m.cross)
    inverses = jax.vmap(functools.partial(shrinkage, of.values, of.keep))(strengths)
    # 1 − (G + λ)⁻¹ G, without the difference.
    lost = jnp.where(strengths[:, None] > 0, strengths[:, None] * inverses, jnp.where(of.keep, 0.0, 1.0)[None])
    # Rows that determine every target leave λ (G + λ)⁻¹ of what they say, and nothing else; no difference shows it.
    counted = rows if weights is None else (weights > 0).sum()
    complete = of.keep.sum() == counted - int(intercept)
    used = jnp.where(complete, lost * reciprocal(of.values, of.keep)[None], -inverses)
    beside = jnp.where(complete, 0.0, 1.0).astype(x.dtype)
    moves = tuple(goals) != ("zero",)
    folds = left_out.number_of_folds(rows, d_source, y.shape[1]) if moves else 1
    counts = jnp.ones(rows, x.dtype) if weights is None else weights
    if moves and weights is not None:  # every fold gets its share of the rows that count
        order = jnp.argsort(counts <= 0, stable=True)
        x, y, counts = x[order], y[order], counts[order]

    def of_fold(fold):
        x, y, counts = fold
        coordinates, along, solved, scale = matmul(x, of.vectors), y, solution, None
        if moves:
            motion = left_out.motion_without(m, x, y, counts, of.vectors, reflection)
            along, solved, scale = matmul(y, motion.axes.T), matmul(solution, motion.axes.T), motion.scale
        centre = int(intercept) / m.total * beside
        free = beside + counts[None] * (matmul(used, (coordinates**2).T) - centre)  # 1 − w h, [k, s]

        def at(strength):
            used, lost, free = strength
            of_target = beside * along + matmul(coordinates * used[None], solved)
            of_source = coordinates * lost[None]
            rest = (of_target[:, d_source:] ** 2).sum(1)
            # Where nothing is left for a row to be predicted from, no strength can be judged.
            judged = jnp.where(counts > 0, counts * jnp.where(free > 0, 1 / free, jnp.inf) ** 2, 0)
            factors = {"zero": None, "rigid": 1.0, "similarity": scale}

            def squares(factor):
                moved = of_target[:, :d_source] if factor is None else of_target[:, :d_source] - factor * of_source
                return jnp.where(counts > 0, ((moved**2).sum(1) + rest) * judged, 0).sum()

            return jnp.stack([squares(factors[name]) for name in goals])

        return jax.lax.map(at, (used, lost, free), batch_size=min(len(strengths), -(-_TOGETHER // len(x))))

    errors = jax.lax.map(of_fold, tuple(left_out.folded(array, folds) for array in (x, y, counts))).sum(0)
    return jnp.where(jnp.isnan(errors), jnp.inf, errors).T, matmul(inverses, of.values) + int(intercept)


def solve(
    m: Moments,
    of: Spectrum,
    source: jax.Array,
    target: jax.Array,
    weights: jax.Array | None,
    goal: jax.Array,
    strength: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the weight `[d_source, d_target]` of one goal and strength, and the squares that it leaves unexplained.

    The first solution comes from moments, which square the condition; one step on the rows themselves, along the
    gradient X'(Y − X W) − λ (W − W₀) through the same inverse, takes back most of what that has lost. It is a constant
    to derivatives, which are those of the definition.
    """
    inverse = of.inverse(jax.lax.stop_gradient(strength))
    cross = m.cross - matmul(m.source, goal)
    m0, goal0, first, rows, penalty = jax.lax.stop_gradient(
        (m, goal, goal + matmul(inverse, cross), (source, target, weights), strength)
    )

    def at_first(x, y, w):
        x, y = m0.centred(x, y)
        errors = y - matmul(x, first)
        weighted = errors if w is None else errors * w[:, None]
        return matmul(x.T, weighted), (errors * weighted).sum()

    ascent, error = blocked_sum(at_first, rows)
    change = matmul(inverse, ascent - penalty * (first - goal0))
    error = error - 2 * (change * ascent).sum() + (change * matmul(m0.source, change)).sum()

    identity = jnp.eye(len(of.values), dtype=of.values.dtype)
    rank = ((penalty > 0) | of.keep).sum().astype(of.values.dtype)
    correction = differentiable(m.source + strength * identity, cross, first + change - goal0, rank)
    return goal + correction, jnp.maximum(error, 0)
