"""The figures of the pages of `docs/`, from the rows.

`python docs/guide_tables.py` puts them into these pages.

A table is a dictionary from line and column to the text between them; what has no rows yet is left out.
"""

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

from align import markdown
from align.rows import read

sys.path.append(str(Path(__file__).parents[1] / "experiments"))
from align_lab.heads import classify_page, head_comparisons
from align_lab.many.many_page import DATA, gains
from align_lab.rigidity import rigidity_page

# The pages, and the places in them that are filled.
PAGES = {
    "guide.md": ("networks",),
    "switching.md": ("index", "queries", "swaps", "database"),
    "encoders.md": ("crossings",),
    "classification.md": ("heads", "families"),
    "rigidity.md": ("factors",),
    "networks.md": ("gains",),
}
FOLDER = Path(__file__).parent
RESULTS = Path(__file__).parents[1] / "experiments" / "results"
# Where a figure is looked for, in this order: the ladder of knowledge has all of them from the same anchors.
FILES = ("knowledge", "table1", "table3", "table4", "table5")
SPACES = {
    "MNIST, latent 10": ("mnist", 10, "conv", "conv"),
    "MNIST, latent 50": ("mnist", 50, "conv", "conv"),
    "Fashion-MNIST, latent 50, conv → mlp": ("fashion_mnist", 50, "conv", "mlp"),
    "Fashion-MNIST, latent 50, mlp → conv": ("fashion_mnist", 50, "mlp", "conv"),
}
KNOWN = {
    "all pairs": (None, ("rigid", "linear", "ridge", "stitching_k2")),
    "100 pairs": (100, ("rigid", "linear", "ridge", "stitching_k2")),
    "50 pairs": (50, ("rigid", "linear", "ridge")),
    "10 pairs": (10, ("rigid", "linear", "ridge")),
    "100 pairs and two clouds": (100, ("unpaired",)),
    "10 pairs and two clouds": (10, ("unpaired",)),
    "class labels": (None, ("means_rigid", "means_linear", "labels")),
    "nothing, but two clouds": (None, ("unpaired",)),
}
NO_ROWS = "(no rows yet)"
# Of the swap of an encoder: a line for each method and direction, of what measure.
SWAPS = {
    "the old encoder, kept": ("old encoder", None, "recall"),
    "the old encoder, kept, 200 of a query embedded again": ("old encoder", None, "of_200"),
    "`unpaired`, clouds of 5,000 a side": ("unpaired", "index", "recall"),
    "`ridge` from new to old, queries mapped": ("ridge", "queries", "recall"),
    "a residual network of two layers, trained": ("residual network", "index", "recall"),
    "isotrieve": ("isotrieve", "index", "recall"),
    "`rigid`": ("rigid", "index", "recall"),
    "`ridge`": ("ridge", "index", "recall"),
    "`auto`": ("auto", "index", "recall"),
    "`auto`, 200 of a query embedded again": ("auto", "index", "of_200"),
    "`auto --clouds`": ("auto, clouds", "index", "recall"),
    "`auto --clouds`, 200 of a query embedded again": ("auto, clouds", "index", "of_200"),
}
WORDNET = {"dataset": "wordnet"}  # the texts of all that the pages say of encoders
ENCODERS = ("orthogonal", "rigid", "linear", "affine", "ridge")

KNOWN_PAIRS = {"all pairs": None, "1,000 pairs": 1000, "100 pairs": 100, "20 pairs": 20, "10 pairs": 10}
# Of networks that differ in a factor.
OF_FACTORS = {
    "its own": ("autoencoder", None),
    **{f"`{m}`, {n or 'all'} pairs": (m, n) for n in (100, None) for m in ("rigid", "similarity", "linear")},
}
# Of heads on mapped codes: a line for each method and number of pairs.
HEADS = {
    "the target's own codes": ("classifier", None),
    **{f"{count}, `{m}`": (m, n) for count, n in KNOWN_PAIRS.items() for m in ("rigid", "affine", "ridge")},
    "all pairs, a trained MLP": ("stitching_k2", None),
    "1,000 pairs, a trained MLP": ("stitching_k2", 1000),
    "100 pairs, a trained MLP": ("stitching_k2", 100),
    "20 pairs and two clouds, `unpaired`": ("unpaired", 20),
    "100 shared anchors, relative (cosine)": ("relative_cosine", 100),
    "class labels, `class_means`, rigid": ("class_means_rigid", None),
    "class labels, `labels`": ("labels", None),
    "nothing, `unpaired`": ("unpaired", None),
    "nothing, codes as they are": ("as_they_are", None),
}

