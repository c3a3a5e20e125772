"""Matrix factors whose derivatives stay finite where those of an SVD do not: equal and vanishing singular values."""

import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from align.arrays.products import matmul
from align.linalg import lapack


def numerical_rank(singular_values: jax.Array, rcond: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Return how many values `[..., k]`, descending, exceed rcond times the first, and their condition number."""
    largest = singular_values[..., :1]
    keep = singular_values > rcond * largest
    smallest = jnp.where(keep, singular_values, jnp.inf).min(-1)
    condition = jnp.where(keep.any(-1), largest[..., 0] / smallest, jnp.inf)
    return keep.sum(-1), jnp.where(jnp.isnan(largest[..., 0]), jnp.nan, condition)


def reciprocal(values: jax.Array, keep: jax.Array) -> jax.Array:
    """Return 1 / values where kept and 0 elsewhere, without a division by zero on the way."""
    return jnp.where(keep, 1 / jnp.where(keep, values, 1), 0)


def _rounding(eigenvalues):
    """Return the gap below which eigenvalues `[n]` of products of rows count as equal.

    Products round by tens of epsilons even where n is small, and a derivative across that gap is one of the rounding.
    """
    return max(eigenvalues.shape[0], 64) * jnp.finfo(eigenvalues.dtype).eps * jnp.abs(eigenvalues).max()


def pinv(matrix: jax.Array, *, rcond: ArrayLike | None = None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the pseudo-inverse of `[..., m, n]`, with its rank and condition number.

    Singular values below rcond times the largest count as zero (max(m, n) times the machine epsilon unless given).
    The derivative is that of constant rank (Golub and Pereyra 1973), which needs no derivative of the SVD.
    """
    if rcond is None:
        rcond = max(matrix.shape[-2:]) * jnp.finfo(matrix.dtype).eps
    inverse, singular_values = _pinv(matrix, rcond)
    return inverse, *numerical_rank(singular_values, rcond)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _pinv(matrix, rcond):
    u, s, vt = lapack.svd(matrix)
    inverses = reciprocal(s, s > rcond * s[..., :1])
    return matmul(vt.mT * inverses[..., None, :], u.mT), s


@_pinv.defjvp
def _pinv_jvp(rcond, primals, tangents):
    (a,), (da,) = primals, tangents
    p, s = _pinv(a, rcond)
    dat = da.mT
    change = (
        -matmul(matmul(p, da), p)
        + matmul(matmul(p, p.mT), dat - matmul(matmul(dat, a), p))
        + matmul(matmul(dat - matmul(p, matmul(a, dat)), p.mT), p)
    )
    return (p, s), (change, jnp.zeros_like(s))


@jax.custom_jvp
def pinv_semidefinite(matrix: jax.Array, rank: jax.Array) -> jax.Array:
    """Return the pseudo-inverse of a symmetric positive semi-definite `[n, n]` of known rank."""
    values, vectors = lapack.eigh(matrix)
    keep = (jnp.arange(values.shape[-1], dtype=rank.dtype) >= values.shape[-1] - rank) & (values > 0)
    return matmul(vectors * reciprocal(values, keep)[None], vectors.T)


@pinv_semidefinite.defjvp
def _pinv_semidefinite_jvp(primals, tangents):
    (g, rank), (dg, _) = primals, tangents
    p = pinv_semidefinite(g, rank)
    outside = dg - matmul(matmul(p, g), dg)  # the part of the change outside the range
    across = matmul(outside, matmul(p, p))
    return p, -matmul(matmul(p, dg), p) + across + across.T


def sylvester(symmetric: jax.Array, right: jax.Array) -> jax.Array:
    """Return X with `symmetric @ X + X @ symmetric = right`; components without a unique solution are zero.

    symmetric, right: `[n, n]`. Differentiating the equation gives another one of the same form, so derivatives of
    every order divide by sums of eigenvalues, never by their differences. (As a linear solve, and not by a rule for
    derivatives of its own: such rules are dropped where a second derivative passes through a transposed first one.)
    """

    def solve(_, right):
        values, vectors = lapack.eigh(symmetric)
        sums = values[:, None] + values[None]
        keep = jnp.abs(sums) > _rounding(values)
        rotated = matmul(vectors.T, matmul(right, vectors))
        return matmul(vectors, matmul(rotated * reciprocal(sums, keep), vectors.T))

    def operator(x):
        return matmul(symmetric, x) + matmul(x, symmetric)

    return jax.lax.custom_linear_solve(operator, right, solve, symmetric=True)


def polar(matrix: jax.Array, *, reflection: bool = True) -> tuple[jax.Array, jax.Array]:
    """Return the `[m, n]` matrix of orthonormal rows (m ≤ n) closest to `[m, n]`, and the singular values.

    reflection: allow a negative determinant where m = n; without it the smallest singular value changes sign.
    Where singular values vanish the closest matrix is not unique; one of them is returned, and its derivative moves
    only what is determined.
    """
    allowed = reflection or matrix.shape[0] < matrix.shape[1]
    return as_polar(matrix, *_closest(jax.lax.stop_gradient(matrix), allowed))


def _closest(matrix, reflection):
    u, s, vt = lapack.svd(matrix)
    if not reflection:
        turned = jnp.linalg.slogdet(u)[0] * jnp.linalg.slogdet(vt)[0] < 0
        u = u.at[:, -1].multiply(jnp.where(turned, -1, 1))
    return matmul(u, vt), s


@jax.custom_jvp
def as_polar(matrix: jax.Array, closest: jax.Array, singular_values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return what `polar` returns of a matrix whose closest and singular values are known, with its derivative."""
    return closest, singular_values


@as_polar.defjvp
def _as_polar_jvp(primals, tangents):
    # matrix = P Q with P symmetric and Q Q' = I. Differentiating both gives dQ = Ω Q + P⁺ dM (I − Q'Q) with Ω skew
    # and P Ω + Ω P = dM Q' − Q dM'.
    matrix, change = primals[0], tangents[0]
    q, s = as_polar(*primals)
    p = matmul(matrix, q.T)
    p = (p + p.T) / 2
    along = matmul(change, q.T)
    dq = matmul(sylvester(p, along - along.T), q)
    if matrix.shape[0] < matrix.shape[1]:
        dq = dq + matmul(pinv(p)[0], change - matmul(along, q))
    return (q, s), (dq, jnp.zeros_like(s))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def leading_projector(symmetric: jax.Array, rank: int) -> jax.Array:
    """Return the projector onto the eigenvectors of the `rank` (static) largest eigenvalues of a symmetric `[n, n]`.

    Its derivative needs a gap after the rank-th eigenvalue and no other; where there is none the projector is not
    unique, and the derivative leaves out what is undetermined.
    """
    leading = lapack.eigh(symmetric)[1][:, symmetric.shape[0] - rank :]
    return matmul(leading, leading.T)


@leading_projector.defjvp
def _leading_projector_jvp(rank, primals, tangents):
    # From S P = P S: the change X = P dP (I − P) solves S X − X S = P dS (I − P), and dP = X + X'.
    (s,), (ds,) = primals, tangents
    projector = leading_projector(s, rank)
    across = _between(s, projector, ds, rank)
    return projector, across + across.T


def _between(symmetric, projector, right, rank):
    """Solve S X − X S = P B (I − P) for X = P X (I − P), P the leading projector of S."""

    def block(x):
        left = matmul(projector, x)
        return left - matmul(left, projector)

    def operator(x):  # the identity outside the block, so that it has an inverse
        return block(matmul(symmetric, x) - matmul(x, symmetric)) + x - block(x)

    def solve(_, right):
        values, vectors = lapack.eigh(symmetric)
        leads = jnp.arange(values.shape[0]) >= values.shape[0] - rank
        gaps = values[:, None] - values[None]
        across = leads[:, None] & ~leads[None]
        keep = gaps > _rounding(values)
        factors = jnp.where(across, reciprocal(gaps, keep), 1)
        rotated = matmul(vectors.T, matmul(right, vectors)) * factors
        return matmul(vectors, matmul(rotated, vectors.T))

    return jax.lax.custom_linear_solve(operator, block(right), solve, symmetric=True)
