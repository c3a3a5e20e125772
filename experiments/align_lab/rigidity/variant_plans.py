"""The records of a plan about factors: which networks there are to train, and between which maps are fitted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from align.training import Settings
    from align_lab.rigidity.variants import Architecture

TABLE = "rigidity"


@dataclass(frozen=True)
class Varied:
    """Autoencoders of one variant from several seeds."""

    worker: ClassVar = "align_lab.rigidity.varied"

    dataset: str
    variant: str
    architecture: "Architecture"
    latent: int
    seeds: tuple[int, ...]
    settings: "Settings"

    @property
    def name(self) -> str:
        return f"train {self.variant}, {self.dataset}, latent {self.latent}, {self.settings.epochs} epochs"


@dataclass(frozen=True)
class Relations:
    """Maps between all ordered pairs of the networks of a variant, from all pairs of codes and from some."""

    worker: ClassVar = "align_lab.rigidity.relations"

    networks: Varied
    anchors: int

    @property
    def name(self) -> str:
        one = self.networks
        return f"maps of {one.variant}, {one.dataset}, latent {one.latent}, {one.settings.epochs} epochs"
