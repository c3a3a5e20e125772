"""Where a map belongs: its two spaces, kept in its file by a fit, and asked of the rows that it is applied to."""

import argparse
from typing import NamedTuple

import numpy as np

from align.maps import AffineMap, fingerprint
from align.maps.fingerprint import Space

ENDS = ("source", "target")


class Ends(NamedTuple):
    """The space that rows are to be of and the one that they are led to, where the file of the map says so."""

    side: str
    space: Space | None
    other: Space | None

    @property
    def unit(self) -> bool:
        """Whether the rows are to be of length one."""
        return self.space is not None and self.space.unit


def spaces(
    arguments: argparse.Namespace, source: np.ndarray, target: np.ndarray, totals: tuple[int, int]
) -> dict[str, Space]:
    """Return the spaces of a fit by `source_space` and `target_space`, of rows `[n, d]`, samples of so many."""
    taken = {}
    for side, rows, total in zip(ENDS, (source, target), totals, strict=True):
        named = {key: getattr(arguments, f"{side}_{key}") for key in ("name", "prefix")}
        taken[f"{side}_space"] = fingerprint.take(rows, total=total, **named)
    return taken


def read(path: str) -> dict[str, Space]:
    """Return the spaces that the file of a map holds, by `source_space` and `target_space`."""
    metadata = AffineMap.read_metadata(path)
    names = [f"{side}_space" for side in ENDS]
    return {name: fingerprint.from_text(metadata[name]) for name in names if name in metadata}


def ends(arguments: argparse.Namespace) -> Ends:
    """Return the spaces between which `apply` goes, in its direction."""
    held = read(arguments.map)
    first, second = (held.get(f"{side}_space") for side in ENDS)
    backwards = arguments.inverse or arguments.sent == "queries"
    return Ends("target", second, first) if backwards else Ends("source", first, second)


def misnamed(of: Ends, arguments: argparse.Namespace) -> str | None:
    """Return in words that the input is said to come from another encoder, or prefix, than the map's; else None."""
    for key, word in (("name", "encoder"), ("prefix", "prefix")):
        said, known = getattr(arguments, f"input_{key}"), None if of.space is None else getattr(of.space, key)
        if said is not None and known is not None and said != known:
            return f"their {word} is {said!r}, and the map's {known!r}"
    return None


def foreign(of: Ends, rows: np.ndarray, normalize: bool) -> str | None:
    """Return in words why rows `[n, d]` are not of the space, by a sample of them; None where nothing speaks for it."""
    if of.space is None:
        return None
    reason = fingerprint.foreign(of.space, rows[fingerprint.sample(len(rows))], of.other)
    hint = "; --normalize makes them so" if reason and "rows of length 1" in reason and not normalize else ""
    return reason and reason + hint


def refused(of: Ends, arguments: argparse.Namespace, reason: str | None) -> list[str]:
    """Return a reason as a warning under --force, and nothing where there is none; else ValueError."""
    if reason is None:
        return []
    text = f"{arguments.input} does not hold codes of the map's {of.side} space: {reason}"
    if not arguments.force:
        raise ValueError(f"{text} (--force applies the map all the same)")
    return [text]


def shifted(of: Ends, arguments: argparse.Namespace, mean: np.ndarray, rows: int) -> list[str]:
    """Return a warning where the mean `[d]` of so many rows is off, though nothing refuses them."""
    doubt = None if of.space is None else fingerprint.shifted(of.space, mean, rows)
    return [f"{arguments.input}: {doubt}"] if doubt else []
