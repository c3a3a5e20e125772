"""Similarities of codes to anchors."""

from jax import Array, lax
from jax import numpy as jnp
from jax.typing import ArrayLike

from align.arrays import inputs
from align.arrays.products import matmul
from align.arrays.scales import directions, unit
from align.linalg import lapack


def euclidean(codes: ArrayLike, anchors: ArrayLike) -> Array:
    """Give the distances of codes `[n, d]` to anchors `[a, d]`: `[n, a]`."""
    codes, anchors = _checked(codes, anchors)
    # Distances are translation-invariant: moving the origin into the cloud keeps the expanded square accurate.
    origin = anchors.mean(0, keepdims=True)
    codes, anchors = codes - origin, anchors - origin
    # Squares must stay within the range of floats; a code that is far, or no number, is its own row's trouble alone.
    finite = [jnp.where(jnp.isfinite(x), x, 0) for x in (codes, anchors)]
    largest = jnp.broadcast_to(jnp.abs(finite[1]).max(), (len(codes), 1))
    _, power = unit(jnp.concatenate([finite[0], largest], 1), axis=1)
    _, common = unit(finite[1])
    codes, anchors = jnp.divide(codes, power), jnp.divide(anchors, common)
    share = jnp.minimum(common / power, 1)  # which it is, but for anchors that are zero
    products = matmul(codes, anchors.T)
    squared = jnp.sum(codes**2, -1)[:, None] + share**2 * jnp.sum(anchors**2, -1)[None] - 2 * share * products
    # The root has no derivative at 0, where a code is an anchor itself: give it the subgradient 0.
    zero = squared <= 0  # which NaN is not
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squared))) * power


def scaled(codes: ArrayLike, anchors: ArrayLike) -> Array:
    """Give the distances, centred and scaled by those among the anchors: `[n, d], [a, d] -> [n, a]`.

    All distances in a space are positive and share a mean many times their differences, a poor input to a network.
    Here the distances to each anchor have mean 0 over the anchors. All are in units of the standard deviation of the
    anchors' distances among themselves, about one mean of all: so those of the anchors have a mean square of at most 1,
    and of less where some anchors are farther from the rest than others. Where no two anchors differ, as of one alone,
    there is no scale among them, and none is taken out.
    """
    distances = euclidean(codes, anchors)
    among, power = unit(jnp.where(jnp.eye(distances.shape[1], dtype=bool), 0.0, euclidean(anchors, anchors)))
    variance = among.var()
    return (distances / power - among.mean(0, keepdims=True)) / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))


def cosine(codes: ArrayLike, anchors: ArrayLike) -> Array:
    """Give the cosines of the angles between codes `[n, d]` and anchors `[a, d]`: `[n, a]`; 0 for a zero vector."""
    codes, anchors = _checked(codes, anchors)
    return matmul(directions(codes), directions(anchors).T)


def centred(codes: ArrayLike, anchors: ArrayLike) -> Array:
    """Give the cosines around the anchors' mean: `[n, d], [a, d] -> [n, a]`."""
    return cosine(*_about_the_mean(*_checked(codes, anchors)))


def whitened(codes: ArrayLike, anchors: ArrayLike) -> Array:
    """Give the distances in the metric of the anchors' covariance (Mahalanobis): `[n, d], [a, d] -> [n, a]`.

    With x = L y, for L Lᵀ the covariance, an affine map of the space changes y by a rotation alone. Directions whose
    standard deviation is below d · eps of the largest carry no information of the anchors and are left out.
    """
    codes, anchors = _about_the_mean(*_checked(codes, anchors))
    spread = anchors / jnp.sqrt(len(anchors))
    _, scales, axes = lapack.svd(lax.stop_gradient(spread))
    known = scales > scales[0] * anchors.shape[1] * jnp.finfo(anchors.dtype).eps
    known &= jnp.arange(len(scales)) < len(anchors) - 1  # about their mean, one of them says nothing new
    whiten = axes.T * jnp.where(known, 1 / jnp.where(known, scales, 1.0), 0.0)[None]
    # The inverse root of the covariance of whitened anchors, which is the identity, by its Taylor series: derivatives,
    # the second ones too, are those of the distances, and no singular values need to differ.
    white = matmul(spread, whiten)
    covariance = matmul(white.T, white)
    once = matmul(whiten, covariance)
    whiten = (15 * whiten - 10 * once + 3 * matmul(once, covariance)) / 8
    return euclidean(matmul(codes, whiten), matmul(anchors, whiten))


def _about_the_mean(codes: Array, anchors: Array) -> tuple[Array, Array]:
    """Move both to where the anchors' mean is zero: about one of them first, as a mean that is far is rounded."""
    first = anchors[:1]
    codes, anchors = codes - first, anchors - first
    mean = anchors.mean(0, keepdims=True)
    return codes - mean, anchors - mean


def _checked(codes: ArrayLike, anchors: ArrayLike) -> tuple[Array, Array]:
    codes, anchors = inputs.as_floats(codes=codes, anchors=anchors)
    if codes.ndim != 2 or anchors.ndim != 2 or codes.shape[1] != anchors.shape[1]:
        raise ValueError(f"codes [n, d] and anchors [a, d] must agree in d; they are {codes.shape} and {anchors.shape}")
    if 0 in anchors.shape:
        raise ValueError(f"anchors must be [a, d], at least one of each; they are {anchors.shape}")
    return codes, anchors


SIMILARITIES = {"euclidean": euclidean, "scaled": scaled, "cosine": cosine, "centred": centred, "whitened": whitened}


def represent(codes: ArrayLike, anchors: ArrayLike, similarity: str = "euclidean") -> Array:
    """Represent codes `[n, d]` relative to anchors `[a, d]` by a named similarity: `[n, a]` (equation 4).

    Raises ValueError for an unknown similarity or for codes and anchors of different dimensions.
    """
    if not isinstance(similarity, str) or similarity not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}; it is {similarity!r}")
    return SIMILARITIES[similarity](codes, anchors)
