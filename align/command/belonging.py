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
        """Say whether the rows are to be of length one."""
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
    """Return the spaces that the file of a map holds, by `source_space` and `target_space`; ValueError for others."""
    metadata = AffineMap.read_metadata(path)
    held = {}
    for name in (f"{side}_space" for side in ENDS):
        if name in metadata:
            try:
                held[name] = fingerprint.from_text(metadata[name])
                if len(held[name].mean) != int(metadata[f"d_{name.removesuffix('_space')}"]):
                    raise ValueError(f"it is of {len(held[name].mean)} dimensions, and the map is not")
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(f"{path}: its {name} is nothing that this version of align fit writes") from error
    return held


def ends(arguments: argparse.Namespace) -> Ends:
    """Return the spaces between which `apply` goes, in its direction."""
    held = read(arguments.map)
    first, second = (held.get(f"{side}_space") for side in ENDS)
    backwards = arguments.inverse or arguments.sent == "queries"
    return Ends("target", second, first) if backwards else Ends("source", first, second)


class Watch:
    """What the rows of a file say of the space that they are to be of, asked block by block."""

    def __init__(self, arguments: argparse.Namespace, name: str, of: Ends, said: dict[str, str | None]):
        """Watch a file, by its name; said: the encoder ("name") and the "prefix" that its rows are said to have.

        ValueError where that is not what the map's file says, unless --force makes it a warning.
        """
        self._arguments, self._name, self._of = arguments, name, of
        self._total, self._rows = np.zeros(()), 0
        self._warnings = self._refused(_misnamed(of, said))

    def look(self, rows: np.ndarray) -> None:
        """Take in the next rows `[n, d]`; ValueError where they are not of the space, unless there is --force."""
        if not self._warnings:
            self._warnings = self._refused(self._foreign(rows))
        self._total = self._total + rows.sum(0, dtype=np.float64)
        self._rows += int(rows.any(1).sum())  # rows of zero are no codes

    def warnings(self) -> list[str]:
        """Return what would have been refused, or else that the mean of all rows is off."""
        if self._warnings or self._of.space is None or not self._rows:
            return self._warnings
        doubt = fingerprint.shifted(self._of.space, self._total / self._rows, self._rows)
        return [f"{self._name}: {doubt}"] if doubt else []

    def _foreign(self, rows):
        """Return in words why rows are not of the space, by a sample of them; None where nothing speaks for it."""
        if self._of.space is None:
            return None
        reach = "leads to" if self._of.side == "source" else "comes from"
        sample = rows[fingerprint.sample(len(rows))]
        reason = fingerprint.foreign(self._of.space, sample, self._of.other, reach=reach)
        if not reason or "rows of length 1" not in reason:
            return reason
        if getattr(self._arguments, "sent", None) == "norms":
            return f"{reason}; --norms serve a file that holds such rows, any other needs --documents --normalize"
        return reason if self._arguments.normalize else f"{reason}; --normalize makes them so"

    def _refused(self, reason):
        if reason is None:
            return []
        text = f"{self._name} does not hold codes of the map's {self._of.side} space: {reason}"
        if not self._arguments.force:
            verb = {"apply": "applies", "score": "scores"}[self._arguments.name]
            raise ValueError(f"{text} (--force {verb} the map all the same)")
        return [text]


def _misnamed(of, said):
    """Return in words that rows are said to come from another encoder, or prefix, than the map's; else None."""
    for key, word in (("name", "encoder"), ("prefix", "prefix")):
        known = None if of.space is None else getattr(of.space, key)
        if said[key] is not None and known is not None and said[key] != known:
            return f"their {word} is {said[key]!r}, and the map's {known!r}"
    return None


def both(arguments: argparse.Namespace, names: tuple[str, str]) -> tuple[Watch, Watch]:
    """Watch a source and a target, by their names, for `score`."""
    held = read(arguments.map)
    spaces = [held.get(f"{side}_space") for side in ENDS]
    source, target = (
        Watch(
            arguments,
            name,
            Ends(side, space, other),
            {key: getattr(arguments, f"{side}_{key}") for key in ("name", "prefix")},
        )
        for name, side, space, other in zip(names, ENDS, spaces, spaces[::-1], strict=True)
    )
    return source, target
