"""Pictures as PNG files; matplotlib is imported when the first one is drawn."""

import os
from collections.abc import Mapping
from pathlib import Path

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
