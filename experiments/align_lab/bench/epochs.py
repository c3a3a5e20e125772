"""How fast autoencoders are trained: one seed, three seeds at once, and how close that comes to the machine.

Batch 64 and Adam at 1e-3, latent 50, the networks and the call that the experiments use, inside an epoch: what
`training.fit` does between two checkpoints. Images are the shipped sample, repeated beyond the size of the caches.
"""

import functools
import os

import jax
import numpy as np
from flax import linen as nn

from align import data, models, training
from align.models.layers import Conv, ConvTranspose
from align.relative import RelativeAutoencoder
from align_lab.bench import harness

LATENT, BATCH, SEEDS, ANCHORS = 50, 64, 3, 200
MODELS = ("conv", "mlp")


class FlaxEncoder(models.ConvEncoder):
    """The convolutional encoder with Flax's own convolutions."""

    @nn.compact
    def __call__(self, images):
        x = images
        for features, size in zip(self.channels, self.sizes, strict=True):
            x = nn.relu(nn.Conv(features, (size, size), 2)(x))
        return nn.Dense(self.latent)(x.reshape(len(x), -1))


class FlaxDecoder(models.ConvDecoder):
    """The convolutional decoder with Flax's own transposed convolutions."""

    @nn.compact
    def __call__(self, codes):
        side = self.side // 2 ** len(self.channels)
        x = nn.relu(nn.Dense(side * side * self.channels[-1])(codes)).reshape(-1, side, side, self.channels[-1])
        for features, size in zip(reversed(self.channels[:-1]), reversed(self.sizes[1:]), strict=True):
            x = nn.relu(nn.ConvTranspose(features, (size, size), (2, 2))(x))
        return nn.sigmoid(nn.ConvTranspose(1, (self.sizes[0], self.sizes[0]), (2, 2))(x))


@functools.cache
def images(count):
    """Give standardised images `[count, 28, 28, 1]`, on the device."""
    sample = data.load("mnist_sample").train.images
    return jax.numpy.asarray(np.resize(sample, (count, *sample.shape[1:])))


def settings(epochs):
    return training.Settings(epochs=epochs, batch=BATCH, learning_rate=1e-3, schedule="constant")


def states(model, count, epochs, seeds=1, constants=()):
    keys = [jax.random.key(seed) for seed in range(seeds)]
    return [training.start(model, key, images(count), settings(epochs), constants) for key in keys]


def ours(model, count, *, epochs=1, seeds=1, anchors=0):
    """Train `seeds` networks at once; the first images are the anchors of those that have any."""

    def prepare():
        constants = (images(count)[:anchors],) if anchors else ()
        begun = states(model, count, epochs, seeds, constants)
        keys = [jax.random.key(100 + seed) for seed in range(seeds)]
        known = images(count), images(count), settings(epochs)
        return lambda: training.fit(model, begun, keys, *known, constants=constants)

    return prepare


def pytorch(model, count, *, epochs=1, seeds=1, tuned=False, compiled=False):
    """Train the same networks in PyTorch, one after the other."""

    def prepare():
        device = harness.torch_device()
        import torch

        from align_lab.bench import torch_networks

        inputs = torch_networks.turned(images(count)).to(device)
        runs = []
        for state in states(model, count, epochs, seeds):
            network = torch_networks.network(model, state.params).to(device)
            if tuned:
                network = network.to(memory_format=torch.channels_last)
            network = torch.compile(network) if compiled else network
            runs.append(torch_networks.training(network, inputs, batch=BATCH, epochs=epochs, fused=tuned or None))
        return lambda: [run() for run in runs]

    return prepare


def last_loss(result):
    """Give the mean loss of the last epoch of the first network: contenders learn the same."""
    return {"loss": getattr(result[0], "loss", result[0])}


