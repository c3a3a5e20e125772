"""Texts and what encoders make of them as plain records, for plans."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Texts:
    """Documents and queries drawn from a corpus: a folder of WordNet's data files, or tab-separated lines."""

    corpus: str
    documents: int
    queries: int


@dataclass(frozen=True)
class Embedding:
    """The texts as an encoder embeds them, by its name."""

    worker: ClassVar = "align_lab.texts.encoders"

    encoder: str
    texts: Texts

    @property
    def name(self) -> str:
        return f"embed by {self.encoder}"


@dataclass(frozen=True)
class Library:
    """Texts by several encoders: a file of vectors, "sample", or none; and the corpus that the others embed.

    texts: how many are drawn from the corpus where there is no file. held_out: how many of them, the last, no map sees.
    others: texts of another kind, for a control.
    """

    file: str
    corpus: str
    texts: int
    held_out: int
    others: "Library | None" = None


@dataclass(frozen=True)
class Space:
    """What an encoder makes of the texts of a library."""

    worker: ClassVar = "align_lab.texts.vectors"

    encoder: str
    library: Library

    @property
    def name(self) -> str:
        return f"vectors by {self.encoder}"
