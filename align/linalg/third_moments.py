"""Third moments of two white clouds, laid over each other by an orthogonal matrix.

Between white clouds that are linearly related lies an orthogonal W, of which second moments, the identity on either
side, say nothing. The tensor of third moments T_ijk = E[s_i s_j s_k] turns with the cloud: T' = T(W, W, W). Hence W
is where ⟨T(W, W, W), T'⟩ is greatest. The gradient costs k⁴, whatever the number of rows, and its polar factor is the
next W (a power iteration; adding a multiple of W keeps it from oscillating). The value needs no knowledge, and says
which of many maxima is the right one.

The landscape is that of a glass: many poor maxima, and one deep basin about the right W. With noise of temperature t
in every step, the right basin holds up to its melting point, at which the poor ones have long melted. So a start that
is right in part grows under moderate heat into one that is right, and others wander.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.linalg.components import nearest_orthogonal

_RADIUS = 1.5  # of the root mean square norm: rows beyond are drawn in, or a few of them would make up the moments


@jax.jit
def third_moments(white: jax.Array) -> jax.Array:
    """Return E[s_i s_j s_k] `[k, k, k]` of white rows `[n, k]`, those far out drawn in; of norm 1."""
    rows, k = white.shape
    norm = jnp.linalg.norm(white, axis=1, keepdims=True)
    s = white * jnp.minimum(1, _RADIUS * jnp.sqrt(k) / jnp.maximum(norm, jnp.finfo(white.dtype).tiny))
    s = s - s.mean(0)
    block = max(1, min(rows, 2**24 // k**2))
    blocks = -(-rows // block)
    s = jnp.pad(s, ((0, blocks * block - rows), (0, 0))).reshape(blocks, block, k)

    def add(total, part):
        pairs = (part[:, :, None] * part[:, None]).reshape(block, k * k)
        return total + matmul(pairs.T, part), None

    total = lax.scan(add, jnp.zeros((k * k, k), s.dtype), s)[0].reshape(k, k, k)
    norm = jnp.linalg.norm(total.ravel())
    return total / jnp.where(norm > 0, norm, 1)


@functools.partial(jax.jit, static_argnames="iterations")
def climb(
    key: jax.Array,
    source: jax.Array,
    target: jax.Array,
    weights: jax.Array,
    pull: jax.Array,
    *,
    temperature: float,
    iterations: int,
) -> tuple[jax.Array, jax.Array]:
    """Climb ⟨T(W, W, W), T'⟩ + ⟨pull, W⟩ over orthogonal W, from many starts at once.

    source, target `[k, k, k]`: T and T'; weights `[starts, k, k]`; pull `[k, k]`: what is known besides, zero where
    nothing is. temperature: of the noise at first; it falls to zero after four fifths of the steps. Returns the
    weights and their values `[starts]`.
    """
    k = weights.shape[1]
    slices, flat = source.reshape(k * k, k), target.reshape(k, k * k)

    def gradient_of_one(w):
        m = matmul(slices, w).reshape(k, k, k)  # T is symmetric: whichever two axes W is applied to
        m = matmul(m.mT.reshape(k * k, k), w)
        return matmul(m.reshape(k, k * k), flat.T)

    def gradient(weights):
        # One at a time, what is in between stays in a core's cache.
        one_by_one = functools.partial(lax.map, gradient_of_one)
        return lax.platform_dependent(weights, cpu=one_by_one, default=jax.vmap(gradient_of_one))

    def step(w, i):
        g = gradient(w) + pull / 3
        size = jnp.linalg.norm(g, axis=(1, 2), keepdims=True) / jnp.sqrt(k)
        heat = temperature * jnp.maximum(0, 1 - i.astype(w.dtype) / (0.8 * iterations))
        noise = jax.random.normal(jax.random.fold_in(key, i), w.shape, w.dtype) / jnp.sqrt(k)
        # Langevin dynamics of step 1: the drift and its noise, √(2 t).
        return nearest_orthogonal(g / jnp.where(size > 0, size, 1) + w + jnp.sqrt(2 * heat) * noise, iterations=8), None

    w = lax.scan(step, weights, jnp.arange(iterations))[0]
    w = nearest_orthogonal(w)
    return w, ((gradient(w) + pull) * w).sum((1, 2))
