"""Canonical correlations."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from align.arrays import checks
from align.arrays.products import matmul
from align.linalg import lapack, threads
from align.metrics.comparable import centred_sets


def canonical_correlations(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the canonical correlations of two sets, descending, `[min(d_x, d_y, n)]`.

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out.

    Invariant to invertible affine maps of either side. Directions without variance (below `max(d, 1)·eps` of the
    largest) are left out and read as 0. With `n - 1` at most `d_x` or `d_y` the others are all 1 and say nothing.

    Hotelling 1936; computed from orthonormal bases as in Björck and Golub 1973.

    Raises ValueError for mismatched rows.
    """
    x, y, _ = centred_sets(x, y)
    with threads.for_rows(x, y):
        return jax.block_until_ready(_correlations(_basis(x)[0], _basis(y)[0]))


def cca(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the mean canonical correlation of `x` `[n, d_x]` and `y` `[n, d_y]`, a scalar in [0, 1].

    The mean runs over the smaller of the two ranks. Invariant to invertible affine maps of either side.

    Raghu et al. 2017, section 2; Kornblith et al. 2019, table 1. Raises ValueError for mismatched rows.
    """
    return svcca(x, y, variance=1.0)


def svcca(x: ArrayLike, y: ArrayLike, *, variance: float = 0.99) -> Array:
    """Return the mean canonical correlation of the leading principal components of two sets, a scalar in [0, 1].

    x: `[n, d_x]`. y: `[n, d_y]`, rows in correspondence; a row that is not finite in either is left out.
    variance: the share of the total variance that the components kept on each side hold, the fewest that do.

    Invariant to translation, orthogonal maps and isotropic scaling of either side; to other linear maps only at
    `variance=1`.

    Raghu et al. 2017, section 2. Raises ValueError for mismatched rows or a variance outside (0, 1].
    """
    if not checks.is_positive(variance, most=1):
        raise ValueError(f"variance is {variance!r}; expected a share in (0, 1]")
    x, y, _ = centred_sets(x, y)
    with threads.for_rows(x, y):
        (basis_x, rank_x), (basis_y, rank_y) = _basis(x, variance), _basis(y, variance)
        correlations = jax.block_until_ready(_correlations(basis_x, basis_y))
    # Directions that were left out have correlation 0, so the sum is that over the kept ones.
    return correlations.sum() / jnp.minimum(rank_x, rank_y).astype(correlations.dtype)


@jax.jit
def _correlations(basis_x, basis_y):
    return jnp.clip(_svd(matmul(basis_x.T, basis_y))[1], 0, 1)


@jax.jit
def _basis(x, variance=1.0):
    """Return an orthonormal basis `[n, min(n, d)]` of the column space of centred `x`, unused columns 0, and its rank.

    A QR decomposition and the SVD of its small factor keep float32 accuracy, which the Gram matrix would square away.
    """
    q, r = _qr(x)
    u, s, _ = _svd(r)
    present = s > max(x.shape[1], 1) * jnp.finfo(s.dtype).eps * s[0]
    power = jnp.where(present, s**2, 0)
    # A component is kept if those before it fall short of the share asked for: if it and those after it hold more than
    # may be missing, which beside the largest would be lost to rounding.
    rest = jnp.cumsum(power[::-1])[::-1]
    kept = present & (rest > (1 - jnp.asarray(variance, s.dtype)) * power.sum())
    return matmul(q, u) * kept[None].astype(x.dtype), kept.sum()


def _differentiable(decompose, by_jax):
    """Return a decomposition of `lapack`, one matrix of a batch after the other, but where it is differentiated."""
    function = jax.custom_jvp(decompose)
    function.defjvp(lambda primals, tangents: jax.jvp(by_jax, primals, tangents))
    return function


_qr = _differentiable(lapack.qr, lambda x: tuple(jnp.linalg.qr(x)))
_svd = _differentiable(lapack.svd, lambda x: tuple(jnp.linalg.svd(x, full_matrices=False)))
