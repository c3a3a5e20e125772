"""Relative representations (paper section 3.3, equation 4): a code as its similarities to anchors.

Nothing here is fitted. What a similarity is invariant to decides which latent spaces it makes comparable:

| similarity | unchanged by                                                                                       |
|------------|----------------------------------------------------------------------------------------------------|
| euclidean  | rotation, reflection, translation                                                                  |
| scaled     | rotation, reflection, translation, isotropic scale (distances in the scale of those among anchors) |
| cosine     | rotation, reflection, isotropic scale                                                              |
| centred    | rotation, reflection, translation, isotropic scale (cosine around the anchors' mean)               |
| whitened   | every invertible affine map (distance in the anchors' own covariance)                              |

The paper uses the first; a network learns several times faster from the second. Two spaces that are related by a linear
map that is no rotation look alike only to the last, which needs more anchors than dimensions. ValueError for shapes
that do not fit and for what is no real number.
"""

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp

from align.solvers import inputs

_HIGHEST = jax.lax.Precision.HIGHEST


def euclidean(codes: Array, anchors: Array) -> Array:
    """Give the distances of codes `[n, d]` to anchors `[a, d]`: `[n, a]`."""
    codes, anchors = _checked(codes, anchors)
    # Distances are translation-invariant: moving the origin into the cloud keeps the expanded square accurate.
    origin = anchors.mean(0)
    codes, anchors = codes - origin, anchors - origin
    products = jnp.matmul(codes, anchors.T, precision=_HIGHEST)
    squared = jnp.sum(codes**2, -1)[:, None] + jnp.sum(anchors**2, -1) - 2 * products
    # The root has no derivative at 0, where a code is an anchor itself: give it the subgradient 0.
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def scaled(codes: Array, anchors: Array) -> Array:
    """Give the distances, centred and scaled by those among the anchors: `[n, d], [a, d] -> [n, a]`.

    All distances in a space are positive and share a mean many times their differences, a poor input to a network:
    what a decoder sees of them here has mean 0 and standard deviation 1 over the anchors.
    """
    distances = euclidean(codes, anchors)
    among = jnp.where(jnp.eye(distances.shape[1], dtype=bool), 0.0, euclidean(anchors, anchors))
    variance = among.var()
    return (distances - among.mean(0)) / jnp.sqrt(jnp.where(variance > 0, variance, 1.0))


def cosine(codes: Array, anchors: Array) -> Array:
    """Give the cosines of the angles between codes `[n, d]` and anchors `[a, d]`: `[n, a]`; 0 for a zero vector."""
    codes, anchors = _checked(codes, anchors)
    return jnp.matmul(_unit(codes), _unit(anchors).T, precision=_HIGHEST)


def centred(codes: Array, anchors: Array) -> Array:
    """Give the cosines around the anchors' mean: `[n, d], [a, d] -> [n, a]`."""
    codes, anchors = _checked(codes, anchors)
    origin = anchors.mean(0)
    return cosine(codes - origin, anchors - origin)


def whitened(codes: Array, anchors: Array) -> Array:
    """Give the distances in the metric of the anchors' covariance (Mahalanobis): `[n, d], [a, d] -> [n, a]`.

    With x = L y, for L Lᵀ the covariance, an affine map of the space changes y by a rotation alone. Directions whose
    variance is below d · eps of the largest carry no information of the anchors and are left out.
    """
    codes, anchors = _checked(codes, anchors)
    origin = anchors.mean(0)
    anchors, codes = anchors - origin, codes - origin
    _, scales, axes = jnp.linalg.svd(anchors / jnp.sqrt(len(anchors)), full_matrices=False)
    known = scales > scales[0] * anchors.shape[1] * jnp.finfo(anchors.dtype).eps
    whiten = axes.T * jnp.where(known, 1 / jnp.where(known, scales, 1.0), 0.0)
    return euclidean(
        jnp.matmul(codes, whiten, precision=_HIGHEST),
        jnp.matmul(anchors, whiten, precision=_HIGHEST),
    )


def _unit(x):
    norm = jnp.sqrt(jnp.maximum(jnp.sum(x**2, -1, keepdims=True), jnp.finfo(x.dtype).tiny))
    return x / norm


SIMILARITIES = {"euclidean": euclidean, "scaled": scaled, "cosine": cosine, "centred": centred, "whitened": whitened}


