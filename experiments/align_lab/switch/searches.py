"""Searches in an index by mapped queries, or of a mapped index: the rows of a switch, and how they are made."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from align.search.documents import nearest, shares_found, unit
from align.solvers import SOLVERS
from align_lab.store import Store
from align_lab.switch.groups import NO_MAP, OLD, TOP
from align_lab.switch.groups import TABLE_OF_TEXTS as TABLE
from align_lab.switch.switch_plans import Switch
from align_lab.texts import corpus, encoders

DIRECTIONS = ("queries", "index")
# What is found without a map, beside the old encoder's own queries and the new one's as they are.
AGAIN = "re-embedding"
# Seconds on two cores of a map and a search, to weigh the tasks of a progress bar.
SECONDS = 1.0


class Searched(NamedTuple):
    """Unit vectors of index and queries in both encoders; what is to be found, `[queries, 10]`, and each one's own."""

    old_documents: np.ndarray
    old_queries: np.ndarray
    new_documents: np.ndarray
    new_queries: np.ndarray
    wanted: np.ndarray
    own: np.ndarray


def rows(switch: Switch) -> list[dict]:
    """List the rows that a switch asks for, without what is measured."""
    methods = [(method, None, None, None) for method in (AGAIN, OLD, NO_MAP)]
    cells = itertools.product(switch.seeds, switch.anchors, switch.solvers, DIRECTIONS)
    methods += [(solver, direction, count, seed) for seed, count, solver, direction in cells]
    texts = switch.new.texts
    return [
        {
            "table": TABLE,
            "dataset": corpus.name(texts),
            "method": method,
            "old": encoders.called(switch.old.encoder),
            "new": encoders.called(switch.new.encoder),
            "asking": switch.asking,
            "direction": direction,
            "anchors": count,
            "seed": seed,
            "documents": texts.documents,
            "queries": texts.queries,
        }
        for method, direction, count, seed in methods
    ]


def origin(switch: Switch, store: Store) -> tuple[str, str, str]:
    """Give the table, the name of the texts in its rows, and what these are."""
    texts = switch.new.texts
    return TABLE, corpus.name(texts), corpus.source(texts, store)


def cost(switch: Switch, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    return SECONDS * len(_missing(switch, store))


def _missing(switch, store):
    """List what is not there yet and can be made: what maps into fewer dimensions is known once all is embedded."""
    old, new = (encoders.dimensions(one, store) for one in (switch.old, switch.new))

    def possible(row):
        source, target = (old, new) if row["direction"] == "index" else (new, old)
        if row["anchors"] is None:  # nothing is mapped
            return row["method"] != NO_MAP or source == target
        return SOLVERS[row["method"]].fits(source, target)

    missing = store.missing(rows(switch))
    return [row for row in missing if possible(row)] if old and new else missing


def work(switch: Switch, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a switch that are not there yet, one by one."""
    searched, missing = _searched(switch, store), _missing(switch, store)
    for row in missing:
        found = _find(row, searched, len(searched.own) if switch.asking == "words" else 0)
        _, documents = _ends(row["direction"], searched)
        store.add([{**row, **scores(found, searched.wanted, searched.own), "dimensions": documents.shape[1]}])
        advance(1 / len(missing))


def _searched(switch, store):
    """Lay out index and queries; documents that are asked are left out of the index, and have none of their own."""
    old, new = (encoders.embedded(one, store) for one in (switch.old, switch.new))
    if switch.asking == "documents":
        count = switch.new.texts.queries
        old, new = ((documents[count:], documents[:count]) for documents, _ in (old, new))
    wanted = search(new[1], new[0])
    own = np.arange(len(new[1])) if switch.asking == "words" else (new[1] @ new[0].T).argmax(1)
    return Searched(*old, *new, wanted, own)


def _ends(direction, searched):
    """Give the documents in the space that is mapped, and in the one that is searched."""
    both = searched.old_documents, searched.new_documents
    return both if direction == "index" else both[::-1]


def _find(row, searched, first):
    """Search as a row says; anchors are drawn from the documents of no query, those from `first` on."""
    old_documents, old_queries, new_documents, new_queries = searched[:4]
    if row["anchors"] is None:
        found = {AGAIN: (new_queries, new_documents), OLD: (old_queries, old_documents)}
        return search(*found.get(row["method"], (new_queries, old_documents)))
    # The anchors of a seed grow with their number.
    strangers = np.arange(first, len(old_documents))
    anchors = np.random.default_rng(row["seed"]).permutation(strangers)[: row["anchors"]]
    source, target = _ends(row["direction"], searched)
    fitted = SOLVERS[row["method"]].fit(source[anchors], target[anchors])
    if row["direction"] == "queries":
        return search(fitted(new_queries), old_documents)
    return search(new_queries, fitted(old_documents))


def search(queries, documents) -> np.ndarray:
    """Give the indices `[queries, 10]` of the documents `[n, d]` nearest to queries `[q, d]` by cosine, best first."""
    return nearest(unit(queries), unit(documents), TOP)


def scores(found: np.ndarray, wanted: np.ndarray, own: np.ndarray) -> dict[str, float]:
    """Give the recall of the wanted documents `[queries, 10]`, and the share of queries that found their own one."""
    recall, hit = (float(shares_found(found, each).mean()) for each in (wanted, own[:, None]))
    return {"recall": recall, "hit": hit}
