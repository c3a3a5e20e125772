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
        parts = [f"conv {'-'.join(map(str, self.channels))}"] if self.channels else []
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
