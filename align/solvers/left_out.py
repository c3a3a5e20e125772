"""Rigid and similarity maps fitted again without each row in turn."""

import functools

import jax
import jax.numpy as jnp

from align.solvers.decompositions import polar, reciprocal
from align.solvers.moments import HIGHEST

_product = functools.partial(jnp.matmul, precision=HIGHEST)
_REFITS = 1e9  # rows times d³ up to which every row gets its own decomposition


def motions_left_out(candidates, reflection, m, x, y, vectors):
    """Return one function per candidate: from `[n, d_source]`, a vector per row, to its image `[n, d_target]`.

    Row i is mapped by the weight fitted without row i: "zero", "rigid" or "similarity". x `[n, d_source]` and
    y `[n, d_target]` are the centred rows, m their moments, and the vectors are given in the basis `vectors`.

    Leaving out one of Σw rows, and with it its part in the means, changes the cross-covariance by −k x' y with
    k = Σw / (Σw − 1). Each row gets a decomposition of its own where that is affordable; elsewhere the rows are many
    and one of them changes little, so that the derivative of the polar factor serves.
    """
    if tuple(candidates) == ("zero",):
        return [lambda z: 0]
    factor = m.total / (m.total - 1)
    refit = x.shape[0] * x.shape[1] ** 2 * y.shape[1] <= _REFITS
    apply, alignment = (_refitted if refit else _first_order)(reflection, m.cross, factor, x, y, vectors)
    spread = m.source_squares.sum() - factor * (x**2).sum(1)
    scale = (alignment * reciprocal(spread, spread > 0))[:, None]
    functions = {"zero": lambda z: 0, "rigid": apply, "similarity": lambda z: scale * apply(z)}
    return [functions[name] for name in candidates]


def _refitted(reflection, cross, factor, x, y, vectors):
    def one(row, image):
        reduced = cross - factor * jnp.outer(row, image)
        motion, _ = polar(reduced, reflection=reflection)
        return _product(vectors.T, motion), (motion * reduced).sum()

    motions, alignment = jax.vmap(one)(x, y)
    return lambda z: jnp.einsum("nd,nde->ne", z, motions, precision=HIGHEST), alignment


def _first_order(reflection, cross, factor, x, y, vectors):
    # With cross = L S R' and Q = L R', a change D of cross changes Q by L Ω R' + L S⁻¹ L' D (I − R R'), where
    # Ω = (L' D R − R' D' L) / (s_i + s_j). Here D = −k x y' has rank one, so that p Ω for a row vector p is, with
    # a = x L and b = y R and T = 1 / (s_i + s_j): −k [((p a) T) b − ((p b) T) a].
    motion, _ = polar(cross, reflection=reflection)
    left, _, _ = jnp.linalg.svd(cross, full_matrices=False)
    right = _product(motion.T, left)
    s = (left * _product(cross, right)).sum(0)  # signed where a reflection was turned away
    tiny = s.shape[0] * jnp.finfo(s.dtype).eps * jnp.abs(s).max()
    sums = reciprocal(s[:, None] + s, jnp.abs(s[:, None] + s) > tiny)
    a, b = _product(x, left), _product(y, right)
    beyond = y - _product(b, right.T)
    rotation = _product(vectors.T, left)

    def apply(z):
        p = _product(z, rotation)
        turned = _product(p * a, sums) * b - _product(p * b, sums) * a
        image = _product(p - factor * turned, right.T)
        return image - factor * (p * a * reciprocal(s, jnp.abs(s) > tiny)).sum(1, keepdims=True) * beyond

    # The alignment ⟨Q, cross⟩ is stationary in Q.
    return apply, s.sum() - factor * (a * b).sum(1)
