"""Maps between encoders as plain records, for plans."""

from dataclasses import dataclass
from typing import ClassVar

from align_lab.texts.text_plans import Space


@dataclass(frozen=True)
class Crossing:
    """Maps between what two encoders make of different texts, so many on either side, with so many known pairs.

    control: what takes the place of the target's cloud, "" where nothing does. Every key draws other texts.
    """

    worker: ClassVar = "align_lab.crossing.attempts"

    source: Space
    target: Space
    texts: int
    pairs: int
    methods: tuple[str, ...]
    keys: tuple[int, ...]
    control: str = ""

    @property
    def name(self) -> str:
        target = f"{self.control} in place of {self.target.encoder}" if self.control else self.target.encoder
        return f"{self.source.encoder} → {target}, {self.texts:,} texts a side, {self.pairs:,} pairs"
