"""How fast an affine map is fitted to more rows than one wants in memory.

2 million pairs, 256 to 256 dimensions, float32, in two `.npy` files of 2 GB; sums in float64. The files lie in a
temporary folder, and are in the page cache of a machine with memory to spare: both read the same.
"""

import atexit
import functools
import tempfile
from pathlib import Path

import numpy as np

from align import streaming
from align_lab.bench import harness, point_sets

BLOCK = 8192


def jobs(small):
    """List the one question."""
    n, d = (20_000, 16) if small else (2_000_000, 256)

    @functools.cache
    def files():
        folder = tempfile.TemporaryDirectory(prefix="align-benchmark-")
        atexit.register(folder.cleanup)
        paths = [Path(folder.name) / f"{name}.npy" for name in point_sets.Pairs._fields]
        part = point_sets.pairs(n // 20, d)
        for path, rows in zip(paths, part, strict=True):
            array = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
            for start in range(0, n, len(rows)):
                array[start : start + len(rows)] = rows
            array.flush()
        return paths

    def opened():
        return [np.load(path, mmap_mode="r") for path in files()]

    def ours():
        files()

        def run():
            fitted = streaming.fit(streaming.from_arrays(*opened(), target_moments=False), "affine")
            return fitted.weight, fitted.bias

        return run

    def by_numpy():
        """Accumulate what an affine map needs by blocks, in float64."""
        files()

        def run():
            source, target = opened()
            gram, cross = np.zeros((d, d)), np.zeros((d, d))
            sums = [np.zeros(d), np.zeros(d)]
            shifts = [array[:BLOCK].mean(0, dtype=np.float64) for array in (source, target)]
            for start in range(0, n, BLOCK):
                x, y = (
                    array[start : start + BLOCK] - shift for array, shift in zip((source, target), shifts, strict=True)
                )
                gram += x.T @ x
                cross += x.T @ y
                sums[0] += x.sum(0)
                sums[1] += y.sum(0)
            gram -= np.outer(sums[0], sums[0]) / n
            cross -= np.outer(sums[0], sums[1]) / n
            weight = np.linalg.solve(gram, cross)
            means = [shift + total / n for shift, total in zip(shifts, sums, strict=True)]
            return weight, means[1] - means[0] @ weight

        return run

    case = harness.Case(
        question=f"affine fit from disk, {n:,} x {d} → {d}",
        ours=ours,
        peers={"numpy, float64 by blocks": by_numpy},
        goals=[harness.Goal("numpy, float64 by blocks", 1.0)],
        # The Gram matrix, which is symmetric, and the cross term.
        work=harness.Work(n * (d * (d + 1) / 2 + d * d), "float64", 0.7, bytes=8 * n * d),
        check=lambda result: {"weight_norm": np.linalg.norm(np.asarray(result[0])), "bias": np.abs(result[1]).max()},
    )
    return [harness.comparison(case)]
