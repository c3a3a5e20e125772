"""What a space of codes looks like: its mean, its spectrum and its directions, and how far other codes are from it.

With S the covariance of the codes about their mean m, over the mean of its diagonal and a tenth of the way towards the
identity, a row x lies (x − m)' S⁻¹ (x − m) / ‖x − m‖² off: about 1 on average for a row of the space, whatever its
length, and the mean diagonal of S⁻¹ for one that knows nothing of the space. `own` is the first, of a fifth of the
rows by the S of the others, `other` the second; rows are placed between them, 0 to 1, by logarithms.
"""

import base64
import json
from typing import NamedTuple

import numpy as np
from scipy import linalg

from align.arrays import far_rows

SAMPLED = 1000  # rows that say enough of a space
_DIRECTIONS = 256  # of S, the others taken for alike
_FEW = 20  # rows whose mean says too little
# A share of the sample that may be far out, and is left out: of a hundredth of a file, which fits between clouds leave
# out, a sample may hold more.
_FEW_FAR = 0.05
_ENOUGH, _ROUGH = 250, 100  # rows behind a fingerprint that can tell codes apart, and that can where they differ much
_FAR, _FARTHER = 0.5, 0.7  # places from which on rows are of another space, by these two
_FARTHEST = 0.8  # of rows that are nearly one
_REVERSED = 0.08  # by how much, in logarithms, rows must be closer to the other space of a map, and half way to it
_SOME, _MUCH = np.log(1.05), np.log(1.2)  # logarithms of `other` over `own` that tell two spaces apart, and any
_SCALED = 2.0  # a ratio of the distances from the mean beyond which the scale is another
_ALIKE = 0.3  # a share of the spread of rows about their own mean below which they are nearly one
_UNIT = 0.01  # how far lengths of unit rows may be from 1; half precision and bfloat16 stay within
_MANY = 200  # rows whose mean depends little on what they are about
_SHIFTED = 0.08  # mean (x − m)' S⁻¹ (x − m) of the mean per dimension, from which on it is worth a word


class Space(NamedTuple):
    """A space of codes, by a sample of them.

    rows: how many there were; mean `[d]`; spread: root mean square of the distances from it; unit: whether all rows
    but those of zero were of length 1; name: of the encoder, prefix: of its texts, where they are known. Of enough rows
    also `own`, directions `[d, k]`, the eigenvectors of S, values `[k]` and rest, its eigenvalues and the mean of the
    others.
    """

    rows: int
    mean: np.ndarray
    spread: float
    unit: bool = False
    name: str | None = None
    prefix: str | None = None
    own: float | None = None
    directions: np.ndarray | None = None
    values: np.ndarray | None = None
    rest: float = 1.0

    @property
    def other(self) -> float:
        """Give where a row lies that knows nothing of the space."""
        assert self.values is not None
        return float(np.sum(1 / self.values - 1 / self.rest) / len(self.mean) + 1 / self.rest)

    @property
    def gap(self) -> float:
        """Give the logarithm of `other` over `own`, 0 of too few rows: above 0 codes lie in directions of their own."""
        return 0.0 if self.own is None else float(np.log(self.other / self.own))

    def summary(self) -> dict:
        """Return what a reader may want to know of it."""
        known = {"name": self.name, "prefix": self.prefix}
        told = {
            "rows": self.rows,
            "unit": self.unit,
            "spread": self.spread,
            "mean_length": float(np.linalg.norm(self.mean)),
        }
        return {name: value for name, value in known.items() if value is not None} | told


def sample(rows: int) -> np.ndarray:
    """Return which of so many rows are looked at, ascending."""
    return np.sort(np.random.default_rng(0).choice(rows, min(rows, SAMPLED), replace=False))


