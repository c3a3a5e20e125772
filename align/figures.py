"""Pictures as PNG files; matplotlib is imported when the first one is drawn."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np


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


def _plots():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _write(figure, path):
    """Write a figure whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial.png")
    figure.savefig(partial, dpi=160)
    _plots().close(figure)
    os.replace(partial, path)
    return path
