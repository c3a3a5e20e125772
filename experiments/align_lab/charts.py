"""The rows of the tables as plots: the errors of a table against what it varies, ours filled, the paper's hollow."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from align import drawing, paper
from align_lab.asked import Asked
from align_lab.store import Store

# Pictures, and the tables whose rows are in each.
PICTURES = {"table1": (1,), "table2": (2,), "table3": (3,), "table4": (4,), "table5": (5, 6), "ablation": (5,)}
# On MNIST no error can go below this; what lies above it is what a method can lose.
ABOVE = f"test error − {paper.MNIST_FLOOR}"
_WHICH = ("fewer anchors at each latent", "more anchors at each latent")


def redraw(wanted: Asked, store: Store, tables: Sequence[int]) -> Iterator[str]:
    """Draw the pictures of some tables that do not show what is asked for yet; say where they are.

    A picture shows rows of the data, the architectures and the training that are asked for, whichever cells, and says
    of which it is made.
    """

    from align_lab.cells import described

    def trained(row, models):
        latent, ends = row["latent"], (row["source_model"], row["target_model"])
        autoencoders = {model: wanted.training(latent, model) for model in ends}
        return described(row["method"], autoencoders, wanted.training(latent, *models, relative=True))

    def comparable(table):
        models = wanted.compared(table)
        called = {wanted.architecture(model) for model in models}
        own = [row for row in store.rows(table) if row["dataset"] == wanted.dataset]
        own = [row for row in own if {row["source_model"], row["target_model"]} <= called]
        return [row for row in own if row["settings"] == trained(row, models)]

    for name, ours in _shown(tables, comparable):
        path = store.picture(name)
        if drawing.made_of(path) != _about(ours) and _draw(path, ours):
            yield f"Picture: {path}"


def draw(tables: Sequence[int], read: Callable[[int], list[dict]], folder: Path) -> list[Path]:
    """Draw the pictures of some tables into a folder; `read(table)` gives rows, of one dataset.

    Where there is one latent dimension, a table is a mark per method, else a line over the latents.
    """
    return [path for name, ours in _shown(tables, read) if _draw(path := folder / f"{name}.png", ours)]


def _shown(tables, read):
    """Give the means of the rows of every picture of some tables, by its name."""
    for name, needed in PICTURES.items():
        if set(needed) & set(tables):
            yield name, paper.summarise([row for table in needed for row in read(table)])


def _about(ours):
    return hashlib.sha256(repr(ours).encode()).hexdigest()


def _draw(path, ours):
    """Draw a picture by its name, and say whether there is anything to draw."""
    if path.stem == "ablation":
        panels = _variants(ours)
    elif path.stem == "table5" or len({key.latent for key in ours}) == 1:
        panels = _settings(ours)
    else:
        panels = _over_latents(ours)
    if not panels:
        return False
    if isinstance(next(iter(panels.values())), drawing.Curves):
        label = ABOVE if _floor(ours) else "test error"
        known = {"scales": ("log", "log"), "beside": "the paper's", "about": _about(ours)}
        drawing.curves(path, panels, "latent dimension", label, **known)
    else:
        drawing.dots(path, panels, "test error", about=_about(ours))
    return True


def _over_latents(ours):
    """A panel per number of anchors, from the fewest at each latent to the most; a line per method over the latents.

    Where networks are not the paper's, lines name their architecture.
    """
    counts = defaultdict(set)
    for key in ours:
        if key.anchors:
            counts[key.latent].add(key.anchors)
    most = max(map(len, counts.values()), default=1)
    panels: dict[str, drawing.Curves] = {}
    floor, named = _floor(ours), {key.direction for key in ours} != {"conv"}
    for place in range(most):
        lines, beside = defaultdict(dict), defaultdict(dict)
        for key, summary in sorted(ours.items(), key=lambda item: item[0].latent):
            here = sorted(counts[key.latent])
            if key.anchors and (place >= len(here) or key.anchors != here[place]):
                continue
            name = f"{key.title}, {key.direction}" if named else key.title
            lines[name][key.latent] = summary.mean - floor
            if key in paper.CELLS:
                beside[name][key.latent] = paper.CELLS[key].mean - floor
        if not any(map(len, lines.values())):
            continue
        dataset = next(iter(ours)).dataset
        which = _WHICH[place] if most == len(_WHICH) else f"anchors, choice {place + 1} of {most}" if most > 1 else ""
        panels[f"{dataset}{': ' if which else ''}{which}"] = drawing.Curves(lines, beside=beside)
    return panels


def _settings(ours):
    """A panel per latent dimension and number of anchors; a line per method and direction."""
    settings = sorted({(key.latent, key.anchors) for key in ours if key.anchors})
    settings = settings or [(latent, None) for latent in sorted({key.latent for key in ours})]
    methods = list(dict.fromkeys(key.title for key in ours))
    panels = {}
    for latent, anchors in settings:
        panel = panels[f"latent {latent}" + (f", {anchors} anchors" if anchors else "")] = {"ours": {}, "paper": {}}
        for key, summary in sorted(ours.items(), key=lambda item: methods.index(item[0].title)):
            if key.latent != latent or key.anchors not in (None, anchors) or key.method.startswith("decoder_only_"):
                continue
            name = f"{key.title}, {key.direction}"
            panel["ours"][name] = summary.mean
            if key in paper.CELLS:
                panel["paper"][name] = paper.CELLS[key].mean
    return panels


def _variants(ours):
    """A panel per setting; a line per variant of decoder_only, and a series per direction."""
    panels = defaultdict(lambda: defaultdict(dict))
    for key, summary in ours.items():
        if key.method.startswith("decoder_only") and key.anchors:
            setting = f"latent {key.latent}, {key.anchors} anchors"
            panels[setting][key.direction][key.method] = summary.mean
    return {title: panel for title, panel in panels.items() if any(len(series) > 1 for series in panel.values())}


def _floor(ours):
    """Give the error that no network of a picture can go below on the test images of MNIST, 0 where some can."""
    bounded = (key.dataset == "mnist" and not key.target_model.endswith("-linear") for key in ours)
    return paper.MNIST_FLOOR if all(bounded) else 0
