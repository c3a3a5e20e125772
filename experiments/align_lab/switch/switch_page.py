"""The embedding switch as tables and a picture: recall by anchors, for every old encoder and kind of query."""

import itertools
from pathlib import Path

import numpy as np

from align import drawing, markdown
from align_lab import pages
from align_lab.switch.groups import NO_MAP, OLD
from align_lab.switch.groups import TABLE_OF_TEXTS as TABLE
from align_lab.switch.searches import DIRECTIONS

STYLES = ("o-", "s--", "^-", "v:", "D-.", "P-", "X--", "*-")
HEAD = f"""# The index of one text encoder, asked by another

Made by `python experiments/embedding_switch.py`.

![Recall at 10 against the number of anchors](../pictures/{TABLE}.png)

"""


def write(rows: list[dict], results: Path) -> Path:
    """Write table and picture of some rows, all of one index and number of queries, into a folder of results."""
    plot(rows, results / "pictures" / f"{TABLE}.png")
    return pages.write(results, TABLE, HEAD + tables(rows), rows)


def summary(rows: list[dict], **cell) -> dict[tuple, tuple]:
    """Give {(method, anchors): (mean recall, mean hit, deviation of recall)} of the rows that agree with `cell`."""
    grouped = {}
    for row in rows:
        if all(row[name] in (value, None) for name, value in cell.items()):  # no direction: a row of both
            grouped.setdefault((row["method"], row["anchors"]), []).append((row["recall"], row["hit"]))
    return {key: (*np.mean(pairs, 0), np.std(pairs, 0)[0]) for key, pairs in grouped.items()}


def tables(rows: list[dict]) -> str:
    """Lay the rows out as one Markdown table for each old encoder, kind of query, and direction."""
    counts, one = sorted({row["anchors"] for row in rows if row["anchors"]}), rows[0]
    text = f"{one['dataset']}, {one['documents']:,} documents, {one['queries']:,} queries. "
    text += "Recall@10 of full re-embedding in %, mean ± deviation over draws of anchors (hit@10 in %).\n"
    for (old, asking), direction in itertools.product(_columns(rows), DIRECTIONS):
        cells = summary(rows, old=old, asking=asking, direction=direction)
        new = rows[0]["new"]
        mapped = f"queries of {new} mapped to {old}" if direction == "queries" else f"index of {old} mapped to {new}"
        methods = dict.fromkeys(method for method, _ in cells)
        lines = ([method, *(_text(cells, method, count) for count in counts)] for method in methods)
        table = markdown.table(["anchors", *map(str, counts)], lines)
        text += f"\n**Asked by {asking}, {mapped}**\n\n{table}\n"
    return text


def _text(cells, method, count):
    if (method, None) in cells:  # what needs no anchors is the same for any number of them
        recall, hit, _ = cells[method, None]
        return f"{100 * recall:.1f} ({100 * hit:.1f})"
    recall, hit, deviation = cells[method, count]
    return f"{100 * recall:.1f} ± {100 * deviation:.1f} ({100 * hit:.1f})"


def _columns(rows):
    return list(dict.fromkeys((row["old"], row["asking"]) for row in rows))


def plot(rows: list[dict], path: Path) -> Path:
    """Draw recall against anchors: a column for each index and kind of query, a row for each direction."""
    columns = _columns(rows)
    methods = dict.fromkeys(row["method"] for row in rows if row["anchors"])
    styles = {method: f"C{k}{STYLES[k % len(STYLES)]}" for k, method in enumerate(methods)}
    look = {"figsize": (3 * len(columns) + 1, 6), "sharex": True, "squeeze": False, "layout": "constrained"}
    figure, axes = drawing.plots().subplots(2, len(columns), **look)
    for (direction, line), (old, asking) in itertools.product(zip(DIRECTIONS, axes, strict=True), columns):
        axis = line[columns.index((old, asking))]
        cells = summary(rows, old=old, asking=asking, direction=direction)
        for method in dict.fromkeys(method for method, n in cells if n):
            n, mean, deviation = zip(*((n, *cells[m, n][::2]) for m, n in cells if m == method), strict=True)
            axis.errorbar(n, mean, deviation, fmt=styles[method], label=method, markersize=4, linewidth=1.2)
        for method, style in ((OLD, "--"), (NO_MAP, ":")):
            if (method, None) in cells:
                axis.axhline(cells[method, None][0], color="grey", linestyle=style, label=method)
        axis.set(xscale="log", ylim=(0, None), ylabel=f"recall@10, {direction} mapped" if axis is line[0] else "")
        axis.grid(alpha=0.3)
    for axis, bottom, (old, asking) in zip(*axes, columns, strict=True):
        axis.set_title(f"{old}\nasked by {asking}", fontsize=9)
        bottom.set_xlabel("anchors")
    drawing.legend_below(figure, axes.flat, 7)
    return drawing.save(figure, path, dpi=150)
