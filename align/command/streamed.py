"""Fits of rows that are read block by block and never held together."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from align import files, streaming
from align.command import belonging, blocks, faults
from align.maps import AffineMap, fingerprint
from align.maps.fingerprint import Space
from align.solvers import SOLVERS, Solver


def fit(
    solver: Solver,
    options: dict[str, Any],
    arguments: argparse.Namespace,
    arrays: Sequence[files.Rows],
    used: np.ndarray,
    counts: np.ndarray | None,
) -> tuple[AffineMap, dict[str, Space], np.ndarray]:
    """Fit the rows that the mask `used` `[n]` chooses of source, target and weights, from their sums alone.

    counts: the weights `[n]`, if any. Returns the map, its two spaces and the ends of the target. ValueError for a
    solver that needs the rows themselves.
    """
    if not solver.streams:
        able = ", ".join(name for name, each in SOLVERS.items() if each.streams)
        raise ValueError(
            f"{used.sum()} rows are more than --memory {arguments.memory} holds, and {arguments.solver} needs them "
            f"at once: allow more, choose --anchors, or one of {able}"
        )
    unit = 1.0
    if counts is not None and "strengths" not in options:  # which are in the units of the weights
        weights = counts[used].astype(np.float64)
        unit = faults.effective(weights) / weights.sum()  # a record counts rows by them, and ridge goes by that number
    looked_at = np.zeros_like(used)
    looked_at[np.flatnonzero(used)[fingerprint.sample(int(used.sum()))]] = True
    sample: list[tuple[np.ndarray, np.ndarray]] = []
    ends: list[np.ndarray] = []

    def parts():
        for block, x, y, *w in blocks.chosen(used, arguments, *arrays):
            some = looked_at[block][used[block]]
            sample.append((x[some], y[some]))
            ends.append(faults.ends(y))
            yield x, y, *(each[:, 0] * unit for each in w)

    record = streaming.from_blocks(parts(), target_moments=False)
    fitted = streaming.fit(record, arguments.solver, **options)
    dtype = jnp.dtype(np.result_type(*(array.float_dtype for array in arrays[:2])))
    fitted = dataclasses.replace(fitted, weight=fitted.weight.astype(dtype), bias=fitted.bias.astype(dtype))
    source, target = (np.concatenate(rows) for rows in zip(*sample, strict=True))
    spaces = belonging.spaces(arguments, source, target, (int(used.sum()),) * 2)
    return fitted, spaces, np.concatenate(ends)
