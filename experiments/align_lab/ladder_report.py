"""The ladder as tables and pictures: a line per method over the number of anchors, a level for what knows no pair."""

from collections import defaultdict
from pathlib import Path
from statistics import fmean, median

from align import drawing, markdown, paper
from align.arrays import atomic
from align.rows import read
from align_lab.ladder import COUNTS, LABELS, PAIRED, SELECTIONS

# What counts as right without pairs: below this many times the map of all pairs (rigid at latent 2) of the same two
# networks.
RIGHT = 1.02
# On Fashion-MNIST, the error of the paper's linear map with true pairs, from conv and from MLP.
PAPERS_LINEAR = {50: {"conv": 0.241, "mlp": 0.217}, 100: {"conv": 0.162, "mlp": 0.141}}


def write(results: Path) -> Path:
    """Write knowledge.md into a folder of rows: per space and direction, all that stands in knowledge.jsonl."""
    spaces = defaultdict(list)
    for row in read(results / "rows" / "knowledge.jsonl"):
        spaces[row["dataset"], row["latent"]].append(row)
    parts = [
        "# Test error against what is known",
        "",
        "Made by `python experiments/knowledge.py`: mean test error over all ordered pairs of networks. Pairs are "
        "random anchors unless a strategy is named; without pairs, source and target codes come from different halves "
        "of the training images. What has no row yet is left out.",
    ]
    notes = markdown.sections(results / "notes.md")
    for (dataset, latent), rows in sorted(spaces.items(), key=lambda item: (item[0][0] != "mnist", *item[0])):
        parts += ["", f"## {dataset}, latent {latent}", "", _figure(results, dataset, latent)]
        parts += [notes[f"knowledge, {dataset}, latent {latent}"].rstrip()]
        directions = dict.fromkeys((r["source_model"], r["target_model"]) for r in rows if r["method"] != "autoencoder")
        for source, target in directions:
            own = [r for r in rows if (r["source_model"], r["target_model"]) == (source, target)]
            base = [r for r in rows if r["method"] == "autoencoder" and r["target_model"] == target]
            parts += ["", f"### {source} → {target}", "", *_direction(latent, own, base)]
    path = results / "tables" / "knowledge.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_text("\n".join([*parts, ""]))
    return path


def picture(folder: Path, rows: list[dict], dataset: str, latent: int) -> Path:
    """Draw error against anchors, a panel per direction."""
    panels = {}
    for source, target in dict.fromkeys((r["source_model"], r["target_model"]) for r in rows if r["method"] == "rigid"):
        own = [r for r in rows if (r["source_model"], r["target_model"]) == (source, target)]
        lines = {m: {r: _mean(own, m, r) for r in COUNTS if _mean(own, m, r) is not None} for m in PAIRED}
        levels = {
            "linear, all pairs": _mean(own, "linear", None),
            "labels only": _mean(own, "labels", None),
            "nothing known": _mean(own, "unpaired", None),
        }
        points = {
            f"paper, {key.method}": (key.anchors, cell.mean)
            for key, cell in paper.CELLS.items()
            if (key.dataset, key.latent, key.source_model, key.target_model) == (dataset, latent, source, target)
            and key.method in ("rigid", "linear")
            and key.anchors
        }
        levels = {name: level for name, level in levels.items() if level is not None}
        panels[f"{dataset}, latent {latent}: {source} → {target}"] = drawing.Curves(lines, levels, points)
    return drawing.curves(folder / f"knowledge_{dataset}_latent{latent}.png", panels, "anchors", "test error")


def _figure(results, dataset, latent):
    name = f"knowledge_{dataset}_latent{latent}.png"
    return (
        f"![Test error against the number of anchors](../pictures/{name})"
        if (results / "pictures" / name).exists()
        else ""
    )


def _mean(rows, method, anchors):
    errors = [r["test_error"] for r in rows if (r["method"], r["anchors"]) == (method, anchors)]
    return fmean(errors) if errors else None


def _direction(latent, rows, base):
    own = _mean(base, "autoencoder", None)
    lines = [f"The target network's own error is {own:.4f}.", ""] if own else []
    counts = [c for c in (*COUNTS, None) if any(_mean(rows, m, c) is not None for m in PAIRED)]
    if counts:
        lines += _table(["method", *("all pairs" if c is None else str(c) for c in counts)])
        lines += ["| " + " | ".join([m, *(_text(_mean(rows, m, c)) for c in counts)]) + " |" for m in PAIRED]
    chosen = [how for how in SELECTIONS if _mean(rows, f"ridge_{how}", 2 * latent) is not None]
    if chosen:
        lines += ["", f"{2 * latent} anchors by strategy:", "", *_table(["method", *chosen])]
        for method in ("linear", "ridge"):
            texts = (_text(_mean(rows, f"{method}_{how}", 2 * latent)) for how in chosen)
            lines.append("| " + " | ".join([method, *texts]) + " |")
    known = [m for m in (*LABELS, "unpaired") if _mean(rows, m, None) is not None]
    reference = "rigid" if latent == 2 else "linear"
    full = _mean(rows, reference, None)
    if known:
        lines += ["", "Without pairs:", "", *_table(["method", "error", "against all pairs"])]
        for method in known:
            error = _mean(rows, method, None)
            lines.append(f"| {method} | {error:.4f} | {f'× {error / full:.3f}' if full else ''} |")
    return [*lines, *_verdicts(latent, rows, reference)]


def _verdicts(latent, rows, reference):
    """Say how often nothing known was enough, and how far its confidence can be trusted."""
    runs = [r for r in rows if r["method"] == "unpaired"]
    of_all = {_pair(r): r["test_error"] for r in rows if (r["method"], r["anchors"]) == (reference, None)}
    papers = PAPERS_LINEAR.get(latent, {}) if rows[0]["dataset"].startswith("fashion") else {}
    limit = papers.get(rows[0]["source_model"])
    if not runs or not (limit or {_pair(r) for r in runs} <= of_all.keys()):
        return []
    if limit:
        meaning = f"at most {limit}, the error of the paper's linear map with true pairs"
    else:
        meaning = f"at most {RIGHT} times the {reference} map of all pairs of the same two networks"
    right = [r["test_error"] <= (limit or RIGHT * of_all[_pair(r)]) for r in runs]
    sure = [ok for ok, r in zip(right, runs, strict=True) if r["confident"]]
    text = f"Nothing known: {sum(right)} of {len(right)} runs are right ({meaning}); {len(sure)} were reported "
    lines = ["", text + f"as confident, and of these {sum(sure)} are right."]
    lines[-1] += f" A run took {median(r['seconds'] for r in runs):.0f} s by the clock (median)."
    controls = [r for r in rows if r["method"].startswith("control")]
    if controls:
        lines[-1] += f" Of {len(controls)} runs between unrelated clouds {sum(r['confident'] for r in controls)} were."
    return lines


def _pair(row):
    return row["source_seed"], row["target_seed"]


def _table(header):
    return [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]


def _text(error):
    return "" if error is None else f"{error:.4f}"
