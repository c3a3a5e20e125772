"""Where a map belongs: mean and spread of the codes that it was fitted on, and how far other codes are from them."""

import json
from typing import Any

import numpy as np
from jax.typing import ArrayLike

_FEW = 20  # rows whose mean says too little
_SAMPLING = 3.0  # a shift of the mean that is so many times what sampling explains is one
_TURNED = 0.6  # cosine of the means below which they point elsewhere; other texts of one encoder keep above 0.9
_SCALED = 2.0  # a ratio of the spreads beyond which the scale is another


def take(rows: ArrayLike) -> str:
    """Return the fingerprint of rows `[n, d]`, as text for the metadata of a map."""
    rows = np.asarray(rows, np.float64)
    return _text(len(rows), rows.mean(0), float(rows.var(0).sum()))


def of_record(statistics: Any) -> str:
    """Return the fingerprint of the source of `align.streaming.Statistics`."""
    variance = float(np.trace(statistics.source) / statistics.total)
    return _text(float(statistics.total), statistics.source_mean, variance)


def _text(rows, mean, variance):
    return json.dumps({"rows": rows, "mean": [float(f"{value:.4g}") for value in mean], "spread": variance**0.5})


def foreign(fingerprint: str, rows: ArrayLike) -> str | None:
    """Return in words why rows `[n, d]` seem not to be of the space of a fingerprint; None where nothing speaks for it.

    Codes whose mean is zero in both spaces, or fewer than 20 rows, cannot be told apart this way.
    """
    known, rows = json.loads(fingerprint), np.asarray(rows, np.float64)
    if len(rows) < _FEW or not known["spread"]:
        return None
    mean, expected = rows.mean(0), np.asarray(known["mean"])
    spread = np.sqrt(rows.var(0).sum())
    ratio = spread / known["spread"]
    if not 1 / _SCALED < ratio < _SCALED:
        return f"their spread is {ratio:.3g} times that of the codes that the map was fitted on"
    shift = np.linalg.norm(mean - expected)
    explained = np.sqrt(spread**2 / len(rows) + known["spread"] ** 2 / known["rows"])
    lengths = np.linalg.norm(mean) * np.linalg.norm(expected)
    cosine = float(mean @ expected / lengths) if lengths else 0.0
    if shift > _SAMPLING * explained and cosine < _TURNED:
        return f"the cosine of their mean with that of the codes that the map was fitted on is {cosine:.2f}"
    return None
