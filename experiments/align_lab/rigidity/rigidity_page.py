"""The factors as tables and a picture: errors of rigid and linear maps by variant, and what each factor changes."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from statistics import fmean

import numpy as np

from align import drawing, markdown
from align.training import Settings
from align_lab import pages
from align_lab.rigidity import forced_plot, rigid_gaps
from align_lab.rigidity.relations import FAMILIES, OWN
from align_lab.rigidity.variant_plans import TABLE
from align_lab.rigidity.variants import VARIANTS

HEAD = """# What makes two latent spaces rigidly related

Made by `python experiments/rigidity.py`, with `--epochs` and `--variants` for what is below: autoencoders that differ
in one factor of architecture or training from those of another variant, and maps between all ordered pairs of seeds.
Errors are mean squared errors per standardised pixel of the target's decoder on the test images, means over pairs. The
**gap** is the error of the rigid map less that of the linear one, in thousandths, with an interval of 95 % over
networks (jackknife, Student's t); bold where it leaves zero out.
"""
Group = dict[str, list[dict]]


def write(rows: Sequence[dict], results: Path) -> Path:
    """Write the tables of all rows, and a picture of each group of networks, into a folder of results."""
    parts, groups = [HEAD], by_group(rows)
    for where, group in groups.items():
        dataset, latent, epochs, change, few = where
        others = {other[-1] for other in groups if other[:-1] == where[:-1]} - {few}
        title = f"{dataset}, latent {latent}, {epochs} epochs" + (f", {change}" if change else "")
        title += f", {few} pairs" if others else ""
        excess = {f"{few} pairs": _excess(group, few), "all pairs": _excess(group, None)}
        name = f"{TABLE}_{dataset}_latent{latent}_epochs{epochs}" + (f"_anchors{few}" if others else "")
        name += re.sub(r"\W+", "_", f" {change}") if change else ""
        drawn = drawing.dots(results / "pictures" / f"{name}.png", excess, "error above the network's own")
        parts += [f"## {title}", "", f"![Errors above the networks' own](../pictures/{drawn.name})", ""]
        parts += [f"### From {few} pairs", "", _errors(group, few), "", "### From all pairs", "", _errors(group, None)]
        parts += ["", "### What a factor changes of the gap", "", _factors(group, few), ""]
        parts += ["### What the gap is made of", "", _parts(group, few), ""]
        drawn = forced_plot.draw(results / "pictures" / f"{name}_forced.png", group)
        parts += ["### The spaces and the maps between them", "", _shapes(group), ""]
        parts += [f"![Residuals of rigid maps against what is forced on them](../pictures/{drawn.name})", ""]
        words = "Of what tells pairs apart in the square of the rigid residual, what is forced explains, squared, R² ="
        parts += [f"{words} {forced_plot.explained(group):.3f}.", ""]
    return pages.write(results, TABLE, "\n".join(parts), rows)


def by_group(rows: Sequence[dict]) -> dict[tuple, Group]:
    """Part rows by data, latent dimension, epochs, `changed` and number of anchors, those from all pairs with each.

    In a group they are by variant, in the order of the table of variants; of one that was interrupted, the
    networks between which all is there.
    """
    found: dict[tuple, Group] = {}
    known = (row for row in rows if row["variant"] in VARIANTS)
    for row in sorted(known, key=lambda row: -row["settings"]["epochs"]):
        where = (row["dataset"], row["latent"], row["settings"]["epochs"], changed(row))
        found.setdefault(where, {}).setdefault(row["variant"], []).append(row)
    parted = {}
    for where, group in found.items():
        for few in sorted({row["anchors"] for own in group.values() for row in own} - {None}):
            own = {name: [row for row in group.get(name, ()) if row["anchors"] in (None, few)] for name in VARIANTS}
            whole = {name: _whole(listed, few) for name, listed in own.items()}
            parted[*where, few] = {name: listed for name, listed in whole.items() if listed}
    return {where: group for where, group in parted.items() if group}


def changed(row: dict) -> str:
    """Say what was other than the variant's own in how its networks were made, epochs aside; "" for nothing."""
    variant, given = VARIANTS[row["variant"]], {**row["settings"]}
    other = {"architecture": given.pop("architecture")}
    other = {} if other["architecture"] == str(variant.architecture) else other
    own, given = (asdict(Settings(**one)) for one in (variant.training, given))
    other |= {name: value for name, value in given.items() if name != "epochs" and value != own[name]}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in other.items())


def _whole(rows, few):
    """Keep the rows of the most networks, from seed 0 on, between which every map of a variant is there."""
    seeds = sorted({row["source_seed"] for row in rows if row["method"] == OWN})
    for some in (set(seeds[:count]) for count in range(len(seeds), 1, -1)):
        own = [row for row in rows if {row["source_seed"], row["target_seed"]} <= some]
        pairs = set(permutations(some, 2))
        if all(rigid_gaps.errors(own, method, count).keys() >= pairs for method in FAMILIES for count in (few, None)):
            return own
    return []


def mean(rows: Sequence[dict], method: str, anchors: int | None, measure: str = "test_error") -> float:
    """Give the mean of a measure over ordered pairs, or over networks for what is their own."""
    return fmean(rigid_gaps.errors(rows, method, anchors, measure).values())


GAP, SHEAR = ("rigid", "linear"), ("similarity", "linear")


