"""How long a training step takes with our convolutions, and with Flax's own, inside the same compiled epoch.

    python experiments/benchmarks/training_step.py

The convolutional autoencoder with 16 and 32 channels, batch 64, Adam, latent 50, one seed, steps inside `lax.scan`.
Both run in turn in one process; the medians and their ratio are printed as JSON. About a minute.
"""

import json
import statistics
import time

import jax
import optax
from absl import app, flags
from flax import linen as nn
from jax import numpy as jnp

from align import models

FLAGS = flags.FLAGS
CHANNELS, SIZES, LATENT, BATCH = (16, 32), (3, 3), 50, 64


class FlaxAutoencoder(nn.Module):
    """The same network from Flax's convolutions."""

    @nn.compact
    def __call__(self, x):
        for features in CHANNELS:
            x = nn.relu(nn.Conv(features, (3, 3), 2)(x))
        x = nn.Dense(LATENT)(x.reshape(len(x), -1))
        x = nn.relu(nn.Dense(7 * 7 * CHANNELS[1])(x)).reshape(len(x), 7, 7, CHANNELS[1])
        x = nn.relu(nn.ConvTranspose(CHANNELS[0], (3, 3), (2, 2))(x))
        return nn.sigmoid(nn.ConvTranspose(1, (3, 3), (2, 2))(x))


def epoch(model, steps):
    """Compile a number of training steps on random images; return a function that runs them."""
    images = jax.random.uniform(jax.random.key(0), (10 * BATCH, 28, 28, 1))
    params = model.init(jax.random.key(1), images[:1])
    adam = optax.adam(1e-3)

    def step(carry, rows):
        params, moments = carry
        gradient = jax.grad(lambda p: jnp.mean((model.apply(p, images[rows]) - images[rows]) ** 2))(params)
        updates, moments = adam.update(gradient, moments)
        return (optax.apply_updates(params, updates), moments), None

    order = jax.random.permutation(jax.random.key(2), jnp.arange(steps * BATCH) % len(images)).reshape(steps, BATCH)
    run = jax.jit(lambda carry: jax.lax.scan(step, carry, order)[0]).lower((params, adam.init(params))).compile()
    return lambda: jax.block_until_ready(run((params, adam.init(params))))


def main(_):
    ours = models.Autoencoder(
        models.ConvEncoder(LATENT, CHANNELS, SIZES), models.ConvDecoder(CHANNELS, SIZES, sigmoid=True)
    )
    runs = {"ours": epoch(ours, FLAGS.steps), "flax": epoch(FlaxAutoencoder(), FLAGS.steps)}
    times = {name: [] for name in runs}
    for _ in range(FLAGS.repeats + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - began) / FLAGS.steps * 1e3)
    medians = {name: round(statistics.median(values[1:]), 3) for name, values in times.items()}
    print(
        json.dumps(
            {
                "question": "training step, conv 16/32, batch 64, in scan",
                "milliseconds": medians,
                "ratio": round(medians["flax"] / medians["ours"], 2),
                "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
                "jax": jax.__version__,
            }
        )
    )


if __name__ == "__main__":
    flags.DEFINE_integer("steps", 60, "Training steps in one compiled call.", 1)
    flags.DEFINE_integer("repeats", 5, "Timed calls of each.", 1)
    app.run(main)