def take(rows: np.ndarray, *, total: int | None = None, name: str | None = None, prefix: str | None = None) -> Space:
    """Return the space of rows `[n, d]`, a sample of `total`."""
    total = len(rows) if total is None else total
    rows = np.asarray(rows[sample(len(rows))], np.float64)
    rows = rows[rows.any(1)] if rows.any() else rows
    unit = bool((np.abs(np.linalg.norm(rows, axis=1) - 1) < _UNIT).all())
    rows = _near(rows)
    mean, spread = rows.mean(0), float(np.sqrt(rows.var(0).sum()))
    space = Space(total, mean, spread, unit, name, prefix)
    if len(rows) < 2 * _FEW or not spread:
        return space
    order = np.random.default_rng(0).permutation(len(rows))
    apart = max(len(rows) // 5, _FEW)
    first, second = rows[order[apart:]], rows[order[:apart]]
    own = _place(space._replace(mean=first.mean(0), **_spectrum(first)), second)
    return space._replace(own=own, **_spectrum(rows))


def _near(rows):
    """Return rows `[n, d]` without a few that are far from the others, which would make up most of their spread."""
    return rows[~far_rows.far_out(rows, most=_FEW_FAR)]


def _spectrum(rows):
    """Return the leading eigenvectors and eigenvalues of S, by the smaller of the two products."""
    centred = rows - rows.mean(0)
    largest = max(float(np.abs(centred).max()), np.finfo(float).tiny)
    centred = (centred / largest).astype(np.float32)  # whose squares stay within its range
    n, d = centred.shape
    variance = float((centred**2).sum() / n / d)
    k = min(_DIRECTIONS, n // 2, d)
    if n < d:
        values, vectors = linalg.eigh(centred @ centred.T, subset_by_index=[n - k, n - 1])
        vectors = centred.T @ vectors / np.sqrt(np.maximum(values, np.finfo(np.float32).tiny))
    else:
        values, vectors = linalg.eigh(centred.T @ centred, subset_by_index=[d - k, d - 1])
    shares = np.maximum(values.astype(np.float64), 0) / n / variance
    left = max(d - float(shares.sum()), 0) / max(d - k, 1)
    return {"directions": vectors, "values": 0.9 * shares + 0.1, "rest": 0.9 * left + 0.1}


def _off(space, vectors):
    """Return x' S⁻¹ x of vectors `[n, d]`."""
    along = (vectors @ space.directions) ** 2
    return along @ (1 / space.values - 1 / space.rest) + (vectors**2).sum(1) / space.rest


def _place(space, rows):
    """Return the mean of x' S⁻¹ x / ‖x‖² of rows about the mean, those at the mean left out."""
    centred = rows - space.mean
    lengths = (centred**2).sum(1)
    return float(np.mean(_off(space, centred)[lengths > 0] / lengths[lengths > 0]))


def _away(space, rows):
    """Return the logarithm of where rows lie over where those of the space do: 0 for these, the gap for any others."""
    return float(np.log(_place(space, rows) / space.own))


def foreign(space: Space, rows: np.ndarray, other: Space | None = None, *, reach: str = "leads to") -> str | None:
    """Return in words why rows `[n, d]` are not of a space; None where nothing speaks for it.

    other: the space at the other end of the map; reach: in words, what the map does there. Of fewer than 20 rows, or by
    a fingerprint of fewer than 100, only what cannot be mistaken is said: lengths, and by 40 rows that they are of the
    other space.
    """
    rows = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(rows, axis=1)
    rows, lengths = rows[lengths > 0], lengths[lengths > 0]
    if not len(rows):
        return None
    if space.unit and np.mean(np.abs(lengths - 1) > 2 * _UNIT) > 0.01:
        return f"their lengths are about {np.median(lengths):.3g}, where the map was fitted on rows of length 1"
    if min(len(rows), space.rows) < _FEW or not space.spread:
        return None
    rows = _near(rows)
    squares = float(((rows - space.mean) ** 2).sum(1).mean())
    ratio = np.sqrt(squares) / space.spread
    if not 1 / _SCALED < ratio < _SCALED:
        return f"they lie {ratio:.3g} times as far from the mean of the codes that the map was fitted on as those do"
    if space.gap < _SOME:
        return None
    away = _away(space, rows)
    if (
        other is not None
        and other.mean.shape == space.mean.shape
        and other.gap > _SOME
        and away - _away(other, rows) > max(_REVERSED, space.gap / 2)
    ):
        return f"they are of the space that the map {reach}: it was meant the other way round"
    far = _FAR if space.rows >= _ENOUGH else _FARTHER if space.rows >= _ROUGH else np.inf
    if rows.var(0).sum() < _ALIKE * squares:
        far = max(far, _FARTHEST)
    if space.gap > _MUCH and (place := away / space.gap) > far:
        return (
            f"they spread over other directions than the codes that the map was fitted on ({place:.2f}, where those "
            "have 0 and codes of any other encoder 1)"
        )
    return None


def shifted(space: Space, mean: np.ndarray, rows: int) -> str | None:
    """Return in words that the mean `[d]` of so many rows is off, as by a prefix or another kind of text; else None."""
    if rows < _MANY or space.rows < _ENOUGH or space.gap < _SOME:
        return None
    off = float(_off(space, np.asarray(mean, np.float64)[None] - space.mean)[0]) / space.spread**2
    if off > _SHIFTED:
        return (
            f"their mean is off by {off:.2f}, as by another prefix or texts of another kind, where less than "
            f"{_SHIFTED} is usual"
        )
    return None


def as_text(space: Space) -> str:
    """Return a space as text for the metadata of a map."""
    fields = {name: value for name, value in space._asdict().items() if value is not None}
    # The mean to the last digit of float32: what spreads little about a large one is told by that.
    for name, digits in (("mean", 9), ("values", 4)):
        if name in fields:
            fields[name] = [float(f"{value:.{digits}g}") for value in fields[name]]
    if "directions" in fields:
        fields["directions"] = base64.b64encode(np.asarray(fields["directions"], "<f2").tobytes()).decode()
    return json.dumps(fields)


def from_text(text: str) -> Space:
    """Return the space that `as_text` wrote, in this version or one before; ValueError or TypeError for other texts."""
    fields = json.loads(text)
    for name in ("mean", "values"):
        if name in fields:
            fields[name] = np.asarray(fields[name], np.float64)
    if "directions" in fields:
        whole = np.frombuffer(base64.b64decode(fields["directions"]), "<f2").astype(np.float64)
        fields["directions"] = whole.reshape(len(fields["mean"]), -1)
    space = Space(**fields)
    numbers = [space.rows, space.spread, space.rest, *([] if space.own is None else [space.own])]
    if not all(isinstance(each, int | float) for each in numbers) or not np.isfinite(numbers[:3]).all():
        raise ValueError(f"expected numbers; there are {numbers}")
    if space.mean.ndim != 1 or not np.isfinite(space.mean).all():
        raise ValueError(f"expected a mean of finite numbers, [d]; there is {space.mean}")
    known = [each is not None for each in (space.own, space.directions, space.values)]
    if any(known) != all(known):
        raise ValueError("expected own, directions and values, or none of them")
    if space.directions is not None and space.values is not None and space.values.shape != space.directions.shape[1:]:
        raise ValueError(f"expected values of {space.directions.shape[1]} directions; there are {space.values.shape}")
    return space
