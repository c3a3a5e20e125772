"""Least squares from moments where they determine the answer, from the rows where they do not.

Moments square the condition number. Ways of rising cost and care, chosen by what the moments themselves show:

0. Cholesky of the moments: many well-conditioned rows, and a residual that is not lost in rounding;
1. the same with one step of iterative refinement on the rows, which squares the error of the first solution;
2. with three steps, each of which multiplies the error by that of the first solution;
3. QR of the rows, block by block, and an SVD of the triangle: anything else, rank-deficient data included.

The moments about the origin are those about the means and a term of rank one, which alone makes them ill-conditioned
where the means are large; so a fit without intercept, too, starts from the moments about the means.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.care import with_care
from align.linalg.decompositions import numerical_rank, pinv_semidefinite, reciprocal
from align.linalg.moments import Moments, blocked_sum
from align.linalg.residuals import RESOLVED

_MANY = 8192  # rows over which the roundings of a product average out; below, refinement costs next to nothing
_ROUGHLY, _CLOSELY = 6, 16  # dimensions of Krylov spaces: up to so many, eigenvalues are exact
_SQUARINGS = 24  # after which eigenvalues apart by 1e-7 are told apart
_WELL_CONDITIONED = 30  # of the scaled Gram matrix: the solution loses less than that many epsilons of the moments


class LeastSquares(NamedTuple):
    """weight `[d_source, d_target]`; rank; condition of the source; error: the sum of squares left unexplained."""

    weight: jax.Array
    rank: jax.Array
    condition: jax.Array
    error: jax.Array


@jax.custom_jvp
def differentiable(gram: jax.Array, cross: jax.Array, value: jax.Array, rank: jax.Array) -> jax.Array:
    """Return value = gram⁺ cross, computed elsewhere with more care, with the derivative of that definition."""
    return value


@differentiable.defjvp
def _differentiable_jvp(primals, tangents):
    # W = G⁺ C. Since C lies in the range of G for all data, what is left of the constant-rank derivative of G⁺ is
    # dW = G⁺ (dC − dG W) + (I − G⁺ G) dG G⁺ W.
    gram, cross, value, rank = primals
    d_gram, d_cross, _, _ = tangents
    weight = differentiable(gram, cross, value, rank)
    inverse = pinv_semidefinite(gram, rank)
    across = matmul(d_gram, matmul(inverse, weight))
    change = matmul(inverse, d_cross - matmul(d_gram, weight))
    return weight, change + across - matmul(inverse, matmul(gram, across))


def least_squares(
    m: Moments, about_means: Moments, source: jax.Array, target: jax.Array, weights: jax.Array | None, rcond: ArrayLike
) -> LeastSquares:
    """Solve for the weight `[d_source, d_target]` of least squares, minimum norm where undetermined.

    m: `Moments` of the rows about what is to be subtracted from them, their means or (`about_origin`) nothing.
    about_means: the moments about the means in either case.
    source `[n, d_source]`, target `[n, d_target]`, weights `[n]` or None: the rows themselves.
    rcond: singular values of the rows below rcond times the largest count as zero.
    """
    rows, d_source = source.shape
    if rows <= d_source:
        return _from_rows(m, source, target, weights, rcond)
    solved, inverse, lost = _from_moments(m, about_means)
    squares = m.target_squares.sum()
    determined = (lost < 1e-2) & (rcond * solved.condition < 0.5)
    # Nothing to refine: the roundings of many rows average out, the factor keeps them small, the error is no rounding.
    exact = (lost < _WELL_CONDITIONED * jnp.finfo(lost.dtype).eps) & (solved.error > RESOLVED * squares)
    exact &= rows >= _MANY
    level = jnp.where(determined, jnp.where(exact, 0, jnp.where(lost < 1e-3, 1, 2)), 3)
    ways: list[Callable] = [
        lambda *operands: operands[-2],
        functools.partial(_refined, steps=1),
        functools.partial(_refined, steps=3),
        _from_rows,
    ]
    return with_care(level, ways, m, source, target, weights, jnp.asarray(rcond, m.cross.dtype), solved, inverse)


def _from_moments(m, about_means):
    """Return the solution, the inverse of the Gram matrix, and the share of the solution that rounding may have taken.

    With D the diagonal matrix that scales the centred Gram matrix C to a diagonal of ones, D C D = L L' has the least
    condition that scaling can give (up to a factor d), and C⁻¹ = D L⁻ᵀ L⁻¹ D. What is asked for is the solution W of
    G W = m.cross with G = C + n x x', n the total weight and x what is left of the source's mean in `m`: nothing for
    moments about the means, the mean itself for those about the origin. By Sherman and Morrison, with a = C⁻¹ x and
    s = n / (1 + n x'a), G⁻¹ = C⁻¹ − s a a', and W = C⁻¹ c + s a (y − x'C⁻¹ c)', c the centred cross moments and y what
    is left of the target's mean.
    """
    centred = about_means.source
    scale = lax.rsqrt(jnp.diagonal(centred))
    scaled = centred * scale[None] * scale[:, None]
    half = lapack.inverse_cholesky(scaled)
    scaled_inverse = matmul(half.T, half)
    inverse = scaled_inverse * scale[None] * scale[:, None]
    weight = matmul(inverse, about_means.cross)

    x, y = about_means.source_mean - m.source_mean, about_means.target_mean - m.target_mean
    along = matmul(inverse, x)
    share = m.total / (1 + m.total * matmul(x, along))
    weight = weight + share * jnp.outer(along, y - matmul(x, weight))
    inverse = inverse - share * jnp.outer(along, along)

    def condition_of(matrix, inverse, dimensions):
        within = functools.partial(_largest_eigenvalue, dimensions=dimensions)
        return jax.vmap(within)(jnp.stack([matrix, inverse])).prod()

    lost = condition_of(scaled, scaled_inverse, _ROUGHLY) * jnp.finfo(centred.dtype).eps
    condition = jnp.sqrt(condition_of(m.source, inverse, _CLOSELY))
    error = m.target_squares.sum() - (weight * m.cross).sum()
    return LeastSquares(weight, jnp.asarray(len(centred)), condition, error), inverse, lost


def _largest_eigenvalue(matrix, dimensions):
    """Return that of a semi-definite matrix `[d, d]`, from below: within the Krylov space of a vector (Lanczos)."""
    start = np.random.default_rng(0).normal(size=len(matrix))  # at right angles to no axis of the rows

    def step(k, carry):
        basis, images, vector = carry
        for _ in range(2):  # once leaves what rounding makes alike
            vector = vector - matmul(matmul(basis, vector), basis)
            norm = jnp.linalg.norm(vector)
            vector = vector * reciprocal(norm, norm > 0)
        image = matmul(matrix, vector)
        return basis.at[k].set(vector), images.at[k].set(image), image

    none = jnp.zeros((min(len(matrix), dimensions), len(matrix)), matrix.dtype)
    basis, images, _ = lax.fori_loop(0, len(none), step, (none, none, jnp.asarray(start, matrix.dtype)))
    within = matmul(images, basis.T)

    def square(_, power):
        power = matmul(power, power)
        return power / jnp.trace(power)

    # The projection on its eigenvector. LAPACK's threads would spin on while the rows are looked at.
    return (within * lax.fori_loop(0, _SQUARINGS, square, within / jnp.trace(within))).sum()


def _refined(m, source, target, weights, _, solved, inverse, *, steps):
    """Return the solution after steps of refinement: the gradient at the rows, through the inverse of the moments."""

    def unexplained(weight, x, y, w):
        x, y = m.centred(x, y)
        error = y - matmul(x, weight)
        weighted = error if w is None else error * w[:, None]
        return matmul(x.T, weighted), (error * weighted).sum()

    for _ in range(steps):
        gradient, error = blocked_sum(functools.partial(unexplained, solved.weight), (source, target, weights))
        change = matmul(inverse, gradient)
        error = jnp.maximum(error - (change * gradient).sum(), 0)
        solved = solved._replace(weight=solved.weight + change, error=error)
    return solved


def _from_rows(m, source, target, weights, rcond, *_):
    """Return the solution by an SVD of the rows, of their triangular factor where they are many."""

    def prepared(x, y, w):
        x, y = m.centred(x, y)
        rows = jnp.concatenate([x, y], axis=1)
        return rows if w is None else rows * jnp.sqrt(w)[:, None]

    d_source, width = source.shape[1], source.shape[1] + target.shape[1]
    if source.shape[0] > 2 * width:
        triangle = triangle_of(prepared, (source, target, weights), width)
        # Its last rows hold what no map of the source reaches: they belong to the error alone.
        left, right, unreachable = triangle[:d_source, :d_source], triangle[:d_source, d_source:], triangle[d_source:]
    else:
        rows = prepared(source, target, weights)
        left, right, unreachable = rows[:, :d_source], rows[:, d_source:], rows[:0]
    u, s, vt = lapack.svd(left)
    keep = s > rcond * s[0]
    coefficients = jnp.where(keep[:, None], matmul(u.T, right), 0)
    weight = matmul(vt.T, reciprocal(s, keep)[:, None] * coefficients)
    error = ((right - matmul(u, coefficients)) ** 2).sum() + (unreachable[:, d_source:] ** 2).sum()
    return LeastSquares(weight, *numerical_rank(s, rcond), error)


def triangle_of(prepared: Callable, arrays: tuple, width: int) -> jax.Array:
    """Return the triangular factor `[width, width]` of all prepared rows, from blocks of them one after the other."""
    rows = arrays[0].shape[0]
    block = min(max(1024, width), rows)
    blocks, rest = divmod(rows, block)

    def append(triangle, start, size):
        rows = prepared(*(None if a is None else lax.dynamic_slice_in_dim(a, start, size) for a in arrays))
        return lapack.triangle(jnp.concatenate([triangle, rows]))

    triangle = jnp.zeros((width, width), arrays[0].dtype)
    triangle, _ = lax.scan(lambda t, k: (append(t, k * block, block), None), triangle, jnp.arange(blocks))
    return append(triangle, blocks * block, rest) if rest else triangle
