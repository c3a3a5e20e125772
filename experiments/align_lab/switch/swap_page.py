"""Swaps of an encoder as tables and a picture: recall by pairs, for every ordered pair of encoders."""

import itertools
from pathlib import Path

import numpy as np

from align import drawing, markdown
from align_lab import pages
from align_lab.parting import parted
from align_lab.switch.groups import GROUPS, NO_MAP, OLD, TABLE

AUTO = (*GROUPS["auto"], *GROUPS["clouds"])  # the choice by pairs alone, and beside two clouds
# What the choice is measured by.
SINGLE = GROUPS["families"]
# What the picture shows, and how: (method, direction).
LINES = {
    ("auto, clouds", "index"): "C6h-",
    ("auto", "index"): "C3o-",
    ("ridge", "index"): "C0s--",
    ("ridge", "queries"): "C0s:",
    ("rigid", "index"): "C2^-.",
    ("unpaired", "index"): "C4D-",
    ("isotrieve", "index"): "C1v--",
    ("residual network", "index"): "C5P:",
    ("low-rank affine", "index"): "C7X:",
}


HEAD = """# The encoder of a search, swapped

Made by `python experiments/embedding_switch.py --vectors=...`, with `--documents` and `--queries` for what the headings
name: documents indexed by an old encoder, asked by a new one. Recall@10 of full re-embedding in %, and in brackets the
same when the new encoder embeds the first 200 of every query again; by the number of documents that both have embedded.
"index": the index is mapped to the new encoder, or the queries go through the transposed map, which is the same;
"queries": a map from new to old is applied to the queries."""
SETTING = ("dataset", "documents", "queries")


def write(rows: list[dict], results: Path) -> Path:
    """Write tables of some rows, and a picture for each index and number of queries, into a folder of results."""
    for setting, own in parted(rows, *SETTING).items():
        plot(own, results / "pictures" / _picture(*setting))
    return pages.write(results, TABLE, text(rows), rows)


def _picture(dataset, documents, queries):
    return f"{TABLE}_{dataset}_documents{documents}_queries{queries}.png"


def text(rows: list[dict]) -> str:
    """Lay the rows out in Markdown, those of each index and number of queries for themselves."""
    parts = [HEAD]
    for setting, own in parted(rows, *SETTING).items():
        dataset, documents, queries = setting
        parts += [f"## {dataset}, {documents:,} documents, {queries:,} queries", _drawn(own)]
        parts += [f"![Recall at 10 against the number of pairs](../pictures/{_picture(*setting)})", *_section(own)]
    return "\n\n".join(parts) + "\n"


def _section(rows):
    """Give the mean over ordered pairs of encoders, the choice, then every pair."""
    between = _between(rows)
    parts = [f"**Mean over {len(between)} ordered pairs of encoders**", _table(rows, between), *_choice(rows)]
    for pair in between:
        parts += [f"**{pair[0]} → {pair[1]}**", _table(rows, [pair])]
    return parts


def _drawn(rows):
    """Say how often pairs were drawn, and of which methods less often."""
    seeds = 1 + max(row["seed"] or 0 for row in rows)
    drawn: dict[str, set] = {}
    for row in rows:
        if row["seed"] is not None:
            drawn.setdefault(row["method"], set()).add(row["seed"])
    fewer = [f"of {method} {len(found)}" for method, found in drawn.items() if len(found) < seeds]
    return f"Means over {seeds} draws of the pairs{''.join(f', {one}' for one in fewer)}."


def _between(rows):
    return list(dict.fromkeys((row["old"], row["new"]) for row in rows))


def cells(rows: list[dict], between: list[tuple[str, str]]) -> dict[tuple, tuple[float, float]]:
    """Give {(method, direction, anchors): (recall, recall of 200 candidates)}, means over pairs that all have rows."""
    grouped: dict[tuple, dict[tuple, list]] = {}
    for row in rows:
        if (row["old"], row["new"]) in between:
            of_pair = grouped.setdefault((row["method"], row["direction"], row["anchors"]), {})
            of_pair.setdefault((row["old"], row["new"]), []).append((row["recall"], row["of_200"]))
    whole = {key: found for key, found in grouped.items() if len(found) == len(between)}
    return {key: tuple(np.mean([np.mean(each, 0) for each in found.values()], 0)) for key, found in whole.items()}


