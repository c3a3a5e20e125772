"""The pictures of the experiments: what the numbers of a cell look like."""

from pathlib import Path

import numpy as np
from cells import OWN, Cell, carry
from methods import METHODS, Pair
from study import Study, encoded

from align import figures, networks
from align.data import STANDARDISATION


def reconstructions(study: Study, cell: Cell) -> Path:
    """Draw test images, the target's own reconstructions, and those from the source's codes by every method.

    The pair is that of the first two seeds, with the anchors of its rows; the images are the first of each class.
    """
    name = f"table{cell.table}_{cell.source_model}_{cell.target_model}_latent{cell.latent}"
    path = study.results / (name + (f"_anchors{cell.anchors}.png" if cell.anchors else ".png"))
    if path.exists():
        return path
    labels = study.data.test.labels
    chosen = np.array([np.flatnonzero(labels == label)[0] for label in np.unique(labels)])
    source, target = study.pairs[0]
    own = cell._replace(source_model=cell.target_model)
    lines = [("own", own, "autoencoder", (target, target))]
    for method in cell.methods:
        if method in OWN:
            lines.append((f"{method} (own)", own, method, (target, target)))
        lines.append((method, cell, method, (source, target)))
    rows = {"test image": study.data.test.images[chosen]}
    for label, where, method, pair in lines:
        ((decoder, params, codes),) = carry(study, where, method, [pair])
        rows[label] = decoder.apply(params, codes[chosen])
    title = f"{study.data.name}, latent {cell.latent}, {cell.anchors or 'all'} anchors: "
    title += f"{cell.source_model}, seed {source} → {cell.target_model}, seed {target}"
    rows = {name: grey(images, study.data.name) for name, images in rows.items()}
    return figures.image_grid(path, rows, title=title)


def grey(images, dataset: str) -> np.ndarray:
    """Turn standardised images `[n, h, w, 1]` into grey values `[n, h, w]` from 0 to 1.

    What a sigmoid decodes lies in [0, 1] of the standardised scale, so MNIST is shown clipped to it.
    """
    mean, std = (0.0, 1.0) if dataset.startswith("mnist") else STANDARDISATION[dataset]
    return np.clip(np.asarray(images)[..., 0] * std + mean, 0, 1)


def latents(study: Study, latent: int, points: int = 2000) -> Path:
    """Draw test latents of two networks by class: the source's, as every method carries them, and the target's.

    All panels show the plane of the target's two leading principal components, on one scale; the source's own latents
    are shown in their own plane.
    """
    path = study.results / f"latents_{study.model}_latent{latent}.png"
    if path.exists():
        return path
    (_, source), (_, target) = encoded(study, study.model, latent)[:2]
    labels = study.data.test.labels[:points]
    panels = {"source": np.asarray(source.test[:points])}
    for method in study.methods:
        (fitted,) = METHODS[method]([Pair(networks.named_key(0, "latents"), source.train, target.train, None)])
        panels[f"source, {method} map"] = np.asarray(fitted(source.test[:points]))
    panels["target"] = np.asarray(target.test[:points])
    planes = {name: np.asarray((source if name == "source" else target).train) for name in panels}
    return figures.scatter(path, {name: plane(panels[name], planes[name]) for name in panels}, labels)


def plane(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Project points `[n, d]` onto the two leading principal components of a cloud `[m, d]`, unless d is 2."""
    if cloud.shape[1] <= 2:
        return points
    centre = cloud.mean(0)
    axes = np.linalg.eigh(np.cov((cloud - centre).T))[1][:, ::-1][:, :2]
    return (points - centre) @ axes
