"""Procrustes problems: distances kept, in closed form from the cross-covariance alone (Schönemann 1966)."""

import functools

import jax
import jax.numpy as jnp

from align.maps import AffineMap
from align.solvers import inputs
from align.solvers.decompositions import HIGHEST, numerical_rank, polar
from align.solvers.moments import moments
from align.solvers.residuals import relative_residual


def rigid(source, target, *, weights=None, reflection=True) -> AffineMap:
    """Fit the Euclidean motion closest to the pairs in the least-squares sense: an orthogonal weight and a bias.

    source `[n, d_source]`, target `[n, d_target]` with d_source ≤ d_target (an isometric embedding where smaller);
    weights `[n]` count rows; reflection=False keeps to rotations, which only restricts maps of equal dimensions.

    E(n) of equations (1) and (2) of the paper. ValueError for shapes that do not fit and concrete input that is not
    finite.
    """
    source, target, weights = inputs.paired(source, target, weights)
    inputs.embeddable(source, target)
    return inputs.checked(_rigid(source, target, weights, reflection), source=source, target=target, weights=weights)


@functools.partial(jax.jit, static_argnames="reflection")
def _rigid(source, target, weights, reflection):
    m = moments(source, target, weights, gram=False)
    weight, singular_values = polar(m.cross, reflection=reflection)
    bias = m.target_mean - jnp.matmul(m.source_mean, weight, precision=HIGHEST)
    rank, condition = numerical_rank(singular_values, max(m.cross.shape) * jnp.finfo(weight.dtype).eps)
    return inputs.diagnosed(
        AffineMap(weight, bias, rank, condition, relative_residual(source, target, weights, weight, bias)), weights
    )