# Which family is compared with which, and from how many pairs.
FAMILIES = [
    ("rigid", "affine", 100),
    ("rigid", "affine", None),
    *(("stitching_k2", other, count) for other in ("ridge", "rigid") for count in (100, 1000, None)),
]
WORDS = {"rigid": "`rigid`", "affine": "`affine`", "ridge": "`ridge`", "stitching_k2": "a trained MLP"}
WITHIN, BETWEEN = "within an architecture", "between architectures"
# Of networks of what architectures, and whether between two of them.
AMONG = {
    "another seed": (WITHIN, {"conv", "mlp", "residual"}),
    "conv ↔ mlp": (BETWEEN, {"conv", "mlp"}),
    "another architecture": (BETWEEN, {"conv", "mlp", "residual"}),
}


def networks(results: Path) -> dict[tuple[str, str], str]:
    """Give the mean test errors of the paper's networks, by what is known and how it is used, and by space."""
    files = [read(results / "rows" / f"{name}.jsonl") for name in FILES]
    lines = {"the target's own codes": (None, "autoencoder")}
    for known, (anchors, methods) in KNOWN.items():
        lines |= {f"{known}, `{method}`": (anchors, method) for method in methods}
    found = {}
    for line, (anchors, method) in lines.items():
        for space, (dataset, latent, source, target) in SPACES.items():
            named = {"dataset": dataset, "latent": latent, "method": method, "anchors": anchors, "target_model": target}
            if method != "autoencoder":
                named["source_model"] = source
            errors = _errors(files, named)
            if errors:
                found[line, space] = f"{fmean(errors):.3f}"
    return found


def encoders(results: Path, direction: str) -> dict[tuple[str, str], str]:
    """Give the recall of the embedding switch in %, by solver and number of anchors, with "index" or "queries" mapped.

    The last lines know no anchors: the new encoder's queries with no map, and the old encoder's.
    """
    between = {"old": "paraphrase-minilm-l3-v2", "new": "all-minilm-l6-v2", "asking": "words"}
    rows = _rows(results, "embedding_switch", **WORDNET, **between, documents=25_000, queries=500)
    aside = {"no map": "no map", "the old encoder, kept": "old encoder"}
    found = {}
    for method in ENCODERS:
        for anchors in sorted({row["anchors"] for row in rows if row["anchors"]}):
            wanted = (method, anchors, direction)
            recall = [r["recall"] for r in rows if (r["method"], r["anchors"], r["direction"]) == wanted]
            if recall:
                found[f"`{method}`", str(anchors)] = f"{100 * fmean(recall):.1f}"
    for (line, method), anchors in itertools.product(aside.items(), sorted({anchors for _, anchors in found}, key=int)):
        found[line, anchors] = f"{100 * fmean(row['recall'] for row in rows if row['method'] == method):.1f}"
    return found


def crossings(results: Path) -> dict[tuple[str, str], str]:
    """Give what `unpaired` finds between encoders of texts, by texts a side and known pairs, and by encoders.

    A cell has the mean top-1, that of the orthogonal map from as many pairs as texts, and the runs that were trusted.
    """
    rows = _rows(results, "encoders", **WORDNET, control="", held_out=4000)
    cells = {(row["texts"], row["pairs"], row["source"], row["target"]) for row in rows if row["method"] == "unpaired"}
    found = {}
    for texts, pairs, source, target in sorted(cells):
        own = [row for row in rows if (row["texts"], row["source"], row["target"]) == (texts, source, target)]
        runs = [row for row in own if (row["method"], row["pairs"]) == ("unpaired", pairs)]
        paired = [row["top1"] for row in own if (row["method"], row["pairs"]) == ("procrustes", texts)]
        cell = f"{fmean(row['top1'] for row in runs):.2f}" + (f" of {fmean(paired):.2f}" if paired else "")
        cell += f", {sum(row['trusted'] for row in runs)}/{len(runs)} trusted"
        found[f"{texts:,} texts, {pairs:,} pairs", f"{source} → {target}"] = cell
    return found


def swaps(results: Path) -> dict[tuple[str, str], str]:
    """Give the recall of the swap of an encoder in %, mean over ordered pairs of encoders, by method and pairs."""
    rows = _rows(results, "encoder_switch", **WORDNET, documents=10_000, queries=1000)
    counts = sorted({row["anchors"] for row in rows if row["anchors"] is not None})
    between = {(row["old"], row["new"]) for row in rows}
    found = {}
    for count, (line, (method, direction, measure)) in itertools.product(counts, SWAPS.items()):
        ours = [
            row
            for row in rows
            if (row["method"], row["direction"]) == (method, direction) and row["anchors"] in (count, None)
        ]
        if ours and {(row["old"], row["new"]) for row in ours} == between:
            found[line, str(count)] = f"{100 * fmean(row[measure] for row in ours):.1f}"
    return found


def database(results: Path) -> dict[tuple[str, str], str]:
    """Give what is found in a database at each stage of a switch, and the milliseconds of a query."""
    found = {}
    sizes = {"documents": 10_000, "queries": 300, "anchors": 1000, "kills": 0}
    for row in _rows(results, "database_switch", **WORDNET, old="minilm_l6", new="mpnet", **sizes):
        stage = "the old encoder, kept" if row["share"] is None else f"{row['share']:.0%} moved"
        found["recall@10", stage] = f"{row['recall']:.3f}"
        found["milliseconds of a query", stage] = f"{row['milliseconds']:.0f}"
    return found


