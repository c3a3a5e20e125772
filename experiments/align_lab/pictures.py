"""The pictures of the experiments: what the numbers of a cell look like."""

import itertools
from pathlib import Path

import numpy as np

from align import drawing, networks, solvers
from align.data import STANDARDISATION
from align_lab import representations
from align_lab.cells import OWN, Cell, carry
from align_lab.methods import METHODS, Pair
from align_lab.study import Study, encoded


def reconstructions(study: Study, cell: Cell) -> Path:
    """Draw test images, the target's own reconstructions, and those from the source's codes by every method.

    The pair is that of the first two seeds, with the anchors of its rows; the images are the first of each class.
    """
    name = f"table{cell.table}_{cell.source_model}_{cell.target_model}_latent{cell.latent}"
    path = study.results / "pictures" / (name + (f"_anchors{cell.anchors}.png" if cell.anchors else ".png"))
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
    return drawing.image_grid(path, rows, title=title)


def grey(images, dataset: str) -> np.ndarray:
    """Turn standardised images `[n, h, w, 1]` into grey values `[n, h, w]` from 0 to 1.

    What a sigmoid decodes lies in [0, 1] of the standardised scale, so MNIST is shown clipped to it.
    """
    mean, std = (0.0, 1.0) if dataset.startswith("mnist") else STANDARDISATION[dataset]
    return np.clip(np.asarray(images)[..., 0] * std + mean, 0, 1)


def latents(study: Study, latent: int, points: int = 2000) -> Path:
    """Draw test latents of two networks by class: the source's, as every method carries them, and the target's.

    All panels show the plane of the target's two leading principal components, on one scale; the source's own latents
    are shown in their own plane. The pair is the one that a linear map relates best: at latent dimension 2 two networks
    may fold the same images so differently that no map shows anything.
    """
    path = study.results / "pictures" / f"latents_{study.model}_latent{latent}.png"
    if path.exists():
        return path
    spaces = encoded(study, study.model, latent)
    pairs = list(itertools.permutations(range(len(spaces)), 2))
    residuals = [float(solvers.linear(spaces[s][1].train, spaces[t][1].train).residual) for s, t in pairs]
    first, second = pairs[int(np.argmin(residuals))]
    (source_network, source), (target_network, target) = spaces[first], spaces[second]
    labels = study.data.test.labels[:points]
    name, goal = f"source, seed {source_network.seed}", f"target, seed {target_network.seed}"
    panels = {name: np.asarray(source.test[:points])}
    for method in study.methods:
        (fitted,) = METHODS[method]([Pair(networks.named_key(0, "latents"), source.train, target.train, None)])
        panels[f"source, {method} map"] = np.asarray(fitted(source.test[:points]))
    panels[goal] = np.asarray(target.test[:points])
    planes = {title: np.asarray((source if title == name else target).train) for title in panels}
    return drawing.scatter(path, {title: plane(panels[title], planes[title]) for title in panels}, labels)


def singular_values(study: Study) -> list[str]:
    """Draw the singular values of linear maps, largest first, as medians over all ordered pairs of networks.

    A panel per latent dimension: maps from all pairs of codes, and from twice as many as there are dimensions. Return
    lines that say where the picture is, and the range of the values from all pairs.
    """
    panels, said = {}, []
    for latent in study.latents:
        spaces = encoded(study, study.model, latent)
        lines = {}
        for name, count in (("all pairs", None), ("two pairs per dimension", 2 * latent)):
            found = []
            for s, t in itertools.permutations(range(len(spaces)), 2):
                key = networks.named_key(s, "singular values", str(t), str(latent))
                rows = slice(None) if count is None else representations.draw(study, key, count)
                fitted = solvers.linear(spaces[s][1].train[rows], spaces[t][1].train[rows])
                found.append(np.linalg.svd(np.asarray(fitted.weight), compute_uv=False))
            lines[name] = {place + 1: float(value) for place, value in enumerate(np.median(found, axis=0))}
            if count is None:
                least, low, high, most = np.quantile(found, [0, 0.1, 0.9, 1])
                said.append(
                    f"latent {latent}: singular values of the maps from all pairs, eight in ten "
                    f"{low:.2f} to {high:.2f}, all {least:.2f} to {most:.2f}"
                )
        panels[f"latent {latent}"] = drawing.Curves(lines, levels={"a rotation": 1.0})
    path = study.results / "pictures" / f"singular_values_{study.model}.png"
    scales = ("linear", "log")
    return [*said, f"Picture: {drawing.curves(path, panels, 'place', 'singular value of the map', scales=scales)}"]


def plane(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Project points `[n, d]` onto the two leading principal components of a cloud `[m, d]`, unless d is 2."""
    if cloud.shape[1] <= 2:
        return points
    centre = cloud.mean(0)
    axes = np.linalg.eigh(np.cov((cloud - centre).T))[1][:, ::-1][:, :2]
    return (points - centre) @ axes
