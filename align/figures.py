"""Pictures as PNG files; matplotlib is imported when the first one is drawn."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

_OUTLINE = {"bbox": {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}}


def image_grid(path: Path, rows: Mapping[str, np.ndarray], *, title: str = "") -> Path:
    """Draw rows of images `[n, h, w]`, values from 0 (black) to 1 (white), each row under its name."""
    count = min(len(images) for images in rows.values())
    figure, axes = _plots().subplots(
        len(rows), count, figsize=(1.6 + 0.62 * count, 0.3 + 0.66 * len(rows)), squeeze=False, layout="constrained"
    )
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return _write(figure, path)


def scatter(path: Path, panels: Mapping[str, np.ndarray], labels: np.ndarray) -> Path:
    """Draw panels of points `[n, 2]` side by side, coloured and numbered by their labels `[n]`.

    The last panel sets the scale of all but the first, which has its own: what is carried over is to be compared with
    the target.
    """
    figure, axes = _plots().subplots(
        1, len(panels), figsize=(2.9 * len(panels), 3.2), squeeze=False, layout="constrained"
    )
    low, high = np.percentile(list(panels.values())[-1], [0.5, 99.5], axis=0)
    margin = 0.15 * (high - low)
    for place, (axis, (name, points)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        axis.scatter(*points.T, c=labels, cmap="tab10", vmin=0, vmax=9, s=2, linewidths=0)
        for label in np.unique(labels):
            centre = np.median(points[labels == label], axis=0)
            axis.annotate(str(label), centre, ha="center", va="center", weight="bold", fontsize=10, **_OUTLINE)
        if place:
            axis.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, fontsize=10)
    return _write(figure, path)


class Curves(NamedTuple):
    """What a panel shows: lines `{name: {x: y}}`, horizontal levels `{name: y}`, and single points `{name: (x, y)}`."""

    lines: Mapping[str, Mapping[float, float]]
    levels: Mapping[str, float]
    points: Mapping[str, tuple[float, float]]


def curves(path: Path, panels: Mapping[str, Curves], x: str, y: str) -> Path:
    """Draw panels of curves over a logarithmic x side by side; a name has the same marker or dash in all of them.

    The vertical scale ends a little above the third quartile of the lines: what explodes leaves the picture.
    """
    figure, axes = _plots().subplots(
        1, len(panels), figsize=(5.2 * len(panels), 3.8), squeeze=False, layout="constrained"
    )
    for axis, (title, panel) in zip(axes[0], panels.items(), strict=True):
        for (name, line), marker in zip(panel.lines.items(), "os^Dv", strict=False):
            axis.plot(list(line), list(line.values()), marker=marker, markersize=4, linewidth=1.2, label=name)
        for (name, level), dash in zip(panel.levels.items(), ("-", "--", ":", "-."), strict=False):
            axis.axhline(level, color="black", linestyle=dash, linewidth=1, label=name)
        for (name, point), marker in zip(panel.points.items(), "x+*12", strict=False):
            axis.plot(*point, marker=marker, color="grey", linestyle="none", markersize=7, label=name)
        values = [value for line in panel.lines.values() for value in line.values()]
        low = min([*values, *panel.levels.values()])
        high = max([np.percentile(values, 75), *panel.levels.values()])
        axis.set(xscale="log", xlabel=x, ylabel=y, ylim=(low - 0.05 * (high - low), high + 0.15 * (high - low)))
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return _write(figure, path)


def _plots():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _write(figure, path):
    """Write a figure whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial.png")
    try:
        figure.savefig(partial, dpi=160)
        os.replace(partial, path)
    finally:
        _plots().close(figure)
        partial.unlink(missing_ok=True)
    return path
