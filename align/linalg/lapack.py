"""Matrix decompositions that may be vmapped on a CPU: one matrix after the other.

JAX hands the matrices of a batch to XLA's own threads and has the thread that asks wait for them (jaxlib 0.10; later
ones do not). Where a program decomposes as many batches at once as there are threads, which two independent loops of a
jitted function are enough for on two cores, all threads wait, and the program stops for ever. On other devices a batch
stays a batch.

Not for what is differentiated by JAX itself: the rules of `custom_vmap` have no reverse mode.
"""

import functools

import jax
from jax import lax
from jax import numpy as jnp


def _one_by_one(decompose):
    def sound(matrix):  # of what is not finite LAPACK says on the standard output that it is illegal
        finite = jnp.isfinite(matrix).all()
        parts = decompose(jnp.where(finite, matrix, jnp.zeros_like(matrix)))
        return jax.tree.map(lambda part: jnp.where(finite, part, jnp.full_like(part, jnp.nan)), parts)

    function = jax.custom_batching.custom_vmap(sound)

    @function.def_vmap
    def _(axis_size, batched, matrix):
        out = lax.platform_dependent(matrix, cpu=functools.partial(lax.map, function), default=jax.vmap(sound))
        # XLA (jaxlib 0.10) moves a permutation of three batch axes through the product of two factors the wrong way.
        return lax.optimization_barrier(out), jax.tree.map(lambda _: True, out)

    @functools.wraps(decompose)
    def decomposed(matrix):
        batches = matrix.ndim - 2
        return functools.reduce(lambda f, _: jax.vmap(f), range(batches), function)(matrix)

    return decomposed


@_one_by_one
def eigh(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the eigenvalues `[n]`, ascending, and eigenvectors `[n, n]` of a symmetric matrix `[n, n]`."""
    return tuple(jnp.linalg.eigh(matrix))


@_one_by_one
def svd(matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return u `[m, k]`, the singular values `[k]`, descending, and vt `[k, n]` of `[m, n]`, with k = min(m, n)."""
    return tuple(jnp.linalg.svd(matrix, full_matrices=False))


@_one_by_one
def svd_with_all_axes(matrix: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return u `[m, m]`, the singular values `[m]`, descending, and vt `[n, n]` of `[m, n]`, with m ≤ n."""
    return tuple(jnp.linalg.svd(matrix, full_matrices=True))


@_one_by_one
def qr(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return q `[m, k]` of orthonormal columns and the upper triangular r `[k, n]` of `[m, n]`, with k = min(m, n)."""
    q, r = jnp.linalg.qr(matrix)
    return q, r


@_one_by_one
def triangle(matrix: jax.Array) -> jax.Array:
    """Return the upper triangular factor `[n, n]` of the QR decomposition of `[m, n]`, m ≥ n."""
    return jnp.linalg.qr(matrix, mode="r")


@_one_by_one
def inverse_cholesky(matrix: jax.Array) -> jax.Array:
    """Return the inverse `[n, n]` of the lower Cholesky factor of a symmetric matrix; NaN where it is not positive."""
    factor, identity = lax.linalg.cholesky(matrix), jnp.eye(matrix.shape[-1], dtype=matrix.dtype)
    return lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True)
