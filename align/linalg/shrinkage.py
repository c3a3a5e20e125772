"""Ridge strengths, what they do to eigenvalues, and the record of how one was chosen."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.linalg.decompositions import reciprocal
from align.linalg.moments import Moments

# "origin" is zero without an intercept; "map" the weight of a given map, "whole map" its value at the mean too.
TOWARDS = ("zero", "rigid", "similarity", "origin", "map", "whole map")
CHOSEN_BY = {
    "leave_one_out": "exact leave-one-out",
    "generalised": "generalised cross-validation, as rows were streamed",
}


class RidgePath(NamedTuple):
    """How a ridge fit was chosen: the `details` of its map.

    strength: the chosen one; towards: what it shrinks towards, an index into `TOWARDS`, whose name is `goal`.
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

    @property
    def goal(self) -> str:
        """The name of what the fit shrinks towards."""
        return TOWARDS[int(self.towards)]

    def summary(self) -> dict[str, float | str]:
        """Return what was chosen, by name, and by which estimate of the error."""
        return _summary(self, "leave_one_out")


class StreamedRidgePath(NamedTuple):
    """How a ridge fit from a record was chosen, which has no rows to leave out: the `details` of its map.

    generalised: the root of the generalised cross-validation error over ‖target − mean(target)‖, in place of
    leave_one_out. path_strengths, path_degrees, path_generalised: `[k]`. The rest as in `RidgePath`.
    """

    strength: jax.Array
    towards: jax.Array
    degrees_of_freedom: jax.Array
    generalised: jax.Array
    path_strengths: jax.Array
    path_degrees: jax.Array
    path_generalised: jax.Array

    @property
    def goal(self) -> str:
        """The name of what the fit shrinks towards."""
        return TOWARDS[int(self.towards)]

    def summary(self) -> dict[str, float | str]:
        """Return what was chosen, by name, and by which estimate of the error."""
        return _summary(self, "generalised")


def _summary(path, estimate):
    numbers = {name: float(getattr(path, name)) for name in ("strength", "degrees_of_freedom", estimate)}
    return {**numbers, "towards": path.goal, "chosen_by": CHOSEN_BY[estimate]}


def default_strengths(m: Moments, rows: jax.Array | float) -> jax.Array:
    """Return 60 strengths, nine decades about the mean squared singular value, the first of them zero if determined.

    rows: how many the moments are of, whatever they weigh.
    """
    dimensions = m.cross.shape[0]
    multiples = jnp.geomspace(1e-5, 1e4, 60, dtype=m.cross.dtype)
    multiples = multiples.at[0].multiply(jnp.where(rows > dimensions + 1, 0, 1))
    return m.source_squares.sum() / jnp.minimum(jnp.asarray(rows, m.cross.dtype) - 1, dimensions) * multiples


def shrinkage(values: jax.Array, keep: jax.Array, strength: jax.Array | float) -> jax.Array:
    """Return 1 / (values + strength), the pseudo-inverse where strength is zero."""
    return reciprocal(values + strength, keep | (strength > 0))
