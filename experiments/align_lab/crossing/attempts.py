"""Attempts to cross from one encoder's space to another's: a row for every method and key."""

import time
from collections.abc import Callable
from itertools import product

import numpy as np

from align_lab.crossing.crossing_plans import Crossing
from align_lab.crossing.maps_between import fit
from align_lab.crossing.named import PAIRED, TABLE
from align_lab.store import Store

# Seconds of 12,000 texts a side on two cores, with what is measured, to weigh a progress bar.
SECONDS = {
    "unpaired": 30.0,
    "procrustes": 3.0,
    "ridge": 6.0,
    "mini-vec2vec": 120.0,
    "centroids": 60.0,
    "self-learning": 120.0,
}


def rows(crossing: Crossing) -> list[dict]:
    """List the rows that a crossing asks for, without what is measured."""
    from align_lab.texts import vectors

    library = crossing.source.library
    columns = {"table": TABLE, "dataset": vectors.name(library), "method": None}
    source, target = (vectors.called(space.encoder) for space in (crossing.source, crossing.target))
    columns |= {"source": source, "target": target, "control": crossing.control}
    columns |= {"texts": crossing.texts, "pairs": crossing.pairs, "held_out": library.held_out}
    cells = product(crossing.methods, crossing.keys)
    return [{**columns, "method": method, "key": key} for method, key in cells]


def origin(crossing: Crossing, store: Store) -> tuple[str, str, str]:
    """Give the table, the name of the texts in its rows, and what these are."""
    from align_lab.texts import vectors

    library, names = crossing.source.library, (crossing.source.encoder, crossing.target.encoder)
    return TABLE, vectors.name(library), vectors.source(library, store, *names)


def cost(crossing: Crossing, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    share = 0.1 + crossing.texts / 12_000
    return sum(share * SECONDS[row["method"]] for row in store.missing(rows(crossing)))


def work(crossing: Crossing, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a crossing that are not there yet, one by one."""
    from align_lab.crossing import ranked, sides

    missing = store.missing(rows(crossing))
    for row in sorted(missing, key=lambda row: row["key"]):
        known = sides.sides(crossing, row["key"], store)
        began, begun = time.perf_counter(), time.process_time()
        attempt = fit(row["method"], row["key"], known)
        images = np.asarray(attempt.map(known.held_out[0]))
        seconds, processor = round(time.perf_counter() - began, 2), round(time.process_time() - begun, 2)
        centre = known.pairs[1].mean(0) if row["method"] in PAIRED else known.target.mean(0)
        found = ranked.measures(images, known.held_out[1], centre)
        store.add([{**row, **found, **attempt.told, "seconds": seconds, "processor_seconds": processor}])
        advance(1 / len(missing))