def _checked(codes, anchors):
    codes, anchors = inputs.as_array("codes", codes), inputs.as_array("anchors", anchors)
    inputs.float_dtype(codes=codes, anchors=anchors)
    if codes.ndim != 2 or anchors.ndim != 2 or codes.shape[1] != anchors.shape[1]:
        raise ValueError(f"codes [n, d] and anchors [a, d] must agree in d; they are {codes.shape} and {anchors.shape}")
    if 0 in anchors.shape:
        raise ValueError(f"anchors must be [a, d], at least one of each; they are {anchors.shape}")
    return codes, anchors


def layer_normalised(representation: Array) -> Array:
    """Bring every sample's similarities `[n, a]` to mean 0 and standard deviation 1: its scale and offset are lost."""
    return _standard(representation, representation, axis=1, name="representation")


def standardised(representation: Array, reference: Array) -> Array:
    """Bring every anchor's similarities `[n, a]` to mean 0 and standard deviation 1 over a reference `[m, a]`.

    With the training samples of the same space as reference, the scale of the space as a whole is lost.
    """
    return _standard(representation, reference, axis=0, name="reference")


def absorb_standard(params, reference: Array):
    """Let a decoder that has learned `standardised(x, reference)` take x `[n, a]` itself, with the same outputs.

    Its parameters are `params`, its first layer `Dense_0`, whose kernel and bias absorb the standardisation, up to
    rounding.
    """
    reference = inputs.as_array("reference", reference)
    inputs.float_dtype(reference=reference)
    layers = params["params"]
    if "Dense_0" not in layers:
        raise ValueError(f"params must have a first layer Dense_0; their layers are {', '.join(layers)}")
    first = layers["Dense_0"]
    if reference.ndim != 2 or reference.shape[1] != len(first["kernel"]) or 0 in reference.shape:
        raise ValueError(
            f"reference must be [m, a], m at least 1, for a first layer of a = {len(first['kernel'])}; "
            f"it is {reference.shape}"
        )
    mean, spread = _mean_and_spread(reference, 0)
    kernel = first["kernel"] / spread.T
    bias = first["bias"] - jnp.matmul(mean, kernel, precision=_HIGHEST)[0]
    return {**params, "params": {**layers, "Dense_0": {"kernel": kernel, "bias": bias}}}


def _standard(x, reference, axis, name):
    x, reference = inputs.as_array("representation", x), inputs.as_array(name, reference)
    inputs.float_dtype(**{"representation": x, name: reference})
    if x.ndim != 2 or reference.ndim != 2 or x.shape[1] != reference.shape[1]:
        raise ValueError(
            f"representation [n, a] and {name} [m, a] must agree in a; they are {x.shape}, {reference.shape}"
        )
    if 0 in reference.shape:
        raise ValueError(f"{name} must be [m, a], at least one of each; it is {reference.shape}")
    mean, spread = _mean_and_spread(reference, axis)
    return (x - mean) / spread


def _mean_and_spread(x, axis):
    """Give the mean and the standard deviation over an axis, which is kept; 1 where nothing varies."""
    spread = x.std(axis, keepdims=True)
    return x.mean(axis, keepdims=True), jnp.where(spread > 0, spread, 1.0)


def represent(codes: Array, anchors: Array, similarity: str = "euclidean") -> Array:
    """Represent codes `[n, d]` relative to anchors `[a, d]` by a named similarity: `[n, a]` (equation 4).

    Raises ValueError for an unknown similarity or for codes and anchors of different dimensions.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}; it is {similarity!r}")
    return SIMILARITIES[similarity](codes, anchors)


class RelativeAutoencoder(nn.Module):
    """An autoencoder with a relative representation between its halves, trained as a whole (the paper's end2end)."""

    encoder: nn.Module
    decoder: nn.Module
    similarity: str = "euclidean"

    def encode(self, images: Array) -> Array:
        """Encode images `[n, 28, 28, 1]` to codes `[n, d]`, not yet relative to anything."""
        return self.encoder(images)

    def decode(self, representation: Array) -> Array:
        """Decode a representation `[n, a]` to images `[n, 28, 28, 1]`."""
        return self.decoder(representation)

    def __call__(self, images: Array, anchors: Array) -> Array:
        """Reconstruct images `[n, 28, 28, 1]` by way of the anchor images `[a, 28, 28, 1]`."""
        # The patches of a hundred images fit into the caches of a CPU; encoded at once, many anchors take longer.
        parts = jnp.array_split(anchors, -(-len(anchors) // 100))
        encoded = jnp.concatenate([self.encode(part) for part in parts])
        return self.decode(represent(self.encode(images), encoded, self.similarity))
