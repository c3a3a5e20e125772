"""`align inspect`: what a map is, and how it came about."""

import argparse
import json

from align.command import belonging, places, printing
from align.maps import AffineMap
from align.maps.description import describe


def inspect(arguments: argparse.Namespace) -> None:
    """Print what a map is, and what its file says of how it came about."""
    fitted = places.load_map(arguments.map)
    metadata = AffineMap.read_metadata(arguments.map)
    spaces = belonging.read(arguments.map)
    kept = {name: metadata[name] for name in metadata.keys() - {"format", "version", "d_source", "d_target", *spaces}}
    tables = {name: _value(text) for name, text in kept.items()} | {n: space.summary() for n, space in spaces.items()}
    described = describe(fitted)
    # Others than `align fit` may have kept something by a name that is taken.
    taken = {name: tables.pop(name) for name in tables.keys() & {*described, *printing.TAKEN}}
    printing.show(arguments, described | dict(sorted(tables.items())) | ({"metadata": taken} if taken else {}))


def _value(text):
    """Return what a text says in JSON, as `align fit` writes all but texts; else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
