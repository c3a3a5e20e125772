"""The consensus as tables and pictures: errors by the number of anchors, and the networks as points."""

from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import jax.numpy as jnp
import numpy as np

from align import drawing, markdown
from align.rows import read
from align.training import Settings
from align_lab import mixtures, pages, recipes
from align_lab.many import likeness
from align_lab.many.agreements import gathered
from align_lab.many.many_plans import ALIKE, TABLE, Gathering, columns
from align_lab.parting import parted
from align_lab.store import Store

HEAD = """# Many networks, one space

Made by `python experiments/consensus.py`, with `--dataset`, `--groups` and `--latent` for what the headings name, and
the flags of training for what is said under them: maps from few anchors between all ordered pairs of networks, of each
pair for itself (`rigid`, `similarity`, `affine`, `ridge`) or through one space (`procrustes`, `consensus`); means over
pairs and draws of the anchors, on the test images. "residual" is of codes, "test error" of the next network's decoder;
"around" is how far a code is from itself after a way through all networks, "by way" the way from one to a third against
the way through a second, both over the spread of the codes. Anchors "50 of 100": each network has embedded 50 of its
own out of 100.

Of each network by itself: its own test error, its mean distance to the others (two measures, on the test images), and
the mean test errors of rigid maps of all training images from the others to its decoder ("into") and back ("out of").
"""
GAINING = ("rigid", "ridge", "procrustes", "consensus")
DATA = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
FORETELLING = {"own": "own error", "procrustes": "Procrustes distance", "cka": "CKA distance"}
MEASURES = FORETELLING | {"into": "into", "out_of": "out of"}
COLUMNS = {"residual": "residual", "test_error": "test error", "around": "around", "by_way": "by way"}


def write(results: Path) -> Path:
    """Write the tables of all rows in a folder of results, and a picture for each group of networks, into it."""
    rows, alike = (read(results / "rows" / f"{table}.jsonl") for table in (TABLE, ALIKE))
    parts = [HEAD]
    for own in parted(rows, "dataset", "latent", "group").values():
        first = own[0]
        title = f"{first['dataset']}, latent {first['latent']}, {first['group']}"
        name = f"{first['dataset']}_latent{first['latent']}_{_stem(first['group'])}"
        panels = {}
        lines = []
        for each in parted(_shared(own), "pool_share").values():
            curves: dict[str, dict] = {}
            for cell in sorted(parted(each, "anchors", "method").values(), key=lambda cell: cell[0]["anchors"]):
                one = cell[0]
                anchors = str(one["anchors"]) + ("" if one["pool"] == one["anchors"] else f" of {one['pool']}")
                means = {column: fmean(row[column] for row in cell) for column in COLUMNS}
                lines.append([anchors, one["method"], *(f"{means[column]:.4f}" for column in COLUMNS), str(len(cell))])
                curves.setdefault(one["method"], {})[one["anchors"]] = means["residual"]
            same = each[0]["pool"] == each[0]["anchors"]
            panels["the same anchors for all" if same else "each its own half of twice as many"] = drawing.Curves(
                curves
            )
        pictures = results / "pictures"
        picture = drawing.curves(pictures / f"{TABLE}_{name}.png", panels, "anchors", "residual of test codes")
        parts += [
            f"## {title}",
            "",
            *_trained_otherwise(own),
            *mixtures.warning(own),
            f"![Residual against the number of anchors](../pictures/{picture.name})",
            "",
        ]
        if (points := pictures / f"networks_{name}.png").exists():
            parts += ["Which networks are alike, by two distances:", ""]
            parts += [f"![The networks as a matrix, a tree and points](../pictures/{points.name})", ""]
        parts += [markdown.table(["anchors", "method", *COLUMNS.values(), "draws"], lines), ""]
        known = ("dataset", "latent", "group")
        parts += _by_themselves([row for row in alike if all(row[name] == first[name] for name in known)])
    return pages.write(results, TABLE, "\n".join(parts), [*rows, *alike])


def changed(row: dict) -> str:
    """Say what was other than the recipe's own in how the networks of a row were trained; "" for nothing.

    It is said by architecture where that is not the same for all.
    """
    models = [part.partition(":")[0] for part in row["group"].split("+")]
    given = row["settings"] if row["settings"].keys() == set(models) else dict.fromkeys(models, row["settings"])
    found = {}
    for model in models:
        own = recipes.settings(row["dataset"], (model,), row["latent"], recipes.Overrides({}))
        both = ((name, value, getattr(own, name)) for name, value in asdict(Settings(**given[model])).items())
        texts = (f"{name.replace('_', ' ')} {value} in place of {ours}" for name, value, ours in both if value != ours)
        found[model] = ", ".join(texts)
    if len(set(found.values())) == 1:
        return found[models[0]]
    return "; ".join(f"{model} {text}" for model, text in found.items() if text)


def _trained_otherwise(rows):
    """Give the paragraph on rows whose networks were not trained as they are by default, nothing where all were."""
    said = dict.fromkeys(filter(None, map(changed, rows)))
    return [f"Trained otherwise than by default: {'. Or: '.join(said)}.", ""] if said else []


