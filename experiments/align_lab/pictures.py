"""The pictures that need the networks: what the numbers of a cell look like, latents, and singular values of maps."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from align import drawing, models, networks, solvers
from align.data import STANDARDISATION, Dataset
from align_lab import draws, validation
from align_lab.cells import carry
from align_lab.methods import METHODS, Pair
from align_lab.plans import Cell, Networks
from align_lab.representations import OWN
from align_lab.store import Store
from align_lab.trainings import encoded

SHOWN = 10  # images, of as many classes as there are


def reconstructions(cell: Cell, store: Store) -> Path:
    """Draw test images, the target's own reconstructions, and those from the source's codes by every method.

    The pair is that of the first two seeds, with the anchors of its rows; the images are the first of each class,
    and where there are fewer classes than places, others that are spread over it.
    """
    source, target, dataset = cell.source, cell.target, cell.source.dataset
    name = f"table{cell.table}_{source.model}_{target.model}_latent{source.latent}"
    path = _picture(store, name + (f"_anchors{cell.anchors}" if cell.anchors else ""), dataset)
    about = repr(cell)
    if drawing.made_of(path) == about:
        return path
    test = store.data(dataset).test
    classes = np.unique(test.labels)[:SHOWN]
    places = [np.flatnonzero(test.labels == label) for label in classes]
    spread = (np.linspace(0, len(where) - 1, SHOWN // len(classes)).astype(int) for where in places)
    chosen = np.concatenate([where[each] for where, each in zip(places, spread, strict=True)])
    first, second = source.seeds[:2]
    own = replace(cell, source=target)
    lines = [("own", own, "autoencoder", (second, second))]
    for method in cell.methods:
        if method == "autoencoder":
            continue
        if method in OWN:
            lines.append((f"{method} (own)", own, method, (second, second)))
        lines.append((method, cell, method, (first, second)))
    rows = {"test image": test.images[chosen]}
    for label, where, method, pair in lines:
        ((decoder, params, codes),) = carry(where, method, [pair], store)
        rows[label] = decoder.apply(params, codes[chosen])
    title = f"{dataset}, latent {source.latent}, {cell.anchors or 'all'} anchors: "
    title += f"{source.model}, seed {first} → {target.model}, seed {second}"
    last = models.last_layer(target.model, dataset)
    seen = {name: visible(images, store.data(dataset), last) for name, images in rows.items()}
    return drawing.image_grid(path, seen, title=title, about=about)


def _picture(store, name, dataset):
    """Name a picture by what it shows, and by the data where that says nothing of them."""
    return store.picture(name if dataset in STANDARDISATION else f"{name}_{dataset}")


def visible(images, data: Dataset, last: str) -> np.ndarray:
    """Turn standardised images `[n, h, w, c]` into values from 0 to 1, grey `[n, h, w]` or coloured `[n, h, w, 3]`.

    What a sigmoid decodes lies in [0, 1] of the standardised scale, and is shown clipped to it. Of more than three
    channels the first three are shown, of two the first.
    """
    images = np.asarray(images)
    if last == "linear":
        pixels, test = (array * np.asarray(data.std) + data.mean for array in (images, data.test.images))
        low, high = (0.0, 1.0) if data.name in STANDARDISATION else (test.min(), test.max())
        images = (pixels - low) / (high - low)
    seen = np.clip(images, 0, 1)
    return seen[..., :3] if seen.shape[-1] >= 3 else seen[..., 0]


def latents(wanted: Networks, methods: Sequence[str], store: Store, points: int = 2000) -> Path:
    """Draw test latents of two networks by class: the source's, as every method carries them, and the target's.

    All panels show the plane of the target's two leading principal components, on one scale; the source's own latents
    are shown in their own plane. The pair is the one that a linear map relates best: at latent dimension 2 two networks
    may fold the same images so differently that no map shows anything.
    """
    path = _picture(store, f"latents_{wanted.model}_latent{wanted.latent}", wanted.dataset)
    about = repr((wanted, tuple(methods), points))
    if drawing.made_of(path) == about:
        return path
    pairs = list(itertools.permutations(encoded(wanted, store), 2))
    residuals = [float(solvers.linear(source.train, target.train).residual) for source, target in pairs]
    source, target = pairs[int(np.argmin(residuals))]
    name, goal = f"source, seed {source.seed}", f"target, seed {target.seed}"
    shown = validation.order(wanted.dataset, len(source.test))[:points]
    panels = {name: np.asarray(source.test[shown])}
    known = Pair(networks.named_key(0, "latents"), source.train, target.train, store.data(wanted.dataset).train.labels)
    for method in methods:
        (fitted,) = METHODS[method]([known])
        panels[f"source, {method} map"] = np.asarray(fitted(source.test[shown]))
    panels[goal] = np.asarray(target.test[shown])
    planes = {title: np.asarray((source if title == name else target).train) for title in panels}
    labels = store.data(wanted.dataset).test.labels[shown]
    projected = {title: plane(panels[title], planes[title]) for title in panels}
    return drawing.scatter(path, projected, labels, about=about)


def plane(points: np.ndarray, cloud: np.ndarray) -> np.ndarray:
    """Project points `[n, d]` onto the two leading principal components of a cloud `[m, d]`, unless d is 2 or 1."""
    if cloud.shape[1] <= 2:
        return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    centre = cloud.mean(0)
    axes = np.linalg.eigh(np.cov((cloud - centre).T))[1][:, ::-1][:, :2]
    return (points - centre) @ axes


def singular_values(wanted: Sequence[Networks], store: Store) -> Iterator[str]:
    """Draw the singular values of linear maps, largest first, as medians over all ordered pairs of networks.

    A panel per latent dimension: maps from all pairs of codes, and from twice as many as there are dimensions. Yield
    the range of the values from all pairs, and where the picture is.
    """
    panels = {}
    for space in wanted:
        whole = _singular_values(encoded(space, store), space.latent, None)
        few = _singular_values(encoded(space, store), space.latent, 2 * space.latent)
        least, low, high, most = np.quantile(whole, [0, 0.1, 0.9, 1])
        yield (
            f"latent {space.latent}: singular values of the maps from all pairs, eight in ten "
            f"{low:.2f} to {high:.2f}, all {least:.2f} to {most:.2f}"
        )
        found = {"all pairs": whole, "two pairs per dimension": few}
        lines = {
            name: {place + 1: float(value) for place, value in enumerate(np.median(values, axis=0))}
            for name, values in found.items()
        }
        panels[f"latent {space.latent}"] = drawing.Curves(lines, levels={"a rotation": 1.0})
    path = _picture(store, f"singular_values_{wanted[0].model}", wanted[0].dataset)
    scales = ("linear", "log")
    yield f"Picture: {drawing.curves(path, panels, 'place', 'singular value of the map', scales=scales)}"


def _singular_values(spaces, latent, count):
    """Fit a linear map between every two networks, from `count` random pairs or all: values `[pairs, latent]`."""
    found = []
    for s, t in itertools.permutations(range(len(spaces)), 2):
        source, target = spaces[s].train, spaces[t].train
        key = networks.named_key(s, "singular values", str(t), str(latent))
        rows = slice(None) if count is None else draws.without_repeats(key, len(source), count)
        fitted = solvers.linear(source[rows], target[rows])
        found.append(np.linalg.svd(np.asarray(fitted.weight), compute_uv=False))
    return found