def layers(model, inputs):
    """Count the multiply-adds of each layer's product for one of the inputs `[1, ...]`, forwards."""
    found = []

    def count(call, args, kwargs, context):
        out = call(*args, **kwargs)
        if isinstance(context.module, nn.Dense | Conv | ConvTranspose) and context.method_name == "__call__":
            kernel = context.module.get_variable("params", "kernel")
            # A transposed convolution multiplies at each of its inputs, a convolution at each of its outputs.
            places = args[0] if isinstance(context.module, ConvTranspose) else out
            found.append(kernel.size * int(np.prod(places.shape[1:-1])))
        return out

    def run(inputs):
        with nn.intercept_methods(count):
            return model.init_with_output(jax.random.key(0), inputs)[0]

    jax.eval_shape(run, inputs)
    return found


def multiply_adds(model):
    """Count the multiply-adds of one image's training step: each layer's product, and those of its two gradients.

    The first layer needs no gradient of its input.
    """
    forwards = layers(model, images(1))
    return 3 * sum(forwards) - forwards[0]


def multiply_adds_end_to_end(model, anchors):
    """Count those of a network on relative representations, which encodes all anchors at every step."""
    encoder, decoder = layers(model.encoder, images(1)), layers(model.decoder, jax.numpy.zeros((1, anchors)))
    return (1 + anchors / BATCH) * (3 * sum(encoder) - encoder[0]) + 3 * sum(decoder)


def jobs(small):
    """List the questions about training."""
    jax.config.update("jax_num_cpu_devices", os.cpu_count())  # as the experiments do
    count, few = (640, 128) if small else (19_200, 4_800)
    conv, mlp = (models.autoencoder(name, LATENT, "mnist") for name in MODELS)
    peers = {"PyTorch eager": {}, "PyTorch, channels last, fused Adam": {"tuned": True}}
    peers["torch.compile"] = {"compiled": True}
    pixels = images(1).nbytes
    cases = [
        harness.Case(
            question=f"train the {name} autoencoder, one seed",
            ours=ours(model, count),
            peers={peer: pytorch(model, count, **options) for peer, options in peers.items()},
            goals=[harness.Goal(harness.FASTEST, 1.0)],
            amount=count,
            unit="images/s",
            work=harness.Work(multiply_adds(model) * (count // BATCH * BATCH), "float32", share, count * pixels),
            check=last_loss,
        )
        for name, model, share in (("conv", conv, 0.45), ("mlp", mlp, 0.5))
    ]
    cases.append(
        harness.Case(
            question="train the conv autoencoder, three seeds at once",
            ours=ours(conv, count, epochs=2, seeds=SEEDS),
            peers={"three PyTorch runs in turn": pytorch(conv, count, epochs=2, seeds=SEEDS)},
            goals=[harness.Goal(harness.FASTEST, 1.0)],
            amount=count * 2 * SEEDS,
            unit="images/s",
            work=harness.Work(
                multiply_adds(conv) * (count // BATCH * BATCH) * 2 * SEEDS, "float32", 0.45, count * 2 * SEEDS * pixels
            ),
            check=last_loss,
        )
    )
    cases.append(
        harness.Case(
            question=f"train end to end on {ANCHORS} anchors, two seeds at once",
            ours=ours(RelativeAutoencoder(conv.encoder, conv.decoder), few, seeds=2, anchors=ANCHORS),
            peers={},
            amount=few * 2,
            unit="images/s",
            work=harness.Work(
                multiply_adds_end_to_end(conv, ANCHORS) * (few // BATCH * BATCH) * 2, "float32", None, few * 2 * pixels
            ),
            check=last_loss,
        )
    )
    flax = models.Autoencoder(FlaxEncoder(LATENT), FlaxDecoder(sigmoid=True))
    cases.append(
        harness.Case(
            question="train the conv autoencoder with the layers of align.models",
            ours=ours(conv, few),
            peers={"Flax's convolutions": ours(flax, few)},
            amount=few,
            unit="images/s",
            check=last_loss,
        )
    )
    return [harness.comparison(case) for case in cases]
