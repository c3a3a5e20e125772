"""How much linear images of several spaces disagree, as one quadratic form, and the rotations that make it least.

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


class Rotations(NamedTuple):
    """weights `[N, d, d]`, orthogonal; sweeps: how many were taken; converged: whether they came to rest."""

    weights: jax.Array
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
    # A translation common to spaces that share rows changes nothing: the pseudo-inverse leaves it out.
    values, vectors = lapack.eigh(matrix[ones][:, ones])
    keep = values > 10 * count * jnp.finfo(values.dtype).eps * values[-1]
    inverse = matmul(vectors * reciprocal(values, keep)[None], vectors.T)
    across = matrix[kept][:, ones]
    translations = -matmul(inverse, across.T)
    result = matrix[kept][:, kept] + matmul(across, translations)
    return Form((result + result.T) / 2, translations)


def rotations(matrix: jax.Array, count: int, most: int) -> Rotations:
    """Return orthogonal A_i that make tr A' K A small, from K `[N d, N d]`, in at most so many sweeps.

    Blocks of K on the diagonal are the same for all of them, so each A_i in turn is best as the orthogonal factor of
    −Σ_j≠i K_ij A_j: no sweep can make it worse (Gower 1975, ten Berge 1977). They start at the leading eigenvectors of
    the blocks off the diagonal, which are the best where orthogonality is asked of all spaces together alone.
    """
    size = len(matrix) // count
    blocks = matrix.reshape(count, size, count, size)
    alike = (-blocks * (1 - jnp.eye(count, dtype=matrix.dtype))[:, None, :, None]).reshape(count, size, -1)
    leading = lapack.eigh(alike.reshape(matrix.shape))[1][:, -size:].reshape(count, size, size)
    start = jax.vmap(lambda block: polar(block)[0])(leading)

    def agreement(weights):
        return (weights * matmul(alike, weights.reshape(-1, size))).sum()

    def sweep(state):
        weights, before, _, sweeps = state

        def turn(i, weights):
            return weights.at[i].set(polar(matmul(alike[i], weights.reshape(-1, size)))[0])

        weights = lax.fori_loop(0, count, turn, weights)
        return weights, agreement(weights), before, sweeps + 1

    def moves(state):
        _, now, before, sweeps = state
        return (now - before > 4 * jnp.finfo(now.dtype).eps * jnp.abs(now)) & (sweeps < most)

    nothing = jnp.asarray(-jnp.inf, matrix.dtype)
    weights, now, before, sweeps = lax.while_loop(moves, sweep, (start, agreement(start), nothing, jnp.asarray(0)))
    return Rotations(weights, sweeps, ~moves((weights, now, before, 0)) & jnp.isfinite(now))
