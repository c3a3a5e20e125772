"""Plans: lists of what there is to train and which rows there are to make, as plain records.

A plan is read, compared and printed without anything being run. `worker` names the module that knows how to do what a
record asks for: `cost(record, store)` estimates what is left of it, `work(record, store, advance)` does that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from align.training import Settings


class Record(Protocol):
    """What every record of a plan has, those that stand in a module of their own too.

    worker: the module that does what it asks for. name: what the plan, progress and times call it.
    """

    worker: ClassVar[str]

    @property
    def name(self) -> str: ...


def together(settings: Mapping[str, "Settings"]) -> dict[str, Any]:
    """Describe how networks of several architectures were trained: once, or by architecture where that differs."""
    described = {model: one.described() for model, one in settings.items()}
    first, *others = described.values()
    return first if all(other == first for other in others) else described


@dataclass(frozen=True)
class Networks:
    """Networks of one kind from several seeds.

    kind: "autoencoder", or one of the kinds of `representations`, which have anchors, so many training images that all
    seeds share; a decoder alone is trained on the codes of `encoders`, autoencoders of the same seeds.
    """

    worker: ClassVar = "align_lab.trainings"

    kind: str
    dataset: str
    model: str
    latent: int
    seeds: tuple[int, ...]
    settings: "Settings"
    anchors: int | None = None
    encoders: "Networks | None" = None

    @property
    def name(self) -> str:
        kind = "" if self.kind == "autoencoder" else f"{self.kind} "
        anchors = f", {self.anchors} anchors" if self.anchors else ""
        return f"train {kind}{self.dataset} {self.model}, latent {self.latent}{anchors}"


@dataclass(frozen=True)
class Cell:
    """A cell of a table: methods that carry the codes of some autoencoders to the decoders of others.

    anchors: how many training images the methods may use, all where it is None; `shared` where they are one draw for
    all networks of the setting, else each ordered pair of networks has its own. own, transfer: which errors belong to
    the cell, those of networks with themselves and those of the ordered pairs. relative: how networks on relative
    representations are trained, for the methods that have any.
    """

    worker: ClassVar = "align_lab.cells"

    table: int
    source: Networks
    target: Networks
    methods: tuple[str, ...]
    relative: "Settings"
    anchors: int | None = None
    shared: bool = False
    own: bool = True
    transfer: bool = True

    @property
    def name(self) -> str:
        between = self.source.model if self.own else f"{self.source.model} → {self.target.model}"
        anchors = f", {self.anchors} anchors" if self.anchors else ""
        return f"table {self.table}, {between}, latent {self.source.latent}{anchors}"


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
class Candidate:
    """A network that might be the paper's: channels, kernel sizes and dense layers of encoder and decoder.

    held_out: how many training images, the last, are tested on in place of the test images.
    """

    worker: ClassVar = "align_lab.candidates"

    dataset: str
    latent: int
    seeds: int
    encoder: tuple[tuple[int, ...], ...]
    decoder: tuple[tuple[int, ...], ...]
    settings: "Settings"
    held_out: int = 0

    @property
    def name(self) -> str:
        return f"candidate {self.encoder} {self.decoder}, latent {self.latent}, {self.settings.epochs} epochs"


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