def _table(rows, between):
    found = cells(rows, between)
    counts = sorted({anchors for *_, anchors in found if anchors is not None}) or [None]  # bars alone know no pair
    lines = []
    for method, direction in dict.fromkeys(key[:2] for key in found):
        at = [found.get((method, direction, count), found.get((method, direction, None))) for count in counts]
        name = method if direction != "queries" else f"{method}, queries"
        lines.append([name, *("" if one is None else f"{100 * one[0]:.1f} ({100 * one[1]:.1f})" for one in at)])
    return markdown.table(["pairs", *("" if count is None else str(count) for count in counts)], lines)


def regrets(rows: list[dict]) -> dict[str, list[float]]:
    """Give, by method, how far its recall lies below that of the best single family, relative, cell by cell.

    A cell is an ordered pair of encoders and a number of pairs that a family has rows of; its recalls are means over
    the seeds.
    """
    drawn: dict[tuple, dict[str, list[float]]] = {}
    for row in rows:
        if row["direction"] == "index" and row["method"] in (*SINGLE, *AUTO):
            of_cell = drawn.setdefault((row["old"], row["new"], row["anchors"]), {})
            of_cell.setdefault(row["method"], []).append(row["recall"])
    found: dict[str, list[float]] = {}
    for of_cell in drawn.values():
        means = {method: float(np.mean(recalls)) for method, recalls in of_cell.items()}
        if not (single := [means[method] for method in SINGLE if method in means]):
            continue
        best = max(single)
        for method, recall in means.items():
            found.setdefault(method, []).append(1 - recall / best if best else 0.0)
    return found


def _choice(rows):
    """Say how the choice compares with the best single family of every cell, and with each of them."""
    found = regrets(rows)
    if "auto" not in found:
        return []
    lines = [
        [
            name,
            f"{100 * np.mean(lost):.1f}",
            f"{100 * max(lost):.1f}",
            f"{sum(one > 0.01 for one in lost)} of {len(lost)}",
        ]
        for name, lost in sorted(found.items(), key=lambda item: float(np.mean(item[1])))
    ]
    head = ["", "mean", "worst", "cells more than 1 % below"]
    return [
        "**How far below the best single family of a cell, in % of its recall (below zero: above it)**",
        markdown.table(head, lines),
    ]


def plot(rows: list[dict], path: Path) -> Path:
    """Draw recall against pairs, a panel for each ordered pair of encoders."""
    between = _between(rows)
    wide = min(3, len(between))
    high = -(-len(between) // wide)
    size = (3.2 * wide + 0.6, 2.9 * high + 0.9)
    figure, axes = drawing.plots().subplots(high, wide, figsize=size, squeeze=False, layout="constrained")
    for axis, pair in itertools.zip_longest(axes.flat, between):
        if pair is None:
            axis.set_axis_off()
            continue
        found = cells(rows, [pair])
        for (method, direction), style in LINES.items():
            at = sorted((key[2], value[0]) for key, value in found.items() if key[:2] == (method, direction))
            if at:
                # No pair at all stands at the left end of the logarithmic axis.
                x, y = zip(*((max(count, 7), recall) for count, recall in at), strict=True)
                name = method if direction == "index" else f"{method}, queries"
                axis.plot(x, y, style, label=name, markersize=4, linewidth=1.2)
        for method, style in ((OLD, "--"), (NO_MAP, ":")):
            if (method, None, None) in found:
                axis.axhline(found[method, None, None][0], color="grey", linestyle=style, linewidth=1, label=method)
        axis.set(xscale="log", ylim=(0, None))
        axis.set_title(f"{pair[0]} → {pair[1]}", fontsize=9)
        axis.grid(alpha=0.3)
        ticks = sorted({count for *_, count in found if count is not None})
        axis.set_xticks([max(tick, 7) for tick in ticks], [str(tick) for tick in ticks], fontsize=7)
        axis.minorticks_off()
    for axis in axes[-1]:
        axis.set_xlabel("pairs")
    for line in axes:
        line[0].set_ylabel("recall@10")
    drawing.legend_below(figure, axes.flat, 5)
    return drawing.save(figure, path, dpi=150)
