"""What `auto` says of its choice: what was compared, in numbers and in words."""

import dataclasses
from typing import NamedTuple

import jax

from align.search import bootstrap, families
from align.search.bootstrap import Estimate
from align.search.families import Mix

_STATIC = {"static": True}  # of text, which no transformation of JAX takes as a leaf


class Line(NamedTuple):
    """What left-out pairs say of one family, each with its interval.

    score: what was chosen by: for "search" the correlation of similarities, for "codes" the share of the variance that
    is explained. recall: the share found of the nearest `top` of the left-out pairs; hub_corrected: the same after hub
    correction; hit: whether a pair's own document is found among all that were given, None where none were.
    """

    score: Estimate
    recall: Estimate
    hub_corrected: Estimate
    hit: Estimate | None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Choice:
    """How a map was chosen: the `details` of the map of `auto`, a pytree of its numbers.

    chosen: the name of a family; purpose; lines: what was compared, by name, empty for too few pairs. left_out: pairs
    in a search among those left out; top: documents looked for. curve: pairs fitted, and the score and recall of the
    chosen family. leave_one_out: the residual of left-out rows by the best multiple of the map about the mean, as a
    search asks for no scale; for too few pairs by the ridge that is taken. explanation: why, in words, and what more
    pairs would bring.
    """

    chosen: str = dataclasses.field(metadata=_STATIC)
    purpose: str = dataclasses.field(metadata=_STATIC)
    lines: dict[str, Line]
    left_out: int
    top: int
    curve: list[tuple[int, Estimate, Estimate]]
    leave_one_out: float
    explanation: str = dataclasses.field(metadata=_STATIC)
    mix: Mix | None = None

    def summary(self) -> dict:
        """Return what was chosen and what was compared, as numbers and words by name."""
        recall = f"recall@{self.top} among {self.left_out} left out"
        columns = {"score": 0, recall: 1, f"{recall}, hub-corrected": 2, f"own row in {self.top} among all given": 3}
        compared = {
            title: {name: _figures(line[place]) for name, line in self.lines.items()}
            for title, place in columns.items()
            if self.lines and self.lines[self.chosen][place] is not None
        }
        curve = {
            title: {f"{at[0]} pairs": _figures(at[place]) for at in self.curve}
            for title, place in (("score by pairs", 1), (f"{recall}, by pairs", 2))
        }
        told: dict = {"chosen": self.chosen, "purpose": self.purpose, "explanation": self.explanation}
        if self.mix is not None and self.chosen == families.BLEND:
            told["parts"] = {name: round(float(part), 4) for name, part in self.mix.parts.items()}
        return told | ({"compared": compared} if compared else {}) | ({"more_pairs": curve} if self.curve else {})


def _figures(estimate):
    return [round(float(each), 4) for each in estimate]


def hubs(rows: list) -> str:
    """Say what hub correction would find more, by the values of a `Line` row by row, where it is sure to."""
    gains = rows[2] - rows[1]
    gain = bootstrap.estimate(gains)
    if gain.low > 0 and bootstrap.tell(gains):
        return f"; hub correction, which a map cannot hold, would find {gain.mean:.3f} more"
    return ""


def more(curve: list, top: int, size: int) -> str:
    """Say what twice as many pairs would bring, by what the last doublings have brought."""
    if len(curve) < 2:
        return ""
    recalls = [recall.mean for _, _, recall in curve]
    last = recalls[-1] - recalls[-2]
    fading = (
        min(1.0, max(0.0, last / (recalls[-2] - recalls[-3]))) if len(curve) > 2 and recalls[-2] > recalls[-3] else 1
    )
    pairs = curve[-1][0]
    return (
        f"; the last doubling, to {pairs} pairs, took recall@{top} among {size} from {recalls[-2]:.3f} to "
        f"{recalls[-1]:.3f}, and the next should add some {max(0.0, last * fading):.3f}"
    )
