"""Classification as tables and a picture: accuracy and agreement by map and by what it knew, and who is better."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from align import drawing, markdown
from align_lab import mixtures, pages
from align_lab.heads import code_maps
from align_lab.heads.head_comparisons import Compared, compared
from align_lab.heads.head_plans import COUNTS, TABLE
from align_lab.parting import parted

HEAD = """# The head of a classifier on the mapped codes of another

Made by `python experiments/classify.py`, with `--dataset` and `--steps` for what is below. Encoders are trained to
classify, and a linear head reads their codes; here the head of one network reads the mapped codes of another, of the
same architecture and another seed ("within") or of another architecture ("between"). Each cell: the share of test
images that it names rightly, and, in brackets, the share on which it says what the target says of its own codes, both
in %, means over ordered pairs of networks.
"""
# What is compared, in words, and with how many pairs.
QUESTIONS = {
    "a trained MLP against affine": ("stitching_k2", "affine", (100, 1000, None)),
    "a trained MLP against ridge": ("stitching_k2", "ridge", (100, 1000, None)),
    "a trained MLP against rigid": ("stitching_k2", "rigid", (100, 1000, None)),
    "rigid against affine": ("rigid", "affine", (100, 1000, None)),
    "rigid against ridge": ("rigid", "ridge", COUNTS),
    "orthogonal against linear": ("orthogonal", "linear", (100, 1000, None)),
    "standardised orthogonal against affine": (code_maps.STANDARDISED, "affine", (100, 1000, None)),
}
DRAWN = ("rigid", "affine", "ridge", "stitching_k2", "relative_cosine")
ALL = 60_000  # pairs in all, where rows do not say of how many training images they are


def write(rows: Sequence[dict], results: Path) -> Path:
    """Write the tables of all rows, and draw those of whole training sets, into a folder of results.

    Networks that were trained in different ways have sections and pictures of their own.
    """
    parts = [HEAD]
    held_out = [row for row in rows if row["settings"]["held_out"]]
    tested = [row for row in rows if not row["settings"]["held_out"]]
    for dataset, latent, number, words, own in _spaces(tested):
        parts += [f"## {dataset}, latent {latent}{words}", "", *mixtures.warning(own), _networks(own), ""]
        panels = {}
        for title, part in kinds(own).items():
            panels[f"{dataset}, {title}"] = _curves(part)
            parts += [f"### {title}", "", _by_pairs(part), "", _without_pairs(part), ""]
        if any(panel.lines for panel in panels.values()):
            name = f"{TABLE}_{dataset}_latent{latent}" + (f"_{number}" if number > 1 else "")
            drawn = drawing.curves(
                results / "pictures" / f"{name}.png",
                panels,
                "pairs",
                "test images named wrongly, %",
                scales=("log", "log"),
            )
            parts += [f"![Errors against the number of pairs](../pictures/{drawn.name})", ""]
        parts += ["### By architectures", "", _architectures(own), ""]
        parts += ["### What is left of the codes, from all pairs", "", _residuals(own), ""]
        parts += ["### Which family is better", "", _questions(own), ""]
    if held_out:
        parts += ["## How the training was chosen", "", _chosen(held_out), ""]
    return pages.write(results, TABLE, "\n".join(parts), rows)


def _spaces(rows):
    """Give dataset, latent, and number, name and rows of each way in which the networks of such a space were trained.

    One run trains all its architectures in the same way.
    """
    for (dataset, latent), space in parted(rows, "dataset", "latent").items():
        ways: dict[str, list[dict]] = {}
        for row in space:
            ways.setdefault(mixtures.trained(row)[row["target_model"]], []).append(row)
        names = mixtures.named(ways)
        for number, (way, own) in enumerate(ways.items(), start=1):
            yield dataset, latent, number, f", {names[way]}" if names[way] else "", of_one_ring(own)


def of_one_ring(rows: Sequence[dict]) -> list[dict]:
    """Keep the ring of most networks: a run of fewer closes its own by a pair, last to first, that theirs has not."""

    def ends(row):
        return row["dataset"], row["latent"], row["source_model"], row["target_model"]

    count: dict[tuple, int] = {}
    for row in rows:
        count[ends(row)] = max(count.get(ends(row), 0), 1 + row["source_seed"], 1 + row["target_seed"])
    return [row for row in rows if _of_itself(row) or row["target_seed"] == (row["source_seed"] + 1) % count[ends(row)]]


def kinds(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """Part rows into those within an architecture and those between two, without what networks say by themselves."""
    apart: dict[str, list[dict]] = {"within an architecture": [], "between architectures": []}
    for row in rows:
        if row["method"] != "classifier" and not _of_itself(row):
            same = row["source_model"] == row["target_model"]
            apart["within an architecture" if same else "between architectures"].append(row)
    return {title: part for title, part in apart.items() if part}


def _of_itself(row):
    return (row["source_model"], row["source_seed"]) == (row["target_model"], row["target_seed"])


def mean(rows: Iterable[dict], method: str, count: int | None, measure: str = "accuracy") -> float | None:
    """Give the mean of a measure, None where there are no rows."""
    values = [row[measure] for row in rows if (row["method"], row["anchors"]) == (method, count) and measure in row]
    return fmean(values) if values else None


def _cell(rows, method, count):
    accuracy, agreement = (mean(rows, method, count, measure) for measure in ("accuracy", "agreement"))
    return "" if accuracy is None else f"{100 * accuracy:.1f} ({100 * agreement:.1f})"


def _networks(rows):
    lines = []
    for model in dict.fromkeys(row["target_model"] for row in rows):
        own = [row for row in rows if row["method"] == "classifier" and row["target_model"] == model]
        if own:
            figures = [100 * fmean(row["accuracy"] for row in own), *(fmean(r[name] for r in own) for name in _SHAPE)]
            lines.append([model, *(f"{figure:.2f}" for figure in figures), str(len(own))])
    columns = ["network", "its own accuracy, %", "variance between classes", "dimensions", "seeds"]
    return markdown.table(columns, lines)


_SHAPE = ("between", "dimensions")


def _by_pairs(rows):
    methods = [m for m in (*code_maps.METHODS["pairs"], "stitching_k2", *code_maps.RELATIVE) if m != "as_they_are"]
    methods = [m for m in methods if any(mean(rows, m, count) is not None for count in COUNTS)]
    lines = [[m, *(_cell(rows, m, count) for count in COUNTS)] for m in methods]
    few = [_cell(rows, "unpaired", count) if count else "" for count in COUNTS]
    lines += [["unpaired, clouds and pairs", *few]] if any(few) else []
    return markdown.table(["pairs", *("all" if count is None else f"{count:,}" for count in COUNTS)], lines)


def _without_pairs(rows):
    lines = []
    for method in (*code_maps.METHODS["labels"], *code_maps.METHODS["unpaired"], "as_they_are"):
        own = [row for row in rows if (row["method"], row["anchors"]) == (method, None)]
        if own:
            known = {"as_they_are": "–", "unpaired": "nothing", "icp": "nothing"}.get(method, "class labels")
            judged = [row["trusted"] for row in own if "trusted" in row]
            trusted = f"{sum(judged)} of {len(judged)}" if judged else ""
            worst = f"{100 * min(row['accuracy'] for row in own):.1f}"
            lines.append([method, known, _cell(rows, method, None), worst, trusted])
    return markdown.table(["map", "known", "accuracy (agreement)", "worst pair", "trusted"], lines)


def _architectures(rows):
    methods = (("affine", None), ("stitching_k2", None), ("ridge", 100), ("rigid", 100), ("ridge", 20))
    methods = [*methods, ("labels", None), ("unpaired", None)]
    methods = [one for one in methods if mean(rows, *one) is not None]
    lines = []
    ways = dict.fromkeys((row["source_model"], row["target_model"]) for row in rows)
    for source, target in ways:
        part = [row for row in rows if (row["source_model"], row["target_model"]) == (source, target)]
        lines.append([f"{source} → {target}", *(_cell(part, *one) for one in methods)])
    names = [f"{m}, {count} pairs" if count else m for m, count in methods]
    return markdown.table(["", *names], lines)


def _residuals(rows):
    own = [row for row in rows if row["method"] != "classifier" and row["anchors"] is None and not _of_itself(row)]
    lines = []
    for method in (*code_maps.METHODS["pairs"], "stitching_k2", "class_means_linear", "labels", "unpaired"):
        figures = [mean(own, method, None, name) for name in ("residual", "residual_means", "residual_within")]
        if None not in figures:
            lines.append([method, *(f"{figure:.3f}" for figure in figures), _cell(own, method, None)])
    columns = ["map", "residual", "of the class means", "about them", "accuracy (agreement)"]
    return markdown.table(columns, lines)


def questions(rows: Sequence[dict], measure: str = "accuracy") -> dict[tuple[str, str, str], Compared]:
    """Compare families of maps: by the question, the number of pairs, and within or between architectures."""
    found = {}
    for question, (first, second, counts) in QUESTIONS.items():
        for count in counts:
            for title, part in kinds(rows).items():
                own = [row for row in part if row["anchors"] == count]
                if one := compared(own, first, second, measure):
                    found[question, "all" if count is None else f"{count:,}", title] = one
    return found


def text(one: Compared) -> str:
    """Say a difference of accuracies in points, with its interval."""
    return f"{100 * one.mean:+.2f} ({100 * one.low:+.2f} to {100 * one.high:+.2f})"


def _questions(rows):
    agreement = questions(rows, "agreement")
    lines = [
        [question, count, title, text(one), one.verdict, text(agreement[question, count, title]), str(one.pairs)]
        for (question, count, title), one in questions(rows).items()
    ]
    note = "Differences in points of a per cent, the first less the second, with intervals of 95 % over networks.\n\n"
    columns = ["question", "pairs", "networks", "accuracy", "verdict", "agreement", "of"]
    return note + markdown.table(columns, lines)


def _chosen(rows):
    own = [row for row in rows if row["method"] == "classifier"]
    names = [name for name in dict.fromkeys(name for row in own for name in row["settings"]) if name != "cloud"]
    tried: dict[tuple, list[float]] = {}
    for row in own:
        how = row["dataset"], row["target_model"], row["latent"], *(row["settings"].get(name, "") for name in names)
        tried.setdefault(tuple(map(str, how)), []).append(100 * row["accuracy"])
    lines = [[*how, f"{fmean(found):.2f}", str(len(found))] for how, found in sorted(tried.items())]
    note = "On training images that were held out, never on test images.\n\n"
    columns = ["data", "network", "latent", *(name.replace("_", " ") for name in names), "accuracy, %", "seeds"]
    return note + markdown.table(columns, lines)


def _curves(rows):
    images = max((row["images"] for row in rows if "images" in row), default=ALL)

    def line(method, counts):
        points = {count or images: mean(rows, method, count) for count in counts}
        return {x: 100 * (1 - y) for x, y in points.items() if y is not None}

    lines = {method: line(method, COUNTS) for method in DRAWN} | {"unpaired + pairs": line("unpaired", COUNTS[:-1])}
    own = [row["own"] for row in rows]
    levels = {"the target itself": fmean(own), "labels": mean(rows, "labels", None)}
    levels["nothing known"] = mean(rows, "unpaired", None)
    wrong = {name: 100 * (1 - level) for name, level in levels.items() if level is not None}
    return drawing.Curves({name: line for name, line in lines.items() if line}, wrong)
