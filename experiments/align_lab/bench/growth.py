"""How the cost grows: with rows, dimensions, networks, spaces, rows of clouds without pairs, and processes.

One row for each point of the plots. Fits have 32 dimensions where the rows grow, and 8,192 rows where the dimension
does; training is two epochs of 4,800 images; spaces have 4,096 rows of 32 dimensions, clouds 16 dimensions. What is
streamed is one block again and again, so that no disk is measured.
"""

import os
import statistics
import time

import jax
import numpy as np

from align import models, solvers, streaming
from align_lab.bench import closed_forms, epochs, harness, point_sets, processes

FEW_DIMENSIONS, ROWS, IMAGES, EPOCHS = 32, 8_192, 4_800, 2
# Ridge looks at every row for each of 60 strengths; beyond these sizes a point of the plot would take minutes.
RIDGE = {"rows": 1_000_000, "dimension": 512}
AXES = {
    "rows": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "dimension": (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096),
    "seeds": (1, 2, 3, 4, 6, 8),
    "streamed": (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000),
    "spaces": (2, 4, 8, 16, 32, 64),
    "clouds": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "processes": (1, 2, 4),
}
SMALL = {
    "rows": (100, 1_000),
    "dimension": (4, 8),
    "seeds": (1, 2),
    "streamed": (100, 1_000),
    "spaces": (2, 3),
    "clouds": (100, 200),
    "processes": (1, 2),
}
BLOCK, OF_SPACES, OF_CLOUDS, OF_PROCESSES = 100_000, 4_096, 16, 4_000_000
_LONG = 5.0  # seconds from which a call is timed once


def fit(solver, n, d):
    point_sets.pairs.cache_clear()  # the largest fill a good part of the memory
    source, target = (jax.numpy.asarray(array) for array in point_sets.pairs(n, d, rigid=True))
    return lambda: solver(source, target).weight


def streamed(n, d):
    """Sum n rows, a block again and again, and fit."""
    point_sets.pairs.cache_clear()
    source, target = point_sets.pairs(min(n, BLOCK), d, rigid=True)

    def run():
        blocks = ((source, target) for _ in range(n // len(source)))
        return streaming.fit(streaming.from_blocks(blocks, target_moments=False), "affine").weight

    return run


def consensus(count, n, d):
    spaces = [jax.numpy.asarray(space) for space in closed_forms.several(count, n, d)]
    return lambda: [one.weight for one in solvers.consensus(spaces).maps]


def unpaired(n, d):
    """Align two clouds of one mixture, one of them turned."""
    random = np.random.default_rng(0)
    centres, turn = 2 * random.standard_normal((12, d), np.float32), np.linalg.qr(random.normal(size=(d, d)))[0]
    clouds = [centres[random.integers(0, 12, n)] + random.standard_normal((n, d), np.float32) for _ in range(2)]
    source, target = (jax.numpy.asarray(cloud) for cloud in (clouds[0], clouds[1] @ turn.astype(np.float32)))
    return lambda: solvers.unpaired(jax.random.key(0), source, target).weight


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
    for name in epochs.MODELS:
        model = models.autoencoder(name, epochs.LATENT, "mnist")
        for size in axes["seeds"]:
            listed.append(_point("seeds", f"train {name}", size, epochs.ours(model, images, epochs=EPOCHS, seeds=size)))
    few, rows_of_processes = (50, 2_000) if small else (OF_SPACES, OF_PROCESSES)
    others = {
        "streamed": ("affine", lambda n: streamed(n, FEW_DIMENSIONS)),
        "spaces": ("consensus", lambda count: consensus(count, few, FEW_DIMENSIONS)),
        "clouds": ("unpaired", lambda n: unpaired(n, OF_CLOUDS)),
    }
    for axis, (name, prepare) in others.items():
        listed += [_point(axis, name, size, lambda prepare=prepare, size=size: prepare(size)) for size in axes[axis]]
    if jax.default_backend() != "cpu":  # what streams is summed on the host
        return listed
    return listed + [_processes(count, rows_of_processes) for count in axes["processes"]]


def _processes(count, n):
    def measure(_):
        seconds = processes.seconds(count, n, FEW_DIMENSIONS)
        return {"axis": "processes", "series": "affine, streamed", "size": count, "seconds": seconds}

    return harness.Job("growth", f"processes: affine, {count:,}", measure)


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
