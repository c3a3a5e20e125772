"""The records of a plan about classifiers: which there are to train, and which heads are to read whose mapped codes."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from align.training import Settings

TABLE = "classify"
COUNTS = (10, 20, 50, 100, 1000, None)  # of pairs, None for all


@dataclass(frozen=True)
class Classifiers:
    """Classifiers of one architecture from several seeds.

    held_out: how many of the training images, the last, are left out and tested on, so that choices need no test set.
    """

    worker: ClassVar = "align_lab.heads.classifiers"

    dataset: str
    model: str
    latent: int
    seeds: tuple[int, ...]
    settings: "Settings"
    held_out: int = 0

    @property
    def name(self) -> str:
        return f"train classifiers {self.dataset} {self.model}, latent {self.latent}"


@dataclass(frozen=True)
class Heads:
    """The heads of some classifiers on the mapped codes of others, by what a step of the ladder may know.

    Every seed of the source leads to the next one of the target. counts: of pairs, None for all. cloud: images a side,
    none of them on both, for maps that know no pairs, or few.
    """

    worker: ClassVar = "align_lab.heads.carrying"

    step: str
    source: Classifiers
    target: Classifiers
    counts: tuple[int | None, ...] = (None,)
    cloud: int = 0

    @property
    def name(self) -> str:
        return f"heads by {self.step}, {self.source.dataset}, {self.source.model} → {self.target.model}"

    @property
    def seeds(self) -> list[tuple[int, int]]:
        """Give the seeds of the ordered pairs of networks; in the step "own" each is its own."""
        if self.step == "own":
            return [(seed, seed) for seed in self.source.seeds]
        return list(zip(self.source.seeds, itertools.islice(itertools.cycle(self.target.seeds), 1, None), strict=False))
