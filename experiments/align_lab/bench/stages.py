"""Where the time of the whole paper goes: its stages, each run in small and profiled.

`times` says how many of these runs the whole paper is, at 60,000 images and three seeds, so that the most expensive
stages can be told; the profile is JAX's own.
"""

import os
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from align import models, solvers, training
from align.relative import RelativeAutoencoder
from align.stitching import stitch_pairs
from align_lab.bench import epochs, harness, point_sets, profiles

IMAGES, EPOCHS, SEEDS, ANCHORS = 9_600, 2, 3, 200
PAIRS, WIDEST = 6, 150


class Stage(NamedTuple):
    """A stage of the whole paper, and how many of its runs that is."""

    name: str
    run: Callable[[], Callable[[], Any]]
    times: float


def stages(small: bool) -> list[Stage]:
    """Give the stages that may be among the most expensive."""
    images, points = (128, 300) if small else (IMAGES, 60_000)
    run_epochs = EPOCHS * SEEDS * IMAGES / 60_000
    conv, mlp = (models.autoencoder(name, epochs.LATENT, "mnist") for name in epochs.MODELS)
    below = models.autoencoder("conv", 10, "mnist")
    whole = RelativeAutoencoder(conv.encoder, conv.decoder)

    def train(model, constants=(), dimensions=None):
        def prepare():
            data, settings = epochs.images(images), epochs.settings(EPOCHS)
            inputs = data if dimensions is None else jax.random.normal(jax.random.key(0), (images, dimensions))
            keys = [jax.random.key(seed) for seed in range(SEEDS)]
            begun = [training.start(model, key, inputs, settings, constants) for key in keys]
            return lambda: training.fit(model, begun, keys, inputs, data, settings, constants=constants)

        return prepare

    def stitch():
        source, target = map(jax.numpy.asarray, point_sets.pairs(points, WIDEST))
        settings = training.Settings(epochs=1 if small else 4, learning_rate=1e-3, schedule="constant")
        keys = list(jax.random.split(jax.random.key(0), 2))
        return lambda: [m.params for m in stitch_pairs(keys, [source] * 2, [target] * 2, factor=4, settings=settings)]

    def icp():
        source, target = map(jax.numpy.asarray, point_sets.pairs(points, epochs.LATENT, rigid=True))
        # The classes are shifted by a row, so that no point finds its partner, and all iterations are made.
        labels = jax.numpy.arange(points) % 10
        known = {"source_labels": labels, "target_labels": jax.numpy.roll(labels, 1)}
        return lambda: solvers.icp(jax.random.key(0), source, target, **known).weight

    # Network-epochs: Table 1 has three latents from 50 on of 14 epochs and three below of 12; Tables 5 and 6 have two
    # latents of 7 for either architecture; Table 2 ten settings of 4 epochs, Tables 5 and 6 two for either architecture
    # (of which the MLP's are not counted), the ablation five more decoders.
    # Stitching: a step costs (2 k + k²) d² multiply-adds, of which k = 4 has 24 in 35 and d = 150 has 22,500 of 36,004,
    # the sum over the latents of Table 1; 6 pairs, 14 epochs. ICP: Table 4, 4 latents, 2 steps, 6 pairs.
    return [
        Stage("train conv autoencoders, latent 50 and more", train(conv), SEEDS * (3 * 14 + 2 * 7) / run_epochs),
        Stage("train conv autoencoders below latent 50", train(below), SEEDS * 3 * 12 / run_epochs),
        Stage("train MLP autoencoders", train(mlp), SEEDS * 2 * 7 / run_epochs),
        Stage(
            "train end to end on relative representations",
            train(whole, (epochs.images(images)[:ANCHORS],)),
            SEEDS * (10 + 2) * 4 / run_epochs,
        ),
        Stage(
            "train new decoders on relative representations",
            train(conv.decoder, dimensions=ANCHORS),
            SEEDS * (10 + 2 + 5) * 4 / run_epochs,
        ),
        Stage("stitching networks on all pairs", stitch, (35 / 24) * (36_004 / 22_500) * PAIRS * 14 / (2 * 4)),
        Stage("ICP within the classes", icp, 4 * 2 * PAIRS),
    ]


def jobs(small):
    """List one profile for each stage."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    return [_job(stage) for stage in stages(small)]


def _job(stage):
    def measure(effort):
        run = stage.run()
        jax.block_until_ready(run())
        seconds = statistics.median(harness.in_turn({stage.name: run}, effort)[stage.name])
        return {"seconds": seconds, "whole_paper": seconds * stage.times, "where": profiles.where(run)}

    return harness.Job("stage", stage.name, measure)
