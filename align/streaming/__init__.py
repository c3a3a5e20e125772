"""Sufficient statistics: fit rows that never fit in memory, from one small record that merges.

    from align import streaming
    record = streaming.from_arrays(np.load("x.npy", mmap_mode="r"), np.load("y.npy", mmap_mode="r"))
    fitted = streaming.fit(record, "affine")

A record holds counts, means and centred second moments in float64, accumulated in float64 whatever the input: squares
of float32 data of condition 1e4 need the digits. What streams is summed by the host, whose BLAS multiplies a matrix
with itself at half the price; what is sharded, by its devices. The record of several streams, shards or processes is
the merge of theirs. Maps are returned in the default float of JAX.
"""

from align.streaming.accumulate import from_arrays, from_blocks
from align.streaming.fits import fit, ridge
from align.streaming.measures import canonical_correlations, linear_cka, procrustes_distance
from align.streaming.record import Statistics, merge
from align.streaming.shards import across_processes, from_sharded

__all__ = [
    "Statistics",
    "across_processes",
    "canonical_correlations",
    "fit",
    "from_arrays",
    "from_blocks",
    "from_sharded",
    "linear_cka",
    "merge",
    "procrustes_distance",
    "ridge",
]
