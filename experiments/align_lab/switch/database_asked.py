"""A switch in a database, as an experiment: its flags, its plan, and what is shown."""

import dataclasses

from absl import flags

from align.arrays.paths import expanded
from align_lab.launch import Experiment, rows_of
from align_lab.switch.groups import OLD
from align_lab.switch.switch_plans import Moved
from align_lab.texts.text_plans import Library, Space

TABLE = "database_switch"
MOVING, KILLED = "moving", "killed"  # what rows are of, beside the old encoder
_BETWEEN = "minilm:mpnet"  # of what is shipped


@dataclasses.dataclass(frozen=True)
class DatabaseAsked:
    """What is moved: from one encoder to another, and how often it is killed."""

    moved: Moved

    def described(self, store) -> list[str]:
        """Say what will be computed, a text for each."""
        one = self.moved
        return [
            f"data: {one.documents:,} documents and {one.old.library.held_out:,} queries of {one.old.library.file}",
            f"to compute: {one.name}, a map from {one.pairs:,} pairs, {one.kills} kills",
        ]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept: nothing is."""
        return "the databases are left nowhere"


class Choices:
    """The flags of the switch."""

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_string("vectors", "sample", "An .npz file with an array [texts, d] for each encoder.")
        flags.DEFINE_string("between", _BETWEEN, "The encoders, old:new.")
        flags.DEFINE_integer("documents", 3000, "Documents in the table.", 300, 10_000_000)
        flags.DEFINE_integer("pairs", 1000, "Documents beside them that both have embedded.", 20, 1_000_000)
        flags.DEFINE_integer("queries", 200, "Queries.", 1, 1_000_000)
        flags.DEFINE_integer("kills", 0, "How often what fills the table is killed.", 0, 10_000)

    def read(self, given: flags.FlagValues, store) -> DatabaseAsked:
        """Read the flags; ValueError names the one whose value makes no sense, MissingPackage without LanceDB."""
        from align_lab.switch import database
        from align_lab.texts import vectors

        database.connect(store.workdir)
        file = given.vectors if given.vectors == vectors.SAMPLE else expanded(given.vectors)
        library = Library(file, "", 0, given.queries)
        arrays = vectors.ready(library, store)
        names = given.between.split(":")
        if len(names) != 2 or not set(names) <= set(arrays) or names[0] == names[1]:
            raise ValueError(f"--between must be old:new of {', '.join(arrays)}; it is {given.between!r}")
        if (least := given.documents + given.pairs + given.queries) > (texts := len(arrays[names[0]])):
            raise ValueError(f"--documents, --pairs and --queries take {least:,} texts; --vectors has {texts:,}")
        spaces = (Space(name, library) for name in names)
        return DatabaseAsked(Moved(*spaces, given.documents, given.pairs, given.kills))


def plan(asked: DatabaseAsked, store) -> list[Moved]:
    """Plan the one switch."""
    return [asked.moved]


def pictures(asked: DatabaseAsked, store):
    """Say what came of it, a line for each stage."""
    for row in rows_of(plan(asked, store), store, TABLE):
        found = f"recall@10 {row['recall']:.3f}"
        if row["method"] == OLD:
            yield f"the old encoder, kept: {found}, {row['milliseconds']:.1f} ms a query"
        elif row["method"] == MOVING:
            yield f"{row['share']:.0%} moved: {found}, {row['milliseconds']:.1f} ms a query"
        else:
            wrong = f"{row['wrong']} of {row['answers']} answers wrong"
            yield f"{row['kills']} kills: {row['lost']} documents lost, {wrong}, finished {row['finished']} times"


DATABASE = Experiment(Choices(), plan, pictures, (TABLE,))
