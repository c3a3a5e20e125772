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
    nested = kept.keys() & {"held_out", "compared", "more_pairs", "joined", "clouds"}
    tables = {name: json.loads(kept[name]) for name in nested} | {n: space.summary() for n, space in spaces.items()}
    printing.show(arguments, describe(fitted) | dict(sorted((kept | tables).items())))
