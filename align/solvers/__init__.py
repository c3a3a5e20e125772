"""Solvers: from two sets of codes to the map between them.

With rows in correspondence a solver is called as `solver(source, target, *, weights=None, ...)`, source `[n, d_source]`
and target `[n, d_target]`; those that know less take less (`labels`, `icp`, `unpaired`), and a key first where they
draw at random. All return an `AffineMap`. Written for one pair of point sets; `jax.vmap` gives the repeats.

`SOLVERS` is the one table of them: the command line, the experiments, the tests and the documentation read it.
`SEVERAL` has those of more than two spaces.
"""

from collections.abc import Callable

from align.linalg.shrinkage import TOWARDS, RidgePath
from align.maps import AffineMap
from align.solvers.catalogue import Known, Solver, from_clouds, from_labels, from_pairs
from align.solvers.circles import Circles, unpaired_many
from align.solvers.generalised import Consensus, consensus
from align.solvers.icp import icp
from align.solvers.labels import class_gaussians, class_means, labels, subclass_means
from align.solvers.linear import affine, linear, reduced_rank
from align.solvers.ridge import ridge
from align.solvers.rigid import orthogonal, rigid, scaling, similarity
from align.solvers.unpaired import unpaired

__all__ = [
    "SEVERAL",
    "SOLVERS",
    "TOWARDS",
    "AffineMap",
    "Circles",
    "Consensus",
    "Known",
    "RidgePath",
    "Solver",
    "affine",
    "class_gaussians",
    "class_means",
    "consensus",
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
    "unpaired_many",
]

SOLVERS: dict[str, Solver] = {
    "orthogonal": from_pairs(orthogonal, "reflection", streams=True, into="as many", freedom="half"),
    "rigid": from_pairs(rigid, "reflection", streams=True, into="as many", freedom="half"),
    "similarity": from_pairs(similarity, "reflection", streams=True, into="as many", freedom="half"),
    "scaling": from_pairs(scaling, into="equal", freedom="one"),
    "linear": from_pairs(linear, "rcond", streams=True),
    "affine": from_pairs(affine, "rcond", streams=True),
    "reduced_rank": from_pairs(reduced_rank, "rank", "rcond", required=("rank",)),
    "ridge": from_pairs(ridge, "strengths", "towards", "reflection", streams=True),
    "class_means": from_labels(class_means, "step", draws=False),
    "class_gaussians": from_labels(class_gaussians, "whitening", "restarts", "iterations"),
    "subclass_means": from_labels(subclass_means, "clusters", "sample", "step", "iterations"),
    "labels": from_labels(labels, "whitenings", "restarts", "iterations", "subset", "tolerance"),
    "icp": from_clouds(
        icp, "step", "matching", "iterations", "subset", "restarts",
        helped_by=("source_labels", "target_labels"),
    ),
    "unpaired": from_clouds(
        unpaired, "forms", "restarts", "finalists", "clusters", "sample", "subset", "contrast",
        helped_by=("pairs", "source_labels", "target_labels"),
    ),
}  # fmt: skip

# Those of more than two spaces, which give a map for each of them: from rows in correspondence, and from clouds.
SEVERAL: dict[str, Callable[..., Consensus | Circles]] = {"consensus": consensus, "unpaired_many": unpaired_many}
