"""Similarity of two sets of representations as pure functions of arrays.

Every metric takes `x` `[n, d_x]` and `y` `[n, d_y]` with rows in correspondence and returns a scalar (or one value a
row or a component). All are invariant to a permutation of the rows applied to both sides, `minibatch_cka` excepted,
and none survives a permutation of one side. What else each of them ignores:

| metric                     | translation | orthogonal | isotropic scale | invertible linear |
|----------------------------|-------------|------------|-----------------|-------------------|
| `linear_cka`               | yes         | yes        | yes             | no                |
| `kernel_cka`               | yes         | yes        | yes             | no                |
| `minibatch_cka`            | yes         | yes        | yes             | no                |
| `canonical_correlations`   | yes         | yes        | yes             | yes               |
| `cca`                      | yes         | yes        | yes             | yes               |
| `svcca`                    | yes         | yes        | yes             | no                |
| `procrustes_distance`      | yes         | yes        | `normalise`     | no                |
| `mutual_knn_overlap`       | Euclidean   | yes        | yes             | no                |
| `retrieval_ranks`, …       | Euclidean*  | both*      | cosine; both*   | no                |
| `relative_residual`, …     | both*       | both*      | both*           | no                |

Each side may be transformed on its own, except where marked `both*`: those are called as `(prediction, target)`, the
prediction in the space of the target, and only a transformation applied to both sides leaves the value alone.

Half precisions are computed in float32, and so are integers, or in float64 where x64 is on. Scales may be anything that
float32 holds: rows are brought to about 1 before they are squared. A row that is not finite, or zero where only its
direction counts, spoils its own place and no other: it counts as missed where rows are retrieved, and is left out where
sets are compared; `bad_rows` counts such rows. Where a value is undefined, as for a constant set, it is NaN or
infinite.
"""

from align.metrics.cca import canonical_correlations, cca, svcca
from align.metrics.cka import kernel_cka, linear_cka, minibatch_cka
from align.metrics.neighbourhoods import mutual_knn_overlap
from align.metrics.prediction import mean_cosine, r_squared, relative_residual
from align.metrics.retrieval import mean_reciprocal_rank, retrieval_ranks, top_k_accuracy
from align.metrics.rows_at_fault import BadRows, bad_rows
from align.metrics.shape import procrustes_distance

__all__ = [
    "BadRows",
    "bad_rows",
    "canonical_correlations",
    "cca",
    "kernel_cka",
    "linear_cka",
    "mean_cosine",
    "mean_reciprocal_rank",
    "minibatch_cka",
    "mutual_knn_overlap",
    "procrustes_distance",
    "r_squared",
    "relative_residual",
    "retrieval_ranks",
    "svcca",
    "top_k_accuracy",
]
