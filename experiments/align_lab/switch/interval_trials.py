"""Whether intervals of a recall hold what they promise, as an experiment: its flags, its plan, and what is shown."""

import dataclasses

from absl import flags

from align_lab.asked import integers
from align_lab.launch import Experiment, rows_of
from align_lab.switch.switch_plans import Intervals
from align_lab.texts.text_plans import Library

TABLE = "intervals"


@dataclasses.dataclass(frozen=True)
class IntervalsAsked:
    """What is drawn: numbers of queries, and how often."""

    library: Library
    queries: tuple[int, ...]
    draws: int

    def described(self, store) -> list[str]:
        """Say what will be computed, a text for each."""
        return [f"to compute: {self.draws:,} draws of {', '.join(map(str, self.queries))} queries"]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept: there is nothing."""
        return "nothing else is kept"


class Choices:
    """The flags of the intervals."""

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_list("queries", ["50", "200", "500"], "Numbers of queries in a draw.")
        flags.DEFINE_integer("draws", 1000, "Draws of each.", 1, 1_000_000)

    def read(self, given: flags.FlagValues, store) -> IntervalsAsked:
        """Read the flags; ValueError names the one whose value makes no sense."""
        queries = integers("queries", given)
        if min(queries, default=0) < 2:
            raise ValueError(f"--queries must be whole numbers from 2; it is {','.join(given.queries)!r}")
        from align_lab.texts import vectors

        return IntervalsAsked(Library(vectors.SAMPLE, "", 0, 0), queries, given.draws)


def plan(asked: IntervalsAsked, store) -> list[Intervals]:
    """Plan the draws."""
    return [Intervals(asked.library, queries, asked.draws) for queries in asked.queries]


def pictures(asked: IntervalsAsked, store):
    """Say what came of it, a line for each figure."""
    for row in rows_of(plan(asked, store), store, TABLE):
        yield f"{row['queries']} queries, {row['figure']}: the interval holds the truth in {row['coverage']:.1%}"


INTERVALS = Experiment(Choices(), plan, pictures, (TABLE,))
