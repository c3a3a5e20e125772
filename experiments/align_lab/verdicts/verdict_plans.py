"""Draws of clouds as plain records, for plans."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Shapes:
    """Draws of a kind of cloud, by name in `align_lab.verdicts.kinds`, so many rows of either side and dimensions."""

    worker: ClassVar = "align_lab.verdicts.trials"

    kind: str
    rows: int
    dimensions: int
    draws: int

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.rows} x {self.dimensions}"
