"""How often the interval of a recall holds the truth: queries are drawn from a population whose recall is known."""

from collections.abc import Callable

import numpy as np

from align import search, solvers
from align_lab.store import Store
from align_lab.switch.interval_trials import TABLE
from align_lab.switch.switch_plans import Intervals
from align_lab.texts import vectors
from align_lab.texts.text_plans import Space

DOCUMENTS, PAIRS = 5000, 600
OLD, INDEX, GAIN = "old encoder", "mapped index", "mapped index - old encoder"
AGAIN = {count: f"{count} candidates again" for count in (100, 500)}  # with 500 candidates few queries miss any
FIGURES = (OLD, INDEX, GAIN, *AGAIN.values())


def rows(asked: Intervals) -> list[dict]:
    """List the rows, without what is measured."""
    columns = {"table": TABLE, "dataset": vectors.name(asked.library), "method": "studentised bootstrap"}
    sizes = {"documents": DOCUMENTS, "queries": asked.queries, "draws": asked.draws}
    return [{**columns, "figure": figure, **sizes} for figure in FIGURES]


def origin(asked: Intervals, store: Store) -> tuple[str, str, str]:
    """Give the table, the name of the texts in its rows, and what these are."""
    return TABLE, vectors.name(asked.library), vectors.source(asked.library, store)


def cost(asked: Intervals, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    return 0.005 * asked.draws * len(store.missing(rows(asked)))


def work(asked: Intervals, store: Store, advance: Callable[[float], None]) -> None:
    """Draw queries with replacement from all that are there, whose mean is the truth."""
    population = store.remember(("population", asked.library), lambda: _population(asked.library, store))
    missing = store.missing(rows(asked))
    for row in missing:
        values = population[row["figure"]]
        random, truth = np.random.default_rng(asked.queries), values.mean()
        drawn = [search.estimate(random.choice(values, asked.queries), seed=draw) for draw in range(asked.draws)]
        low, high = (np.array([getattr(each, end) for each in drawn]) for end in ("low", "high"))
        held = (low <= truth) & (truth <= high)
        found = {"truth": truth, "coverage": held.mean(), "below": (high < truth).mean(), "width": (high - low).mean()}
        store.add([row | {name: round(float(value), 5) for name, value in found.items()}])
        advance(1 / len(missing))


def _population(library, store):
    """Give what every query finds, `{figure: [queries]}`, in an index that a ridge maps."""
    old, new = (vectors.of(Space(name, library), store) for name in ("minilm", "mpnet"))
    pairs, asked = slice(DOCUMENTS, DOCUMENTS + PAIRS), slice(DOCUMENTS + PAIRS, None)
    fitted = solvers.ridge(old[pairs], new[pairs])
    found = search.found(fitted, old[asked], new[asked], [(old[:DOCUMENTS], new[:DOCUMENTS])], candidates=tuple(AGAIN))
    figures = {OLD: found.ways["old encoder"], INDEX: found.ways["mapped index"]}
    figures |= {name: found.re_ranked[count] for count, name in AGAIN.items()}
    return figures | {GAIN: figures[INDEX] - figures[OLD]}