def gains(rows: list[dict]) -> dict[tuple[str, str], str]:
    """Give the errors of the next network's decoder by anchors and method, and by the networks that are gathered.

    rows: of networks of one latent dimension.
    """
    found = {}
    cells = parted(_shared(rows), "anchors", "pool_share", "method").values()
    for cell in sorted(cells, key=lambda cell: (cell[0]["pool_share"], cell[0]["anchors"])):
        first = cell[0]
        of = "" if first["pool"] == first["anchors"] else f" of {first['pool']}"
        for own in parted(cell, "dataset", "group").values() if first["method"] in GAINING else ():
            group = " + ".join(" ".join(part.split(":")[::-1]) for part in own[0]["group"].split("+"))
            column = f"{DATA.get(own[0]['dataset'], own[0]['dataset'])}, {group}"
            found[f"{first['anchors']}{of}, `{first['method']}`", column] = f"{fmean(r['test_error'] for r in own):.3f}"
    return found


def _by_themselves(rows):
    """Give a table of the networks for each training, and how well distances foretell errors, from five networks on."""
    trainings: dict[str, list[dict]] = {}
    for row in rows:
        trainings.setdefault(changed(row), []).append(row)
    parts = []
    for training, own in trainings.items():
        if len(trainings) > 1:
            parts += [f"Networks trained {f'with {training}' if training else 'as they are by default'}:", ""]
        lines = [[row["network"], *(f"{row[name]:.4f}" for name in MEASURES)] for row in own]
        parts += [markdown.table(["network", *MEASURES.values()], lines), ""]
        if len(own) > 4:
            from scipy import stats

            transfers = [row["into"] + row["out_of"] for row in own]
            found = {name: stats.spearmanr([row[name] for row in own], transfers).statistic for name in FORETELLING}
            told = ", ".join(f"{MEASURES[name]} {value:+.2f}" for name, value in found.items())
            parts += [f"Rank correlation with the errors of its maps, into and out of it: {told}.", ""]
    return parts


def _shared(rows):
    """Say of rows how many anchors there are in all, over those that a network has embedded."""
    return [{**row, "pool_share": row["pool"] // row["anchors"]} for row in rows]


def _stem(name):
    return name.replace(":", "").replace("+", "_")


def networks_as_points(gathering: Gathering, store: Store) -> Path:
    """Draw the distances between networks: a matrix in the order of its clustering, the tree, and points in a plane."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    ends = gathered(gathering, store)
    names = [f"{end.name} {end.seed}" for end in ends]
    found = likeness.distances([jnp.asarray(end.test) for end in ends])
    pyplot = drawing.plots()
    figure, axes = pyplot.subplots(len(found), 3, figsize=(11, 3.9 * len(found)), squeeze=False, layout="constrained")
    for line, (measure, matrix) in zip(axes, found.items(), strict=True):
        tree = hierarchy.linkage(squareform(matrix, checks=False), "average", optimal_ordering=True)
        order = hierarchy.leaves_list(tree)
        shown = line[0].imshow(np.where(np.eye(len(ends)), np.nan, matrix)[np.ix_(order, order)], cmap="viridis")
        line[0].set_xticks(range(len(ends)), [names[i] for i in order], rotation=90, fontsize=8)
        line[0].set_yticks(range(len(ends)), [names[i] for i in order], fontsize=8)
        line[0].set_title(f"{measure} distance", fontsize=10)
        figure.colorbar(shown, ax=line[0], shrink=0.8)
        drawn = {"color_threshold": 0, "above_threshold_color": "black", "leaf_font_size": 8}
        hierarchy.dendrogram(tree, ax=line[1], labels=names, orientation="right", **drawn)
        line[1].set_title("average linkage", fontsize=10)
        points = in_a_plane(matrix)
        kinds = list(dict.fromkeys(end.name for end in ends))
        for marker, kind in zip("os^D", kinds, strict=False):
            own = [i for i, end in enumerate(ends) if end.name == kind]
            line[2].scatter(*points[own].T, marker=marker, s=30, label=kind)
        for name, point in zip(names, points, strict=True):
            line[2].annotate(name.split()[-1], point, xytext=(4, 4), textcoords="offset points", fontsize=9)
        line[2].set_aspect("equal", adjustable="datalim")
        line[2].locator_params(nbins=5)
        line[2].set_title("in a plane, as far apart as can be", fontsize=10)
        line[2].legend(fontsize=8)
    known = columns(gathering.spaces)
    name = f"networks_{known['dataset']}_latent{known['latent']}_{_stem(known['group'])}"
    return drawing.save(figure, store.picture(name))


def in_a_plane(matrix: np.ndarray) -> np.ndarray:
    """Give points `[n, 2]` whose distances are close to those of a matrix `[n, n]` (classical scaling; Torgerson)."""
    centre = np.eye(len(matrix)) - 1 / len(matrix)
    values, vectors = np.linalg.eigh(-centre @ matrix**2 @ centre / 2)
    return vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0))
