"""Plans of many networks in one space: what is to be gathered, and what to be told of the networks by themselves."""

from dataclasses import dataclass
from typing import ClassVar

from align_lab.plans import Networks, together

TABLE, ALIKE = "consensus", "alike"  # of gatherings, and of networks by themselves


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


def columns(spaces: tuple[Networks, ...]) -> dict:
    """Give what rows say of the networks that are brought together, such as the group conv:5+mlp:5.

    How they were trained is said by architecture where it differs: a measure of one is against all others.
    """
    group = "+".join(f"{space.model}:{len(space.seeds)}" for space in spaces)
    settings = together({space.model: space.settings for space in spaces})
    return {"dataset": spaces[0].dataset, "group": group, "latent": spaces[0].latent, "settings": settings}


def _networks(spaces):
    return " + ".join(f"{len(space.seeds)} {space.model}" for space in spaces) + f", latent {spaces[0].latent}"
