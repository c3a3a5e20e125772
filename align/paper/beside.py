"""Our rows beside the paper's cells: the mean and the deviation of each cell, and both as columns of text."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from align import rows as results
from align.paper.printed import CELLS, Key


class Summary(NamedTuple):
    """Mean and standard deviation of the test errors of a cell, over so many networks or ordered pairs."""

    mean: float
    std: float
    count: int  # type: ignore[assignment] # not the method of that name, which a tuple also has


def key_of(row: dict) -> Key:
    """Give the cell of a table that a row belongs to."""
    own = row["source_seed"] == row["target_seed"] and row["source_model"] == row["target_model"]
    return Key(**{name: row[name] for name in Key._fields[:-1]}, own=own)


def summarise(rows: Iterable[dict]) -> dict[Key, Summary]:
    """Average the rows of each cell; the standard deviation divides by their number."""
    cells = defaultdict(list)
    for row in results.once(rows):
        cells[key_of(row)].append(row["test_error"])
    summaries = {}
    for key, errors in cells.items():
        mean = math.fsum(errors) / len(errors)
        std = math.sqrt(math.fsum((error - mean) ** 2 for error in errors) / len(errors))
        summaries[key] = Summary(mean, std, len(errors))
    return summaries


def comparison(rows: Sequence[dict]) -> list[dict]:
    """Put our cells beside the paper's: one record per cell, in the order of the rows, as columns of text."""
    records = []
    for key, ours in summarise(rows).items():
        theirs = CELLS.get(key)
        records.append(
            {
                "latent": str(key.latent),
                "anchors": "" if key.anchors is None else str(key.anchors),
                "method": key.title,
                "networks": key.source_model if key.own else f"{key.source_model} → {key.target_model}",
                "ours": f"{ours.mean:.4f} ± {ours.std:.4f}",
                "paper": "" if theirs is None else f"{theirs.mean:.3f} ± {theirs.deviation:.4f}",
                "ratio": "" if theirs is None else f"{ours.mean / theirs.mean:.3f}",
                "rows": str(ours.count),
            }
        )
    return records
