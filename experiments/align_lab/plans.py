"""Plans: lists of what there is to train and which rows there are to make, as plain records.

A plan is read, compared and printed without anything being run. `worker` names the module that knows how to do what a
record asks for: `cost(record, store)` estimates what is left of it, `work(record, store, advance)` does that. Where its
rows are of vectors or texts, `origin(record, store)` gives their table, the name of these in it, and what they are.
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
