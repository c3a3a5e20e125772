"""What the shapes of two clouds force on every rigid map, and what the best one leaves: a point for each pair."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from align import drawing
from align_lab.rigidity import rigid_gaps
from align_lab.rigidity.relations import OWN

MARKERS = "os^Dv"


def deviations(rows: Sequence[dict]) -> dict[int, np.ndarray]:
    """Give the standard deviations `[d]` along the principal axes of the codes of each network, by its seed."""
    return {row["source_seed"]: np.array(row["deviations"]) for row in rows if row["method"] == OWN}


def forced(source: np.ndarray, target: np.ndarray, *, scaled: bool = False) -> float:
    """Give the residual that no rigid map between two clouds can be below, or no similarity.

    source, target: standard deviations `[d]` along the axes, largest first. For clouds X and Y about their means
    ‖X Q − Y‖² = ‖X‖² + ‖Y‖² − 2 tr(Qᵀ Xᵀ Y) ≥ Σ (σ_i(X) − σ_i(Y))² by von Neumann's trace inequality; it is as little
    as that where the axes of one, in their order, are those of the other.
    """
    scale = (source @ target) / (source @ source) if scaled else 1.0
    return float(np.linalg.norm(scale * source - target) / np.linalg.norm(target))


def of_pairs(rows: Sequence[dict], *, scaled: bool = False) -> dict[tuple[int, int], float]:
    """Give what is forced on the maps between the networks of a variant, by ordered pair of seeds."""
    spaces = deviations(rows)
    return {(s, t): forced(spaces[s], spaces[t], scaled=scaled) for s in spaces for t in spaces if s != t}


def explained(group: Mapping[str, Sequence[dict]]) -> float:
    """Give how much of what tells pairs apart in the square of their rigid residual goes with what is forced (R²)."""
    squares = []
    for rows in group.values():
        least, left = of_pairs(rows), rigid_gaps.errors(rows, "rigid", None, "residual")
        squares += [(least[pair] ** 2, left[pair] ** 2) for pair in left]
    return float(np.corrcoef(np.transpose(squares))[0, 1] ** 2)


def draw(path: Path, group: Mapping[str, Sequence[dict]]) -> Path:
    """Draw what the rigid maps from all pairs leave of the codes, against what is forced on them."""
    figure, axis = drawing.plots().subplots(figsize=(7.4, 4.6), layout="constrained")
    most = 0.0
    for place, (name, rows) in enumerate(group.items()):
        least, left = of_pairs(rows), rigid_gaps.errors(rows, "rigid", None, "residual")
        points = np.array([(least[pair], left[pair]) for pair in left])
        look = {"color": drawing.grade(place, len(group)), "marker": MARKERS[place % len(MARKERS)]}
        axis.plot(*points.T, **look, linestyle="none", markersize=4.5, alpha=0.8, label=name)
        most = max(most, points.max())
    axis.plot([0, most], [0, most], color="grey", linewidth=0.8)
    axis.set(xlabel="forced by the deviations along the axes", ylabel="residual of the rigid map, all pairs")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    return drawing.save(figure, path)
