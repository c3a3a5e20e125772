"""How the cost grows: with the rows, with the dimension, and with the number of seeds.

One row for each point of the plots. Fits have 32 dimensions where the rows grow, and 8,192 rows where the dimension
does; training is two epochs of 4,800 images.
"""

import os
import statistics
import time

import jax

from align import models, solvers
from align_lab.bench import epochs, harness, point_sets

FEW_DIMENSIONS, ROWS, IMAGES, EPOCHS = 32, 8_192, 4_800, 2
# Ridge looks at every row for each of 60 strengths; beyond these sizes a point of the plot would take minutes.
RIDGE = {"rows": 1_000_000, "dimension": 512}
AXES = {
    "rows": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "dimension": (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096),
    "seeds": (1, 2, 3, 4, 6, 8),
}
SMALL = {"rows": (100, 1_000), "dimension": (4, 8), "seeds": (1, 2)}
_LONG = 5.0  # seconds from which a call is timed once


def fit(solver, n, d):
    point_sets.pairs.cache_clear()  # the largest fill a good part of the memory
    source, target = (jax.numpy.asarray(array) for array in point_sets.pairs(n, d, rigid=True))
    return lambda: solver(source, target).weight


def jobs(small):
    """List the points of all plots."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    axes, images = (SMALL, 128) if small else (AXES, IMAGES)
    listed = []
    for name, solver in (("affine", solvers.affine), ("rigid", solvers.rigid), ("ridge", solvers.ridge)):
        for axis in ("rows", "dimension"):
            for size in axes[axis]:
                if solver is solvers.ridge and size > RIDGE[axis]:
                    continue
                shape = (size, FEW_DIMENSIONS) if axis == "rows" else (ROWS, size)
                listed.append(_point(axis, name, size, lambda solver=solver, shape=shape: fit(solver, *shape)))
    for name in models.MODELS:
        model = models.autoencoder(name, epochs.LATENT, "mnist")
        for size in axes["seeds"]:
            listed.append(_point("seeds", f"train {name}", size, epochs.ours(model, images, epochs=EPOCHS, seeds=size)))
    return listed


def _point(axis, series, size, prepare):
    def measure(effort):
        run = prepare()
        jax.block_until_ready(run())
        began = time.perf_counter()
        jax.block_until_ready(run())
        seconds = time.perf_counter() - began
        if seconds < _LONG:
            seconds = statistics.median(harness.in_turn({series: run}, effort)[series])
        return {"axis": axis, "series": series, "size": size, "seconds": seconds}

    return harness.Job("growth", f"{axis}: {series}, {size:,}", measure)
