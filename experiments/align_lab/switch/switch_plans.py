"""Searches while an encoder is switched as plain records, for plans."""

from dataclasses import dataclass
from typing import ClassVar

from align_lab.texts.text_plans import Embedding, Library, Space


@dataclass(frozen=True)
class Switch:
    """What a search finds in the index of an old encoder when a new one asks, by maps between the two.

    asking: "words" (each the query of one document) or "documents" (left out of the index). anchors: numbers of
    documents that both encoders have embedded, drawn once for every seed.
    """

    worker: ClassVar = "align_lab.switch.searches"

    old: Embedding
    new: Embedding
    asking: str
    solvers: tuple[str, ...]
    anchors: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"index of {self.old.encoder}, asked by {self.asking} of {self.new.encoder}"


@dataclass(frozen=True)
class Swap:
    """What a search finds when its encoder is swapped: an index of the old one's vectors, asked by the new one's.

    documents: the first so many texts of the file; those held out ask. anchors: numbers of documents that both have
    embedded, drawn once for every seed. methods: by name of `align_lab.switch.swaps`.
    """

    worker: ClassVar = "align_lab.switch.swaps"

    old: Space
    new: Space
    documents: int
    methods: tuple[str, ...]
    anchors: tuple[int, ...]
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.old.encoder} → {self.new.encoder}: {', '.join(self.methods)}"


@dataclass(frozen=True)
class Intervals:
    """Draws of queries, and how often the interval that is stated for them holds what is true of all."""

    worker: ClassVar = "align_lab.switch.interval_coverage"

    library: Library
    queries: int
    draws: int

    @property
    def name(self) -> str:
        return f"intervals of {self.queries} queries"


@dataclass(frozen=True)
class Moved:
    """A table of documents that moves from an old encoder to a new one while it is searched, and is killed at it."""

    worker: ClassVar = "align_lab.switch.database_stages"

    old: Space
    new: Space
    documents: int
    pairs: int
    kills: int

    @property
    def name(self) -> str:
        return f"{self.old.encoder} → {self.new.encoder} in a database"
