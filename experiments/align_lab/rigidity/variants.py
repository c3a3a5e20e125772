"""The networks that are compared: each differs in one factor from another one, which it names."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flax import linen as nn


@dataclass(frozen=True)
class Architecture:
    """An autoencoder by its parts: convolutions, or none; and dense layers before the latent and after it.

    channels, sizes: of the convolutions, () for a fully connected network. encoder, decoder: widths of dense layers.
    rectified: whether the latents go through a ReLU.
    """

    channels: tuple[int, ...] = (32, 32)
    sizes: tuple[int, ...] = (5, 3)
    encoder: tuple[int, ...] = ()
    decoder: tuple[int, ...] = ()
    rectified: bool = False

    def __str__(self) -> str:
        # Sizes are named where they are not the usual ones of so many channels, by which rows know these networks.
        unusual = self.channels and self.sizes != ((5, 3) if self.channels == (32, 32) else (3,) * len(self.channels))
        kernels = f" of {', '.join(f'{size} x {size}' for size in self.sizes)}" if unusual else ""
        parts = [f"conv {'-'.join(map(str, self.channels))}{kernels}"] if self.channels else []
        parts += [f"dense {'-'.join(map(str, self.encoder))}"] if self.encoder else []
        parts += ["latent", *(["ReLU"] if self.rectified else [])]
        parts += [f"dense {'-'.join(map(str, self.decoder))}"] if self.decoder else []
        return ", ".join(parts + ([f"conv {'-'.join(map(str, self.channels[::-1]))}"] if self.channels else []))

    def build(self, latent: int, dataset: str, shape: tuple[int, int, int]) -> "nn.Module":
        """Give the autoencoder for images `[n, *shape]`, with the last layer that is usual for the dataset."""
        from align import models
        from align_lab.rigidity.rectified import Rectified

        usual = {"sigmoid": models.last_layer("conv", dataset) == "sigmoid"}
        usual |= {"side": 28 if shape == (28, 28, 1) else shape}
        if self.channels:
            encoder = models.ConvEncoder(latent, self.channels, self.sizes, self.encoder)
            decoder = models.ConvDecoder(self.channels, self.sizes, self.decoder, **usual)
        else:
            encoder = models.MLPEncoder(latent, self.encoder)
            decoder = models.MLPDecoder(self.decoder, **usual)
        return models.Autoencoder(Rectified(encoder) if self.rectified else encoder, decoder)


@dataclass(frozen=True)
class Variant:
    """A way to make networks: its architecture, what it changes of the training, and what it is one step away from.

    factor: in words, what is changed of the variant `of`.
    """

    architecture: Architecture = Architecture()
    training: dict[str, Any] = field(default_factory=dict)
    of: str | None = None
    factor: str = ""


CONSTANT = {"learning_rate": 1e-3, "schedule": "constant"}
TRAININGS = {
    "pytorch": ({"initial": "uniform"}, "PyTorch's initial parameters"),
    "orthogonal": ({"initial": "orthogonal"}, "orthogonal initial kernels"),
    "decay": ({"weight_decay": 0.05}, "weight decay 0.05"),
    "b2": ({"memory": 0.99}, "Adam's b2 0.99 in place of 0.999"),
    "batch256": ({"batch": 256}, "batches of 256 in place of 64"),
    "rate3e-3": ({"learning_rate": 3e-3}, "a rate of 3e-3 in place of 1e-3"),
    "onecycle": ({"learning_rate": 5e-3, "schedule": "onecycle"}, "one cycle up to 5e-3"),
}
NARROW = {"channels": (16, 32), "sizes": (3, 3)}
NETWORKS = {
    "deep": ({"channels": (16, 32, 64), "sizes": (3, 3, 3)}, "narrow", "three convolutions in place of two"),
    "dense1024": ({"encoder": (1024,), "decoder": (1024,)}, "narrow", "a dense layer of 1,024 on either side"),
    "dense256": ({"encoder": (256,), "decoder": (256,)}, "narrow", "a dense layer of 256 on either side"),
    "dense64": ({"encoder": (64,), "decoder": (64,)}, "narrow", "a dense layer of 64 on either side"),
    "encoder64": ({"encoder": (64,)}, "narrow", "a dense layer of 64 in the encoder"),
    "decoder64": ({"decoder": (64,)}, "narrow", "a dense layer of 64 in the decoder"),
    "ReLU": ({"rectified": True}, "narrow", "a ReLU on the latents"),
    "mlp": ({"channels": (), "sizes": (), "encoder": (512, 256), "decoder": (512, 256)}, "narrow", "fully connected"),
}


def _varied(of, architecture):
    """Give what differs from a variant in training alone."""
    named = {f"{of}+{name}": given for name, given in TRAININGS.items()}
    return {name: Variant(architecture, {**CONSTANT, **how}, of, words) for name, (how, words) in named.items()}


# "ours" are the networks of the paper's tables; "constant" has the paper's own training.
VARIANTS = {
    "ours": Variant(),
    "constant": Variant(training=CONSTANT, of="ours", factor="a constant rate of 1e-3, b2 0.999"),
    "ours+decay": Variant(training={"weight_decay": 0.05}, of="ours", factor="weight decay 0.05"),
    "constant+pytorch": Variant(
        training={**CONSTANT, "initial": "uniform"}, of="constant", factor="PyTorch's initial parameters"
    ),
    "narrow": Variant(Architecture(**NARROW), CONSTANT, "constant", "16 and 32 channels, kernels of 3 x 3"),
}
for _name, (_parts, _of, _words) in NETWORKS.items():
    VARIANTS[_name] = Variant(Architecture(**{**NARROW, **_parts}), CONSTANT, _of, _words)
for _name in ("narrow", "dense64", "dense256", "mlp"):
    VARIANTS |= _varied(_name, VARIANTS[_name].architecture)
