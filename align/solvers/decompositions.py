"""Matrix factors whose derivatives stay finite where those of an SVD do not: equal and vanishing singular values."""

import functools

import jax
import jax.numpy as jnp

HIGHEST = jax.lax.Precision.HIGHEST
_product = functools.partial(jnp.matmul, precision=HIGHEST)


def numerical_rank(singular_values, rcond):
    """Return how many values `[..., k]`, descending, exceed rcond times the first, and their condition number."""
    largest = singular_values[..., :1]
    keep = singular_values > rcond * largest
    smallest = jnp.where(keep, singular_values, jnp.inf).min(-1)
    condition = jnp.where(keep.any(-1), largest[..., 0] / smallest, jnp.inf)
    return keep.sum(-1), jnp.where(jnp.isnan(largest[..., 0]), jnp.nan, condition)


def reciprocal(values, keep):
    """Return 1 / values where kept and 0 elsewhere, without a division by zero on the way."""
    return jnp.where(keep, 1 / jnp.where(keep, values, 1), 0)


def pinv(matrix, *, rcond=None):
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
    u, s, vt = jnp.linalg.svd(matrix, full_matrices=False)
    inverses = reciprocal(s, s > rcond * s[..., :1])
    return _product(vt.mT * inverses[..., None, :], u.mT), s


@_pinv.defjvp
def _pinv_jvp(rcond, primals, tangents):
    (a,), (da,) = primals, tangents
    p, s = _pinv(a, rcond)
    dat = da.mT
    change = (
        -_product(_product(p, da), p)
        + _product(_product(p, p.mT), dat - _product(_product(dat, a), p))
        + _product(_product(dat - _product(p, _product(a, dat)), p.mT), p)
    )
    return (p, s), (change, jnp.zeros_like(s))


@jax.custom_jvp
def pinv_semidefinite(matrix, rank):
    """Return the pseudo-inverse of a symmetric positive semi-definite `[n, n]` of known rank."""
    values, vectors = jnp.linalg.eigh(matrix)
    keep = (jnp.arange(values.shape[-1]) >= values.shape[-1] - rank) & (values > 0)
    return _product(vectors * reciprocal(values, keep), vectors.T)


@pinv_semidefinite.defjvp
def _pinv_semidefinite_jvp(primals, tangents):
    (g, rank), (dg, _) = primals, tangents
    p = pinv_semidefinite(g, rank)
    outside = dg - _product(_product(p, g), dg)  # the part of the change outside the range
    across = _product(outside, _product(p, p))
    return p, -_product(_product(p, dg), p) + across + across.T


@jax.custom_jvp
def sylvester(symmetric, right):
    """Return X with `symmetric @ X + X @ symmetric = right`; components without a unique solution are zero.

    symmetric, right: `[n, n]`. Differentiating the equation gives another one of the same form, so derivatives of
    every order divide by sums of eigenvalues, never by their differences.
    """
    values, vectors = jnp.linalg.eigh(symmetric)
    sums = values[:, None] + values
    keep = jnp.abs(sums) > values.shape[0] * jnp.finfo(values.dtype).eps * jnp.abs(values).max()
    rotated = _product(vectors.T, _product(right, vectors))
    return _product(vectors, _product(rotated * reciprocal(sums, keep), vectors.T))


@sylvester.defjvp
def _sylvester_jvp(primals, tangents):
    (p, b), (dp, db) = primals, tangents
    x = sylvester(p, b)
    return x, sylvester(p, db - _product(dp, x) - _product(x, dp))


def polar(matrix, *, reflection=True):
    """Return the `[m, n]` matrix of orthonormal rows (m ≤ n) closest to `[m, n]`, and the singular values.

    reflection: allow a negative determinant where m = n; without it the smallest singular value changes sign.
    Where singular values vanish the closest matrix is not unique; one of them is returned, and its derivative moves
    only what is determined.
    """
    return _polar(matrix, reflection or matrix.shape[0] < matrix.shape[1])


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _polar(matrix, reflection):
    u, s, vt = jnp.linalg.svd(matrix, full_matrices=False)
    if not reflection:
        turned = jnp.linalg.slogdet(u)[0] * jnp.linalg.slogdet(vt)[0] < 0
        u = u.at[:, -1].multiply(jnp.where(turned, -1, 1))
    return _product(u, vt), s


@_polar.defjvp
def _polar_jvp(reflection, primals, tangents):
    # matrix = P Q with P symmetric and Q Q' = I. Differentiating both gives dQ = Ω Q + P⁺ dM (I − Q'Q) with Ω skew
    # and P Ω + Ω P = dM Q' − Q dM'.
    (matrix,), (change,) = primals, tangents
    q, s = _polar(matrix, reflection)
    p = _product(matrix, q.T)
    p = (p + p.T) / 2
    along = _product(change, q.T)
    dq = _product(sylvester(p, along - along.T), q)
    if matrix.shape[0] < matrix.shape[1]:
        dq = dq + _product(pinv(p)[0], change - _product(along, q))
    return (q, s), (dq, jnp.zeros_like(s))
