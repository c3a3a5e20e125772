"""The steps of the ladder as plain records, for plans."""

from dataclasses import dataclass
from typing import ClassVar

from align_lab.plans import Networks


@dataclass(frozen=True)
class Rungs:
    """A step of the ladder between all pairs and nothing known, in one space.

    spaces: the autoencoders of each architecture; maps lead between the seeds of the only one, or from each to the
    other. keys: runs of a method that knows no pair. counts: numbers of pairs, where a step has any to vary.
    strangers: networks of other data, for maps not to be trusted.
    """

    worker: ClassVar = "align_lab.ladder.climbing"

    step: str
    spaces: tuple[Networks, ...]
    keys: int
    counts: tuple[int, ...]
    strangers: Networks | None = None

    @property
    def name(self) -> str:
        return f"{self.step}, {self.spaces[0].dataset}, latent {self.spaces[0].latent}"
