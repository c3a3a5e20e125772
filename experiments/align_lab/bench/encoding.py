"""How fast 70,000 images are encoded."""

import jax

from align import models
from align_lab.bench import harness
from align_lab.bench.epochs import LATENT, MODELS, images, layers


def ours(model, count):
    def prepare():
        params = model.init(jax.random.key(0), images(1))
        return lambda: models.encode(model, params, images(count))

    return prepare


def pytorch(model, count, *, batch=1000, channels_last=False, compiled=False):
    """Encode without gradients, `batch` images at a time."""

    def prepare():
        device = harness.torch_device()
        import torch

        from align_lab.bench import torch_networks

        network = torch_networks.network(model, model.init(jax.random.key(0), images(1)))
        # The encoder ends with the layer that gives the codes.
        ends = next(i for i, layer in enumerate(network) if getattr(layer, "out_features", None) == LATENT)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        encoder = network[: ends + 1].to(device, memory_format=layout)
        encoder = torch.compile(encoder) if compiled else encoder
        inputs = torch_networks.turned(images(count)).to(device, memory_format=layout)

        def run():
            with torch.no_grad():
                return torch.cat([encoder(block) for block in inputs.split(batch)]).cpu()

        return run

    return prepare


def jobs(small):
    """List one question for each architecture."""
    count = 1_000 if small else 70_000
    return [
        harness.comparison(
            harness.Case(
                question=f"encode {count:,} images, {name}",
                ours=ours(model, count),
                peers={
                    "PyTorch, no_grad, batch 1,000": pytorch(model, count),
                    "PyTorch, no_grad, batch 100": pytorch(model, count, batch=100),
                    "PyTorch, no_grad, batch 100, channels last": pytorch(model, count, batch=100, channels_last=True),
                    "torch.compile": pytorch(model, count, compiled=True),
                },
                goals=[harness.Goal(harness.FASTEST, 1.0)],
                amount=count,
                unit="images/s",
                work=harness.Work(
                    count * sum(layers(model.encoder, images(1))),
                    "float32",
                    bytes=count * (images(1).nbytes + 4 * LATENT),
                ),
                check=lambda codes: {"mean_code": float(codes.mean())},
            )
        )
        for name, model in ((name, models.autoencoder(name, LATENT, "mnist")) for name in MODELS)
    ]
