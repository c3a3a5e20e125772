"""Rows in correspondence: those of two files in the order that they have, or joined by what they are called."""

import argparse
from typing import NamedTuple

import numpy as np

from align import files
from align.command import blocks, places


class Pairs(NamedTuple):
    """Source `[n, d_source]`, target `[n, d_target]`, weights `[n, 1]` if any, and how many ids the files share."""

    source: files.Rows
    target: files.Rows
    weights: list[files.Rows]
    counts: dict[str, int] | None = None


def open_pairs(arguments: argparse.Namespace) -> Pairs:
    """Open the pairs of a command, joined by --id if it is given, of length one with --normalize.

    ValueError where the files do not belong together, or share no id.
    """
    weights = getattr(arguments, "weights", None)
    if arguments.id is None:
        if arguments.target_id is not None:
            raise ValueError("--target-id says where the ids of the target are, where --id says those of the source")
        source, target = places.open_pairs(arguments.source, arguments.target, arguments.column)
        pairs = Pairs(source, target, [] if weights is None else [places.open_weights(weights, source)])
    else:
        pairs = _joined(arguments, weights)
    if arguments.normalize:
        pairs = pairs._replace(source=files.unit(pairs.source), target=files.unit(pairs.target))
    return pairs


def _joined(arguments, weights):
    rows = [places.open_rows(name, arguments.column) for name in (arguments.source, arguments.target)]
    keys = arguments.id, arguments.target_id or arguments.id
    flags = "--id", "--id" if arguments.target_id is None else "--target-id"
    ids = [files.open_ids(each.name, key, flag=flag) for each, key, flag in zip(rows, keys, flags, strict=True)]
    for each, named in zip(rows, ids, strict=True):
        files.check_count(named, each)
    here, there, counts = files.match(*ids)
    if rows[1].take is None and rows[0].take is not None:  # then better in the order of the target
        order = np.argsort(there)
        here, there = here[order], there[order]
    heavy = [] if weights is None else [places.open_weights(weights, rows[0])]
    source, target, *heavy = (
        _in_order(arguments, each, index)
        for each, index in zip([*rows, *heavy], [here, there, *([here] * len(heavy))], strict=True)
    )
    return Pairs(source, target, heavy, counts)


def _in_order(arguments, rows, index):
    found = files.chosen(rows, index)
    return files.put_in_order(rows, index, blocks.ranges(arguments, rows)) if found is None else found
