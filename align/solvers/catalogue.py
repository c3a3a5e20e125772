"""What the table of solvers says of each: what it must be told, whether it streams, and its options."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from align.maps import AffineMap


class Known(NamedTuple):
    """All that may be known of two spaces; a solver takes of it what it needs.

    key: of what is drawn at random, None where nothing is. source `[n, d_source]`, target `[m, d_target]`: codes, rows
    in correspondence where a solver needs pairs. weights: `[n]`, of the pairs. source_labels `[n]`, target_labels
    `[m]`: classes of the rows. pairs: codes `[p, d_source]` and `[p, d_target]` in correspondence, beside clouds that
    are not.
    """

    key: jax.Array | None
    source: Any
    target: Any
    weights: Any = None
    source_labels: np.ndarray | None = None
    target_labels: np.ndarray | None = None
    pairs: tuple[Any, Any] | None = None


class Solver(NamedTuple):
    """A row of the table.

    fit: the public function. needs: "pairs" (rows in correspondence), "labels" (classes of the rows of two clouds) or
    "clouds" (no more than the two clouds). run: `run(known, **options)` calls `fit` with its share of what is known.
    streams: whether `align.streaming.fit` has it. options: names of the keyword arguments that are choices (a
    map to start from is none); required: those of them without a default. helps: what else it takes where it is known.
    into: spaces of "any" dimensions, "as many" as the source has or more, or of "equal" dimensions. freedom: how many
    numbers a map fits to each dimension of the target beside its mean: its "rank", as least squares does, "half" of it,
    as d (d − 1) / 2 angles are shared by d dimensions, or "one".
    """

    fit: Callable[..., AffineMap]
    needs: Literal["pairs", "labels", "clouds"]
    run: Callable[..., AffineMap]
    options: tuple[str, ...] = ()
    streams: bool = False
    required: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
    into: Literal["any", "as many", "equal"] = "any"
    freedom: Literal["rank", "half", "one"] = "rank"

    def fits(self, d_source: int, d_target: int) -> bool:
        """Say whether it can map a space of so many dimensions to another."""
        return {"any": True, "as many": d_source <= d_target, "equal": d_source == d_target}[self.into]

    def numbers(self, rank: int) -> float:
        """Give how many numbers a map of some rank fits to each dimension of the target, its mean aside."""
        return {"rank": rank, "half": rank / 2, "one": 1}[self.freedom]


def from_pairs(
    fit: Callable,
    *options: str,
    streams: bool = False,
    required: tuple[str, ...] = (),
    into: Literal["any", "as many", "equal"] = "any",
    freedom: Literal["rank", "half", "one"] = "rank",
) -> Solver:
    """Enter `fit(source, target, *, weights=None, **options)`."""

    def run(known, **chosen):
        return fit(known.source, known.target, weights=known.weights, **chosen)

    return Solver(fit, "pairs", run, options, streams, required, into=into, freedom=freedom)


def from_labels(fit: Callable, *options: str, draws: bool = True) -> Solver:
    """Enter `fit(key, source, source_labels, target, target_labels, **options)`, without the key unless it draws."""

    def run(known, **chosen):
        key = (known.key,) if draws else ()
        return fit(*key, known.source, known.source_labels, known.target, known.target_labels, **chosen)

    return Solver(fit, "labels", run, options)


def from_clouds(fit: Callable, *options: str, helped_by: tuple[str, ...]) -> Solver:
    """Enter `fit(key, source, target, **options)`, which may be helped by further fields of what is known."""

    def run(known, **chosen):
        helps = {name: getattr(known, name) for name in helped_by}
        return fit(known.key, known.source, known.target, **helps, **chosen)

    return Solver(fit, "clouds", run, options, helps=helped_by)
