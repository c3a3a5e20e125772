"""How much linear images of several spaces disagree, as one quadratic form, and the motions that make it least.

N spaces X_i hold the same rows, some of them missing: w_ir counts row r in space i. Maps into a common space say where
row r is, x_ir A_i + t_i; the consensus is the mean of what is said of it, z_r = Σ_i w_ir (x_ir A_i + t_i) / W_r with
W_r = Σ_i w_ir. What is left, Σ_ir w_ir ‖x_ir A_i + t_i − z_r‖², is quadratic in the stacked (A, t), with the matrix

    B_ij = δ_ij Σ_r w_ir y_ir y_ir' − Σ_r (w_ir w_jr / W_r) y_ir y_jr',    y = (x, 1).

Least over the translations it is tr A' K A, K the Schur complement of their block of B, and every step from here on is
one with a matrix of N d rows, however many samples there are.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.linalg import lapack
from align.linalg.decompositions import polar, reciprocal
from align.linalg.moments import blocked_sum


class Form(NamedTuple):
    """matrix `[N d, N d]`: K; translations `[N, N d]`: t = translations @ A, one row for each space."""

    matrix: jax.Array
    translations: jax.Array


class Motions(NamedTuple):
    """weights `[N, d, d]`, orthogonal; scales `[N]`; sweeps: how many were taken; converged: whether they came to rest.

    The map of space i is scales_i weights_i.
    """

    weights: jax.Array
    scales: jax.Array
    sweeps: jax.Array
    converged: jax.Array


def sums(spaces: jax.Array, weights: jax.Array) -> jax.Array:
    """Return B `[N (d + 1), N (d + 1)]` of spaces `[n, N, d]` and weights `[n, N]`."""

    def term(x, w):
        y = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)
        weighted = y * w[..., None]
        total = w.sum(1)
        together = (weighted * jnp.sqrt(reciprocal(total, total > 0))[:, None, None]).reshape(len(y), -1)
        own = jnp.einsum("rik,ril->ikl", weighted, y, precision=lax.Precision.HIGHEST)
        return own, matmul(together.T, together)

    own, together = blocked_sum(term, (spaces, weights))
    count, width = own.shape[:2]
    blocks = jnp.eye(count, dtype=own.dtype)[:, None, :, None] * own[:, :, None, :]
    return blocks.reshape(count * width, -1) - together


def form(matrix: jax.Array, count: int) -> Form:
    """Return what is left of B `[N (d + 1), N (d + 1)]` at the best translations, for N = count spaces."""
    width = len(matrix) // count
    order = jnp.arange(len(matrix)).reshape(count, width)
    kept, ones = order[:, :-1].reshape(-1), order[:, -1]
    # A translation common to spaces that share rows changes nothing: the pseudo-inverse leaves it out. Brought to a
    # diagonal of ones first, so that a space of small weights counts.
    along = matrix[ones][:, ones]
    own = jnp.sqrt(jnp.diagonal(along))
    own = reciprocal(own, own > 0)
    values, vectors = lapack.eigh(along * own[None] * own[:, None])
    keep = values > 10 * count * jnp.finfo(values.dtype).eps * values[-1]
    vectors = vectors * own[:, None]
    inverse = matmul(vectors * reciprocal(values, keep)[None], vectors.T)
    across = matrix[kept][:, ones]
    translations = -matmul(inverse, across.T)
    result = matrix[kept][:, kept] + matmul(across, translations)
    return Form((result + result.T) / 2, translations)


def scaled(form: Form, scales: jax.Array) -> Form:
    """Return the form of spaces that are multiplied by scales `[N]`."""
    each = jnp.repeat(scales, len(form.matrix) // len(scales))
    return Form(each[:, None] * form.matrix * each[None], form.translations * each[None])


def motions(matrix: jax.Array, count: int, with_scales: bool, most: int, start: jax.Array | None = None) -> Motions:
    """Return A_i = s_i Q_i, Q_i orthogonal, that make tr A' K A small, from K `[N d, N d]`, in at most so many sweeps.

    Blocks K_ii say the same of every Q_i, so each in turn is best as the orthogonal factor of −Σ_j≠i K_ij A_j. With all
    Q_i as they are, tr A' K A = s' M s, M_ij = tr Q_i' K_ij Q_j; of all scales with Σ M_ii s_i² = Σ M_ii the best are
    an eigenvector, and exact where the spaces agree exactly. No step can make it worse (Gower 1975, ten Berge 1977).
    Without a start `[N, d, d]` the Q_i start at the leading eigenvectors of the blocks off the diagonal, which are the
    best where orthogonality is asked of all spaces together alone.
    """
    size = len(matrix) // count
    blocks = matrix.reshape(count, size, count, size)
    alike = (-blocks * (1 - jnp.eye(count, dtype=matrix.dtype))[:, None, :, None]).reshape(count, size, -1)
    squares = jnp.einsum("ikik->i", blocks)
    half = jnp.sqrt(reciprocal(squares, squares > 0))  # a space that shares no row keeps its scale
    if start is None:
        leading = lapack.eigh(alike.reshape(matrix.shape))[1][:, -size:].reshape(count, size, size)
        start = jax.vmap(lambda block: polar(block)[0])(leading)

    def agreement(weights):
        """Return −M off its diagonal `[N, N]`."""
        across = jnp.einsum("ikl,ikjm->ijlm", weights, alike.reshape(count, size, count, size), precision="highest")
        return jnp.einsum("ijlm,jml->ij", across, weights, precision="highest")

    def scales_of(weights):
        if not with_scales:
            return jnp.ones(count, matrix.dtype)
        vector = jnp.abs(lapack.eigh(half[:, None] * agreement(weights) * half[None])[1][:, -1])
        scales = jnp.where(squares > 0, vector * half, 1)
        return scales * jnp.sqrt(squares.sum() * reciprocal((squares * scales**2).sum(), squares.sum() > 0))

    def left(weights, scales):
        return (squares * scales**2).sum() - matmul(scales, matmul(agreement(weights), scales))

    def sweep(state):
        weights, scales, now, _, sweeps = state

        def turn(i, weights):
            return weights.at[i].set(polar(matmul(alike[i], (weights * scales[:, None, None]).reshape(-1, size)))[0])

        weights = lax.fori_loop(0, count, turn, weights)
        scales = scales_of(weights)
        return weights, scales, left(weights, scales), now, sweeps + 1

    def moves(state):
        *_, now, before, sweeps = state
        return (before - now > 4 * jnp.finfo(now.dtype).eps * squares.sum()) & (sweeps < most)

    ones = jnp.ones(count, matrix.dtype)
    state = start, ones, left(start, ones), jnp.asarray(jnp.inf, matrix.dtype), jnp.asarray(0)
    weights, scales, now, before, sweeps = lax.while_loop(moves, sweep, state)
    return Motions(weights, scales, sweeps, ~moves((now, before, 0)) & jnp.isfinite(now))
