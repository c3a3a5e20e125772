"""Ridge strengths, what they do to eigenvalues, and the record of how one was chosen."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.linalg.decompositions import reciprocal

# "origin" is zero without an intercept.
TOWARDS = ("zero", "rigid", "similarity", "origin")


class RidgePath(NamedTuple):
    """How a ridge fit was chosen: the `details` of its map.

    strength: the chosen one; towards: what it shrinks towards, an index into `ridge.TOWARDS`.
    degrees_of_freedom: trace of the chosen smoother, an intercept counted, what it shrinks towards not.
    leave_one_out: ‖error‖ / ‖target − mean(target)‖ of rows predicted by fits that left them out; an estimate of the
        residual on new data, slightly optimistic for being the least of those tried.
    path_strengths `[k]`, path_degrees and path_leave_one_out `[candidates, k]`: all that was compared.
    """

    strength: jax.Array
    towards: jax.Array
    degrees_of_freedom: jax.Array
    leave_one_out: jax.Array
    path_strengths: jax.Array
    path_degrees: jax.Array
    path_leave_one_out: jax.Array


def default_strengths(m):
    """Return 60 strengths, nine decades about the mean squared singular value, the first of them zero if determined."""
    dimensions = m.cross.shape[0]
    multiples = jnp.geomspace(1e-5, 1e4, 60, dtype=m.cross.dtype)
    multiples = multiples.at[0].multiply(jnp.where(m.total > dimensions + 1, 0, 1))
    return m.source_squares.sum() / jnp.minimum(m.total - 1, dimensions) * multiples


def shrinkage(values, keep, strength):
    """Return 1 / (values + strength), the pseudo-inverse where strength is zero."""
    return reciprocal(values + strength, keep | (strength > 0))
