"""What runs between encoders come to: means over keys, how many are right, and whether the verdict knew."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from align_lab.crossing.named import CONTROLS, PAIRED

# A map is right where its top-1 is at least this share of that of the orthogonal map from as many pairs as texts.
RIGHT = 0.9
REFERENCE = PAIRED[0]
# Bins of the confidence, by their lower ends.
BINS = (0.0, 0.2, 0.5, 0.9, 0.95, 0.98)
_MEASURES = ("top1", "top10", "mean_rank", "cosine")


def references(rows: Sequence[dict]) -> dict[tuple, float]:
    """Give the top-1 of the map from all pairs by texts, dataset, encoders and key."""
    return {
        _draw(row): row["top1"]
        for row in rows
        if row["method"] == REFERENCE and row["pairs"] == row["texts"] and not row["control"]
    }


def shares(rows: Sequence[dict], of_all: dict[tuple, float]) -> list[float]:
    """Give the top-1 of rows over that of the map from all pairs of the same draw, where that is there."""
    return [row["top1"] / of_all[_draw(row)] for row in rows if of_all.get(_draw(row))]


def _draw(row):
    return row["dataset"], row["texts"], row["held_out"], row["source"], row["target"], row["key"]


def cells(rows: Sequence[dict]) -> dict[tuple, dict[str, list[dict]]]:
    """Group rows of the same texts without controls: `{(texts, source, target, pairs): {method: rows}}`, in order."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if not row["control"]:
            found[row["texts"], row["source"], row["target"], row["pairs"]][row["method"]].append(row)
    return {cell: dict(methods) for cell, methods in sorted(found.items())}


def summary(rows: Sequence[dict], of_all: dict[tuple, float]) -> dict[str, float]:
    """Sum up the runs of the solver in one cell: means, the worst, and what the verdict said of them.

    right: runs whose map is right, where that can be told of all; trusted, and of these those that are wrong.
    """
    share = shares(rows, of_all)
    told = {name: fmean(row[name] for row in rows) for name in _MEASURES}
    told |= {"runs": len(rows), "least": min(row["top1"] for row in rows)}
    told |= {name: median(row[name] for row in rows) for name in ("seconds", "processor_seconds")}
    told["trusted"] = sum(row["trusted"] for row in rows)
    if len(share) == len(rows):
        right = [one >= RIGHT for one in share]
        told |= {"share": fmean(share), "least_share": min(share), "right": sum(right)}
        told["trusted_wrongly"] = sum(row["trusted"] and not ok for row, ok in zip(rows, right, strict=True))
    return told


def calibration(rows: Sequence[dict], of_all: dict[tuple, float]) -> list[tuple[float, float, int, int, float]]:
    """Bin the solver's runs by confidence: lower and upper end, how many, how many right, and the mean confidence.

    Controls are among them, and never right, but for those with texts of another kind.
    """
    judged = [
        (row["confidence"], _right(row, of_all))
        for row in rows
        if row["method"] == "unpaired" and (row["control"] in CONTROLS or of_all.get(_draw(row)))
    ]
    bins = []
    for low, high in zip(BINS, (*BINS[1:], 1.0), strict=True):
        inside = [(p, right) for p, right in judged if low <= p < high or (p == high == 1.0)]
        if inside:
            bins.append((low, high, len(inside), sum(right for _, right in inside), fmean(p for p, _ in inside)))
    return bins


def _right(row, of_all):
    return row["control"] not in CONTROLS and row["top1"] >= RIGHT * of_all.get(_draw(row), float("inf"))


def controls(rows: Sequence[dict], of_all: dict[tuple, float]) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Count the runs against what takes a cloud's place: `{(control, texts): (runs, trusted, trusted and wrong)}`."""
    found = defaultdict(list)
    for row in rows:
        if row["control"] and row["method"] == "unpaired":
            found[row["control"], row["texts"]].append((row["trusted"], row["trusted"] and not _right(row, of_all)))
    return {cell: (len(told), *map(sum, zip(*told, strict=True))) for cell, told in sorted(found.items())}
