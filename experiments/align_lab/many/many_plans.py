"""Plans of many networks in one space: what is to be gathered, and what to be told of the networks by themselves."""

from dataclasses import dataclass
from typing import ClassVar

from align_lab.plans import Networks


@dataclass(frozen=True)
class Gathering:
    """Several networks brought into one space, from so many anchors each, out of a pool of `pool` times as many.

    spaces: the autoencoders of each architecture, all of whose seeds take part.
    """

    worker: ClassVar = "align_lab.many.agreements"

    spaces: tuple[Networks, ...]
    anchors: int
    pool: int
    methods: tuple[str, ...]
    draws: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{_networks(self.spaces)}, {self.anchors} of {self.pool * self.anchors} anchors"


@dataclass(frozen=True)
class Likeness:
    """How alike networks are, and how well maps between them carry codes.

    spaces: the autoencoders of each architecture, all of whose seeds take part.
    """

    worker: ClassVar = "align_lab.many.likeness"

    spaces: tuple[Networks, ...]

    @property
    def name(self) -> str:
        return f"{_networks(self.spaces)}, by themselves"


def _networks(spaces):
    return " + ".join(f"{len(space.seeds)} {space.model}" for space in spaces) + f", latent {spaces[0].latent}"