def gap(rows: Sequence[dict], anchors: int | None, methods: tuple[str, str] = GAP) -> rigid_gaps.Estimate | None:
    """Give the error of rigid maps less that of linear ones, or of others."""
    return rigid_gaps.estimate(rigid_gaps.apart(rows, *methods, anchors))


def _excess(group, anchors):
    return {
        method: {name: mean(rows, method, anchors) - mean(rows, OWN, None) for name, rows in group.items()}
        for method in ("linear", "similarity", "rigid")
    }


def _errors(group, anchors):
    lines = []
    for name, rows in group.items():
        found = [mean(rows, OWN, None), *(mean(rows, m, anchors) for m in ("rigid", "similarity", "linear"))]
        pairs = rigid_gaps.apart(rows, "rigid", "linear", anchors)
        estimate = rigid_gaps.text(rigid_gaps.estimate(pairs))
        lines.append([name, *(f"{error:.4f}" for error in found), estimate, rigid_gaps.won(pairs)])
    columns = ["variant", "autoencoder", "rigid", "similarity", "linear", "gap, 10⁻³", "linear better"]
    return markdown.table(columns, lines)


def changes(group: Group, anchors: int | None, methods: tuple[str, str] = GAP) -> dict[str, rigid_gaps.Estimate]:
    """Give by variant what it changes of the gap of the variant that it is one step away from."""
    found = {}
    for name in group:
        of = VARIANTS[name].of
        if of in group and (own := gap(group[name], anchors, methods)) and (other := gap(group[of], anchors, methods)):
            found[name] = rigid_gaps.change(own, other)
    return found


def _factors(group, few):
    columns = {f"gap, {few} pairs": (few, GAP), "gap, all pairs": (None, GAP)}
    columns |= {f"shear, {few} pairs": (few, SHEAR), "shear, all pairs": (None, SHEAR)}
    found = {column: changes(group, *what) for column, what in columns.items()}
    lines = []
    for name in found["gap, all pairs"]:
        own = 1e3 * (mean(group[name], OWN, None) - mean(group[VARIANTS[name].of], OWN, None))
        texts = [rigid_gaps.text(estimates[name]) for estimates in found.values()]
        lines.append([f"{VARIANTS[name].of} → {name}", VARIANTS[name].factor, *texts, f"{own:+.1f}"])
    note = (
        "In thousandths. Shear is the part of the gap that a scale does not close, the error of the similarity less\n"
        "that of the linear map: scales differ from network to network, and make the interval of the gap wide.\n\n"
    )
    return note + markdown.table(["variants", "factor", *columns, "own error"], lines)


STEPS = {
    "no shift": ("orthogonal", "rigid"),
    "no reflection": ("rotation", "rigid"),
    "no scale": ("rigid", "similarity"),
    "no shear": ("similarity", "affine"),
}


def _parts(group, few):
    lines = []
    for name, rows in group.items():
        for anchors in (few, None):
            parts = [rigid_gaps.estimate(rigid_gaps.apart(rows, *pair, anchors)) for pair in STEPS.values()]
            lines.append([name, str(anchors or "all"), *map(rigid_gaps.text, parts)])
    note = (
        "What the error rises by, in thousandths, where maps are denied a shift (orthogonal less rigid), a reflection\n"
        "(rotation less rigid), a scale (rigid less similarity), or all that is neither (similarity less affine).\n\n"
    )
    return note + markdown.table(["variant", "pairs", *STEPS], lines)


def _shapes(group):
    lines = []
    for name, rows in group.items():
        spaces = forced_plot.deviations(rows).values()
        scales = [float(np.linalg.norm(one)) for one in spaces]
        variances = [one**2 for one in spaces]
        dimensions = fmean(float(one.sum() ** 2 / (one**2).sum()) for one in variances)
        silent = fmean(int((one < 1e-3 * one.mean()).sum()) for one in variances)
        values = [np.array(row["singular_values"]) for row in rows if "singular_values" in row]
        quantiles = np.mean([np.percentile(one, (90, 50, 10)) for one in values], 0)
        residuals = [mean(rows, method, None, "residual") for method in ("rigid", "similarity", "linear")]
        least = [fmean(forced_plot.of_pairs(rows, scaled=scaled).values()) for scaled in (False, True)]
        figures = [*quantiles, *least, *residuals]
        ratio = max(scales) / min(scales) if min(scales) else float("inf")
        words = [f"{fmean(scales):.0f}", f"{ratio:.2f}", f"{dimensions:.1f}", f"{silent:.1f}"]
        lines.append([name, *words, *(f"{figure:.2f}" for figure in figures)])
    note = (
        "Of the networks: scale (root mean square distance of test codes from their mean), that of the largest seed\n"
        "over that of the smallest, dimensions ((Σ λ)² / Σ λ² of the covariance), silent directions (less than a\n"
        "thousandth of the mean variance). Singular values of the affine map from all pairs: quantiles, means over\n"
        "pairs. Forced: the residual that no rigid map can be below, since the two clouds have other deviations along\n"
        "their axes; and no similarity. Residuals of maps from all pairs: ‖target − mapped‖ / ‖target − mean‖ of the\n"
        "test codes.\n\n"
    )
    columns = ["variant", "scale", "ratio of scales", "dimensions", "silent", "90 %", "50 %", "10 %"]
    columns += ["forced on rigid", "on similarity", "rigid residual", "similarity", "linear"]
    return note + markdown.table(columns, lines)
