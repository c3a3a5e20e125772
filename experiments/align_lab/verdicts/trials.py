"""The verdict of `unpaired` on drawn shapes: a row for every draw."""

import time
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import NamedTuple

from absl import flags

from align_lab.asked import check_some
from align_lab.launch import Experiment
from align_lab.verdicts.kinds import KINDS, SOLVABLE
from align_lab.verdicts.verdict_plans import Shapes

TABLE = "verdicts"
ROWS, DIMENSIONS, MOST = (2, 10, 50, 200, 1000, 3000), (2, 10, 100, 200), 10**6
# A map of the solvable kind is right where it misses less than this share of the target's variance.
RIGHT = 0.1
HEAD = "# Verdicts on drawn clouds\n\nMade by `python experiments/trust.py`.\n"
# Seconds of a draw on two cores, what is compiled for its shape included.
SECONDS = 3.0


class Tried(NamedTuple):
    """Which shapes are tried."""

    shapes: tuple[Shapes, ...]

    def described(self, store) -> list[str]:
        """Say what will be computed."""
        return [f"to compute: {sum(one.draws for one in self.shapes)} draws of {len(self.shapes)} shapes"]

    def kept(self, store) -> str:
        """Say where the rows are."""
        return f"rows: {store.file(TABLE)}"


class Choices:
    """The flags of the trials."""

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_integer("draws", 4, "Draws of each kind, number of rows and dimension.", 1, 1000)
        flags.DEFINE_list("rows", list(map(str, ROWS)), "Numbers of rows.")
        flags.DEFINE_list("dimensions", list(map(str, DIMENSIONS)), "Dimensions.")
        flags.DEFINE_multi_string("kind", None, f"Kinds of clouds, all where none is named ({'; '.join(KINDS)})")

    def read(self, given: flags.FlagValues, store) -> Tried:
        """Read the flags; ValueError for what is no number of rows or dimensions, or no kind."""
        numbers = {}
        for name in ("rows", "dimensions"):
            values = given[name].value
            check_some(name, values)
            if not all(value.isdecimal() and 2 <= int(value) <= MOST for value in values):
                raise ValueError(f"--{name} must be whole numbers from 2 to {MOST:,}; it is {','.join(values)!r}")
            numbers[name] = tuple(map(int, values))
        kinds = given.kind or KINDS
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f"--kind must be of {', '.join(KINDS)}; one of them is {unknown[0]!r}")
        # Kinds innermost: what is compiled serves all clouds of one shape.
        cells = product(numbers["rows"], numbers["dimensions"], kinds)
        return Tried(tuple(Shapes(kind, n, d, given.draws) for n, d, kind in cells))


def rows(shapes: Shapes) -> list[dict]:
    """Give the rows of the draws, without what is measured."""
    columns = {"table": TABLE, "dataset": "drawn", "kind": shapes.kind, "rows": shapes.rows}
    return [{**columns, "dimensions": shapes.dimensions, "seed": seed} for seed in range(shapes.draws)]


def cost(shapes: Shapes, store) -> float:
    """Estimate the seconds that two cores take for the draws that have no row yet."""
    return SECONDS * len(store.missing(rows(shapes)))


def work(shapes: Shapes, store, advance: Callable[[float], None]) -> None:
    """Fit every draw that has no row yet, and judge the verdict."""
    import jax
    import numpy as np

    from align import solvers
    from align_lab.verdicts.shapes import draw

    missing = store.missing(rows(shapes))
    for row in missing:
        source, target, weight = draw(shapes.kind, shapes.rows, shapes.dimensions, row["seed"])
        began = time.perf_counter()
        fitted = jax.block_until_ready(solvers.unpaired(jax.random.key(row["seed"]), source, target))
        seconds = round(time.perf_counter() - began, 2)
        right = None
        if weight is not None:
            off = (source - source.mean(0)) @ (np.asarray(fitted.weight) - weight)
            right = bool(np.sum(off**2) < RIGHT * np.sum((source - source.mean(0)) ** 2))
        told = {"trusted": bool(fitted.trusted), "right": right, "verdict": fitted.details.explanation}
        store.add([{**row, **told, "seconds": seconds}])
        advance(1 / len(missing))


def summaries(found: Iterable[dict]) -> list[dict[str, str]]:
    """Count the draws of each kind, how many were trusted, and of the solvable kind how many were right."""
    records = []
    for kind in KINDS:
        own = [row for row in found if row["kind"] == kind]
        trusted = [row for row in own if row["trusted"]]
        wrong = len(trusted) if kind != SOLVABLE else sum(not row["right"] for row in trusted)
        right = str(sum(bool(row["right"]) for row in own)) if kind == SOLVABLE else ""
        counts = {"draws": str(len(own)), "trusted": str(len(trusted)), "trusted wrongly": str(wrong), "right": right}
        records.append({"kind": kind, **counts})
    return records


def write(found: list[dict], results: Path) -> Path:
    """Write the table of all rows into a folder of results."""
    from align import markdown
    from align_lab import pages

    page = f"{HEAD}\n{markdown.records(summaries(found))}"
    return pages.write(results, TABLE, page, found)


def pictures(tried: Tried, store):
    """Write the table of all rows."""
    path = write(store.reread(TABLE), store.results)
    yield path.read_text()
    yield f"Table: {path}"


VERDICTS = Experiment(Choices(), lambda tried, store: list(tried.shapes), pictures, (TABLE,))
