"""How the cost grows as plots: a line per series over an axis, and the powers that fit their larger half.

What is shared among processes gets no power, as it is to take less time with more of them: how many times less is said.
"""

import math
from collections import defaultdict
from pathlib import Path

from align import drawing
from align_lab.bench import measurements

SHARED = "processes"
AXES = {
    "rows": ("rows", "Fits in 32 dimensions"),
    "dimension": ("dimension", "Fits to 8,192 rows"),
    "seeds": ("networks at once", "Training, two epochs of 4,800 images"),
    "streamed": ("rows", "Streamed fits in 32 dimensions"),
    "spaces": ("spaces", "A consensus of spaces of 4,096 rows in 32 dimensions"),
    "clouds": ("rows a side", "Clouds without pairs in 16 dimensions"),
    "processes": ("processes on this machine", "A streamed fit to 4 million rows in 32 dimensions, together"),
}
_REMARKS = {
    "dimension": "Ridge fits its rigid and similarity goals again without some of the rows: up to 1,000 times where a "
    "decomposition is cheap, and less often the dearer it is.",
    "clouds": "Since revision 007b898 it looks at 96,000 rows a side at most; before, at all of them.",
    "processes": "Each has one thread, and sends one record to every other, of 25 kB here whatever its rows: a "
    "thousand machines would gather 25 MB, and sum as fast as a thousand.",
}


def write(rows: list[dict], pictures: Path, ending: str) -> str:
    """Draw a plot for every axis that has rows, into files that end so; give the section that shows them."""
    series = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        series[row["axis"]][row["series"]][row["size"]] = row["seconds"]
    parts = ["### How the cost grows", ""] if series else []
    for axis, lines in series.items():
        path = _plot(pictures / f"growth_{axis}{ending}.png", axis, lines)
        parts += [f"![seconds against {AXES[axis][0]}](../pictures/{path.name})", ""]
        if axis == SHARED:
            said = "; ".join(f"{one} {speed_ups(sizes)}" for one, sizes in lines.items())
            growth = f". Speed against one process: {said}."
        else:
            said = "; ".join(f"{one} {slope(sizes):.2f}" for one, sizes in lines.items())
            growth = f": time grows with {AXES[axis][0]} to the power of {said} (the larger half of the sizes)."
        revisions = measurements.revisions(row for row in rows if row["axis"] == axis)
        parts += [f"{AXES[axis][1]}{growth} {revisions}", ""]
        parts += [_REMARKS[axis], ""] if axis in _REMARKS else []
    return "\n".join(parts)


def slope(sizes: dict[int, float]) -> float:
    """Fit a power of the size to the seconds at the larger half of the sizes, at least two; NaN for a single one."""
    kept = sorted(sizes)[-max(2, -(-len(sizes) // 2)) :]
    x, y = [math.log(size) for size in kept], [math.log(sizes[size]) for size in kept]
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - mean_x) ** 2 for a in x)
    return math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else math.nan


def speed_ups(sizes: dict[int, float]) -> str:
    """Say how many times as fast more processes are than the fewest; "alone" where there are no others."""
    (_, fewest), *more = sorted(sizes.items())
    return ", ".join(f"{fewest / seconds:.1f}x with {count}" for count, seconds in more) or "alone"


def _plot(path, axis, lines):
    figure, axes = drawing.plots().subplots(figsize=(5.2, 3.6), layout="constrained")
    for name, sizes in lines.items():
        points = sorted(sizes.items())
        said = speed_ups(sizes) if axis == SHARED else f"{slope(sizes):.2f}"
        axes.loglog(*zip(*points, strict=True), "o-", markersize=4, label=f"{name}: {said}")
    axes.set(xlabel=AXES[axis][0], ylabel="seconds")
    if axis == SHARED:
        axes.set_yscale("linear")
        axes.set_ylim(bottom=0)
    axes.set_title(AXES[axis][1], fontsize=9)
    sizes = sorted({size for line in lines.values() for size in line})
    if sizes[-1] < 100:
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_xticks([], minor=True)
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(title=None if axis == SHARED else "slope of the larger half")
    return drawing.save(figure, path)
