"""Solvers: from corresponding rows to the map between them.

Every solver is called as `solver(source, target, *, weights=None, ...)` with source `[n, d_source]` and target
`[n, d_target]`, and returns an `AffineMap`. Written for one pair of point sets; `jax.vmap` gives the repeats.
"""

from align.maps import AffineMap
from align.solvers.icp import icp
from align.solvers.labels import class_gaussians, class_means, labels, subclass_means
from align.solvers.linear import affine, linear, reduced_rank
from align.solvers.ridge import RidgePath, ridge
from align.solvers.rigid import orthogonal, rigid, scaling, similarity
from align.solvers.unpaired import unpaired

__all__ = [
    "AffineMap",
    "RidgePath",
    "affine",
    "class_gaussians",
    "class_means",
    "icp",
    "labels",
    "linear",
    "orthogonal",
    "reduced_rank",
    "ridge",
    "rigid",
    "scaling",
    "similarity",
    "subclass_means",
    "unpaired",
]
