"""Other maps that might fit two clouds as well as one that was found: what a symmetric cloud leaves open."""

import functools
import math

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg.components import independent, nearest_orthogonal
from align.linalg.third_moments import third_moments
from align.maps import AffineMap
from align.solvers.verdict import SAME

# Turns at random, and the map after a mirror, a half and a quarter turn of leading axes, which are the symmetries of
# boxes and of regular figures.
_TURNED, _MIRRORED, _TURNED_BY_QUARTERS = 6, 4, 2
# Where variances are equal, principal axes are any, and mirrors are told by independent components: of so many leading
# coordinates, from up to so many rows, so many of them.
_COMPONENTS, _ROWS, _MIRRORS = 8, 10_000, 3


@functools.partial(jax.jit, static_argnames="whitening")
def turned(key: jax.Array, source: jax.Array, target: jax.Array, fitted: AffineMap, *, whitening: float) -> AffineMap:
    """Return maps that a symmetric cloud would fit as well, `[symmetries + turns, d_source, d_target]`."""
    a, b = coordinates.principal_of_both(source, target, whitening=whitening)
    weight = coordinates.express(a, fitted, b).weight
    width, count = len(weight), min(_MIRRORED, source.shape[1])
    identity = jnp.eye(width, dtype=weight.dtype)
    symmetries = [identity.at[i, i].set(-1) for i in range(count)]
    for i in range(min(count - 1, _TURNED_BY_QUARTERS)):
        symmetries.append(matmul(symmetries[i], symmetries[i + 1]))
        symmetries.append(symmetries[i][:, jnp.arange(width).at[jnp.array([i, i + 1])].set(jnp.array([i + 1, i]))])
    turns = nearest_orthogonal(jax.random.normal(key, (_TURNED, width, width), weight.dtype))
    weights = jnp.concatenate([matmul(jnp.stack(symmetries), weight), matmul(turns, weight)])
    return jax.vmap(lambda w: coordinates.conjugate(a, w, b))(weights)


@functools.partial(jax.jit, static_argnames="whitening")
def mirrored(key: jax.Array, source: jax.Array, target: jax.Array, fitted: AffineMap, *, whitening: float) -> AffineMap:
    """Return the map after the mirrors that are closest to symmetries of the source, `[mirrors, d_source, d_target]`.

    They turn an independent component of the leading coordinates, or swap two, with their signs or without. Of those
    that make another map, the ones that second and third moments speak least against.
    """
    white, _ = coordinates.principal_of_both(source, target, whitening=1.0)
    count = min(_COMPONENTS, source.shape[1])
    row_key, start_key = jax.random.split(key)
    rows = white.spread * white(source[jax.random.permutation(row_key, len(source))[:_ROWS]])[:, :count]
    axes = independent(start_key[None], rows)[0]
    first, second = (axes[i] for i in jnp.triu_indices(count, 1))
    normals = jnp.concatenate([axes, (first - second) / math.sqrt(2), (first + second) / math.sqrt(2)])

    # Of a symmetric cloud all moments vanish that are odd along the normal u: T(u, u, u), and T(u, v, w) with v, w ⊥ u.
    once = matmul(normals, third_moments(rows).reshape(count, -1)).reshape(-1, count, count)
    twice = matmul(once, normals[..., None])[..., 0]
    cube = (twice * normals).sum(1) ** 2
    odd = cube + 3 * ((once**2).sum((1, 2)) - 2 * (twice**2).sum(1) + cube)
    variances = (white.up**2).sum(1)
    along = matmul(normals**2, variances[:count])
    uneven = matmul(normals**2, variances[:count] ** 2) / along**2 - 1  # how far from a principal axis of its own
    another = 2 * along / variances.sum() > 1 - SAME
    chosen = normals[jnp.argsort(jnp.where(another, odd + uneven, jnp.inf))[:_MIRRORS]]

    # The rigid map that comes closest, between coordinates in which spreads count.
    a, b = coordinates.principal_of_both(source, target, whitening=whitening)
    chosen = jnp.pad(chosen, ((0, 0), (0, len(a.up) - count)))
    across, back = (matmul(chosen, matmul(*m)) for m in ((white.down.T, a.up.T), (white.up, a.down)))
    mirrors = nearest_orthogonal(jnp.eye(len(a.up), dtype=a.up.dtype) - 2 * across[:, :, None] * back[:, None])
    weight = coordinates.express(a, fitted, b).weight
    return jax.vmap(lambda m: coordinates.conjugate(a, matmul(m, weight), b))(mirrors)
