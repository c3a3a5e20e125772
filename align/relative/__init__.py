"""Relative representations (paper section 3.3, equation 4): a code as its similarities to anchors.

Nothing here is fitted. What a similarity is invariant to decides which latent spaces it makes comparable:

| similarity | unchanged by                                                                                        |
|------------|-----------------------------------------------------------------------------------------------------|
| euclidean  | rotation, reflection, translation                                                                   |
| scaled     | rotation, reflection, translation; isotropic scale if two anchors differ (distances in their scale) |
| cosine     | rotation, reflection, isotropic scale                                                               |
| centred    | rotation, reflection, translation, isotropic scale (cosine around the anchors' mean)                |
| whitened   | every invertible affine map (distance in the anchors' own covariance)                               |

The paper uses the first; a network learns several times faster from the second. Two spaces that are related by a linear
map that is no rotation look alike only to the last, which needs more anchors than dimensions. ValueError for shapes
that do not fit and for what is no real number.
"""

from align.relative.relative_autoencoder import RelativeAutoencoder
from align.relative.similarities import SIMILARITIES, centred, cosine, euclidean, represent, scaled, whitened
from align.relative.standards import absorb_standard, layer_normalised, standardised

__all__ = [
    "SIMILARITIES",
    "RelativeAutoencoder",
    "absorb_standard",
    "centred",
    "cosine",
    "euclidean",
    "layer_normalised",
    "represent",
    "scaled",
    "standardised",
    "whitened",
]
