"""Maps between encoders as tables and a picture, made from the rows."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from align import drawing, markdown
from align_lab import pages
from align_lab.crossing import crossing_sums
from align_lab.crossing.named import METHODS, PAIRED, TABLE
from align_lab.parting import parted

_LOOKS = dict(zip(METHODS, ("o-", "s--", "^-.", "v:", "D--", "P:"), strict=True))
HEAD = f"""# Between encoders of texts: nothing known, or a few pairs

Made by `python experiments/between_encoders.py`. Either side embeds other texts; figures are means over draws of them
(keys), measured on texts that no map has seen, by cosine about the mean. "Of all pairs": the top-1 over that of the
orthogonal map (`procrustes`) fitted to as many pairs as there are texts a side. A run is right where this is at least
{crossing_sums.RIGHT}. Seconds are medians, by the clock and of all processors, compilation of a first run included.

"""


def write(rows: Sequence[dict], results: Path) -> Path:
    """Write the tables of some rows, and a picture for each kind of texts, into a folder of results."""
    for setting, own in parted(rows, "dataset", "held_out").items():
        plot(own, results / "pictures" / _picture(*setting))
    return pages.write(results, TABLE, HEAD + tables(rows), rows)


def _picture(dataset, held_out):
    return f"{TABLE}_{dataset}_held{held_out}.png"


def tables(rows: Sequence[dict]) -> str:
    """Lay out what the solver finds, what others find beside it, the controls, and how far its confidence is right."""
    parts = []
    for (dataset, held_out), own in parted(rows, "dataset", "held_out").items():
        of_all = crossing_sums.references(own)
        parts += [f"## {dataset}, {held_out:,} texts held out"]
        if _known_pairs(own):
            parts += [f"![Top-1 against the number of known pairs](../pictures/{_picture(dataset, held_out)})"]
        parts += [*_found(own, of_all), *_beside(own)]
        parts += [*_controls(own, of_all), *_calibration(own, of_all)]
    return "\n\n".join(parts) + "\n"


def _found(rows, of_all):
    lines = []
    for (texts, source, target, pairs), methods in crossing_sums.cells(rows).items():
        if "unpaired" not in methods:
            continue
        told = crossing_sums.summary(methods["unpaired"], of_all)
        lines.append([f"{texts:,}", f"{source} → {target}", str(pairs), f"{told['top1']:.3f} ({told['least']:.3f})"])
        lines[-1] += [f"{told['share']:.3f} ({told['least_share']:.3f})" if "share" in told else ""]
        lines[-1] += [f"{told['top10']:.3f}", f"{told['mean_rank']:.1f}", f"{told['cosine']:.3f}", str(told["runs"])]
        lines[-1] += [str(told.get(name, "")) for name in ("right", "trusted", "trusted_wrongly")]
        lines[-1] += [f"{told['seconds']:.0f} ({told['processor_seconds']:.0f})"]
    header = ["texts a side", "encoders", "pairs", "top-1 (least)", "of all pairs (least)", "top-10", "mean rank"]
    header += ["cosine", "runs", "right", "trusted", "of these wrong", "seconds (all processors)"]
    return ["### What `unpaired` finds", markdown.table(header, lines)] if lines else []


def _beside(rows):
    """Compare the top-1 of all methods, from the known pairs and the clouds, and of maps from all pairs."""
    found, lines = crossing_sums.cells(rows), []
    names = [name for name in METHODS if any(name in methods for methods in found.values())]
    for (texts, source, target, pairs), methods in found.items():
        if pairs == texts and set(methods) <= set(PAIRED):  # these are columns of their own
            continue
        whole = found.get((texts, source, target, texts), {})
        most = max(len(found) for found in methods.values())
        tops = [_mean(methods, name, most) for name in names]
        tops += [_mean(whole, name, most) for name in PAIRED if name in names]
        lines.append([f"{texts:,}", f"{source} → {target}", str(pairs), *tops])
    header = ["texts a side", "encoders", "pairs", *names, *(f"{name}, all pairs" for name in PAIRED if name in names)]
    note = "Means over keys; in brackets how many, where others of the line have more."
    return ["### Beside others: top-1", note, markdown.table(header, lines)] if lines else []


def _mean(methods, name, most):
    """Give the mean over the keys of a method, with their number where it is below the most."""
    if name not in methods:
        return ""
    rows = methods[name]
    return f"{fmean(row['top1'] for row in rows):.3f}" + (f" ({len(rows)})" if len(rows) < most else "")


def _controls(rows, of_all):
    counts = crossing_sums.controls(rows, of_all)
    lines = ([name, f"{texts:,}", *map(str, told)] for (name, texts), told in counts.items())
    header = ["in place of the target's cloud", "texts a side", "runs", "trusted", "of these wrong"]
    return ["### Controls", markdown.table(header, lines)] if counts else []


def _calibration(rows, of_all):
    bins = crossing_sums.calibration(rows, of_all)
    lines = (
        [f"{low:g} to {high:g}", str(runs), f"{mean:.3f}", f"{right / runs:.3f}"]
        for low, high, runs, right, mean in bins
    )
    table = markdown.table(["confidence", "runs, controls among them", "mean confidence", "share that is right"], lines)
    return ["### How far the confidence is right", table] if bins else []


def plot(rows: Sequence[dict], path: Path) -> Path | None:
    """Draw top-1 against known pairs, a panel for each number of texts a side; None where there is nothing to draw.

    Means over the ordered pairs of encoders that all methods of a panel have rows of, each a mean over its keys.
    """
    found, places = crossing_sums.cells(rows), _known_pairs(rows)
    counts = sorted({texts for texts, *_ in found})
    if not places:
        return None
    look = {"figsize": (4.4 * len(counts) + 0.4, 4.4), "sharey": True, "squeeze": False, "layout": "constrained"}
    figure, axes = drawing.plots().subplots(1, len(counts), **look)
    for axis, texts in zip(axes[0], counts, strict=True):
        _panel(axis, texts, places, {cell[1:]: methods for cell, methods in found.items() if cell[0] == texts})
    axes[0][0].set_ylabel("top-1 among held-out texts")
    drawing.legend_below(figure, axes.flat, min(4, 2 * len(counts)))
    return drawing.save(figure, path, dpi=150)


def _known_pairs(rows):
    """List the numbers of known pairs, but for those of the maps that know all."""
    return sorted({pairs for texts, _, _, pairs in crossing_sums.cells(rows) if pairs != texts})


def _panel(axis: Any, texts, places, found):
    methods = dict.fromkeys(name for (*_, pairs), own in found.items() if pairs != texts for name in own)
    crossed = [{cell[:2] for cell, own in found.items() if name in own and cell[2] != texts} for name in methods]
    common = set.intersection(*crossed) if crossed else set()
    for name in (method for method in METHODS if method in methods):
        line = {}
        for place, pairs in enumerate(places):
            if (top := _over_encoders(found, common, pairs, name)) is not None:
                line[place] = top
        style = {"color": f"C{METHODS.index(name)}", "linewidth": 2.2 if name == "unpaired" else 1.2, "markersize": 5}
        axis.plot(list(line), list(line.values()), _LOOKS[name], label=name, **style)
    for name, dash in zip(PAIRED, ("-", ":"), strict=True):
        if (whole := _over_encoders(found, common, texts, name)) is not None:
            axis.axhline(whole, color="grey", linestyle=dash, linewidth=1, label=f"{name}, all pairs")
    which = " → ".join(next(iter(common))) if len(common) == 1 else f"{len(common)} ordered pairs of encoders"
    axis.set_title(f"{texts:,} texts a side\n{which}", fontsize=10)
    axis.set_xticks(range(len(places)), [f"{count:,}" for count in places])
    axis.set(xlabel="known pairs", ylim=(0, 1.02), xlim=(-0.3, len(places) - 0.7))
    axis.grid(alpha=0.3)


def _over_encoders(found, between, pairs, name):
    """Give the mean over ordered pairs of encoders of the means over keys, None unless all of them have rows."""
    rows = [found.get((*ends, pairs), {}).get(name) for ends in between]
    return fmean(fmean(row["top1"] for row in own) for own in rows) if rows and all(rows) else None
