"""The pictures of the experiments: what the numbers of a cell look like."""

from pathlib import Path

import numpy as np
from study import Cell, Study, fit, networks_of

from align import figures, models
from align.data import STANDARDISATION


def reconstructions(study: Study, cell: Cell) -> Path:
    """Draw test images, the target's own reconstructions, and those from the source's codes by every method.

    The pair is that of the first two seeds, with the anchors of its rows; the images are the first of each class.
    """
    path = study.results / f"table{cell.table}_latent{cell.latent}_anchors{cell.anchors}.png"
    if path.exists():
        return path
    labels = study.data.test.labels
    chosen = np.array([np.flatnonzero(labels == label)[0] for label in np.unique(labels)])
    pair = study.pairs[0]
    sources, targets = networks_of(study, cell)
    codes = sources[pair[0]][1].test[chosen]
    network, own = targets[pair[1]]
    decoded = {"test image": study.data.test.images[chosen]}
    decoded["own"] = models.decode(network.model, network.params, own.test[chosen])
    for method in cell.methods:
        (fitted,) = fit(study, cell, method, [pair])
        decoded[method] = models.decode(network.model, network.params, fitted(codes))
    title = f"{study.data.name}, latent {cell.latent}, {cell.anchors} anchors: seed {pair[0]} → seed {pair[1]}"
    rows = {name: grey(images, study.data.name) for name, images in decoded.items()}
    return figures.image_grid(path, rows, title=title)


def grey(images, dataset: str) -> np.ndarray:
    """Turn standardised images `[n, h, w, 1]` into grey values `[n, h, w]` from 0 to 1.

    What a sigmoid decodes lies in [0, 1] of the standardised scale, so MNIST is shown clipped to it.
    """
    mean, std = (0.0, 1.0) if dataset.startswith("mnist") else STANDARDISATION[dataset]
    return np.clip(np.asarray(images)[..., 0] * std + mean, 0, 1)