def heads(results: Path) -> dict[tuple[str, str], str]:
    """Give the accuracy of heads on mapped codes in %, with the agreement with the target's own predictions.

    A column for each data set, within an architecture and between two.
    """
    rows, found = _of_classifiers(results), {}
    for line, (method, anchors) in HEADS.items():
        for dataset, same in itertools.product(DATA, (True, False)):
            cell = [
                row
                for row in rows
                if (row["method"], row["anchors"], row["dataset"]) == (method, anchors, dataset)
                and (row["source_model"] == row["target_model"]) is same
                and (method == "classifier" or not same or row["source_seed"] != row["target_seed"])
            ]
            if cell:
                accuracy, agreement = (100 * fmean(row[name] for row in cell) for name in ("accuracy", "agreement"))
                column = f"{DATA[dataset]}, {'another seed' if same else 'another architecture'}"
                found[line, column] = f"{accuracy:.1f} ({agreement:.1f})"
    return found


def families(results: Path) -> dict[tuple[str, str], str]:
    """Give what one family of maps has more than another in accuracy, in points, with intervals over networks."""
    rows, found = _of_classifiers(results), {}
    for first, second, count in FAMILIES:
        line = f"{WORDS[first]} over {WORDS[second]}, {'all' if count is None else f'{count:,}'} pairs"
        for dataset, (column, (kind, models)) in itertools.product(DATA, AMONG.items()):
            own = [row for row in rows if (row["dataset"], row["anchors"]) == (dataset, count)]
            own = [row for row in own if {row["source_model"], row["target_model"]} <= models]
            if one := head_comparisons.compared(classify_page.kinds(own).get(kind, []), first, second):
                mark = "" if one.low <= 0 <= one.high else "**"
                found[line, f"{DATA[dataset]}, {column}"] = f"{mark}{classify_page.text(one)}{mark}".replace("-", "−")
    return found


def _of_classifiers(results):
    rows = [row for row in _rows(results, "classify", latent=50) if not row["settings"]["held_out"]]
    return [row for row in rows if row["dataset"] in DATA]


def factors(results: Path) -> dict[tuple[str, str], str]:
    """Give the errors of rigid and linear maps between networks that differ in a factor, longest training first."""
    rows = [row for row in _rows(results, "rigidity", dataset="mnist", latent=50) if not rigidity_page.changed(row)]
    lines = dict.fromkeys((-row["settings"]["epochs"], row["variant"]) for row in rows)
    found = {}
    for epochs, variant in sorted(lines, key=lambda line: line[0]):
        own = [row for row in rows if (row["variant"], row["settings"]["epochs"]) == (variant, -epochs)]
        line = f"`{variant}`, {-epochs} epochs"
        for column, (method, anchors) in OF_FACTORS.items():
            errors = [row["test_error"] for row in own if (row["method"], row["anchors"]) == (method, anchors)]
            found[line, column] = f"{fmean(errors):.4f}"
        found[line, "networks"] = str(sum(row["method"] == "autoencoder" for row in own))
    return found


def tables(results: Path) -> dict[str, dict[tuple[str, str], str]]:
    """Give the tables of the pages by the names of their places."""
    return {
        "networks": networks(results),
        "index": encoders(results, "index"),
        "queries": encoders(results, "queries"),
        "swaps": swaps(results),
        "database": database(results),
        "crossings": crossings(results),
        "heads": heads(results),
        "families": families(results),
        "factors": factors(results),
        "gains": gains(_rows(results, "consensus", latent=50)),
    }


def fill(page: str, names: Iterable[str], found: dict[str, dict[tuple[str, str], str]]) -> str:
    """Give the text of a page with the tables that were found in its places."""
    for name in names:
        page = markdown.fill(page, name, layout(found[name]) if found[name] else NO_ROWS)
    return page


def layout(table: dict[tuple[str, str], str]) -> str:
    """Lay a table out in Markdown; columns and lines stand in the order in which they first come."""
    columns = list(dict.fromkeys(column for _, column in table))
    lines = dict.fromkeys(line for line, _ in table)
    return markdown.table(["", *columns], ([line, *(table.get((line, one), "") for one in columns)] for line in lines))


def _rows(results, table, **columns):
    """Read the rows of a table with these columns: others of the same table are other questions."""
    rows = read(results / "rows" / f"{table}.jsonl")
    return [row for row in rows if all(row[name] == value for name, value in columns.items())]


def _errors(files, columns):
    """Find the test errors of the rows with these columns, in the first of the files that has any."""
    for rows in files:
        errors = [r["test_error"] for r in rows if all(r[name] == value for name, value in columns.items())]
        if errors:
            return errors
    return []


if __name__ == "__main__":
    made = tables(RESULTS)
    for name, places in PAGES.items():
        path = FOLDER / name
        print(f"filled {markdown.write(path, fill(path.read_text(), places, made))}")
