"""The ladder as tables and pictures: a line per method over the number of anchors, a level for what knows no pair."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from align import drawing, markdown, paper
from align.rows import read
from align_lab import mixtures, pages
from align_lab.ladder.climbing import TABLE
from align_lab.ladder.rung_maps import LABELS, PAIRED, SELECTIONS
from align_lab.ladder.verdicts import verdicts
from align_lab.plans import Networks, together
from align_lab.store import Store

# What the solver without pairs is called where it is given some, beside the two clouds.
BOTH = "pairs and clouds"
# And what is the best that could be made of the pairs beside what the clouds say.
AT_BEST = "the same at best"
# What is said of a space whose rows are of more than one training.
OTHERWISE = (
    "Networks have been trained in several ways here. Each heading names its own, and nothing below is compared with "
    "networks that were trained otherwise; a picture is of those that were asked for last."
)


def write(results: Path) -> Path:
    """Write knowledge.md into a folder of results: per space and direction, all that stands in knowledge.jsonl."""
    spaces = defaultdict(list)
    for row in read(results / "rows" / f"{TABLE}.jsonl"):
        spaces[row["dataset"], row["latent"]].append(row)
    parts = [
        "# Test error against what is known",
        "",
        "Made by `python experiments/knowledge.py`, with `--spaces`, `--steps` and `--keys` for what is below: mean "
        "test error over all ordered pairs of networks. Pairs are random anchors unless a strategy is named; without "
        "pairs, source and target codes come from different halves "
        f"of the training images, and `{BOTH}` is the same with pairs beside them. `{AT_BEST}` is what could be made "
        "of the pairs by those who know how much every entry of the clouds' map is off, but not which way. What has "
        "no row yet is left out.",
    ]
    notes = markdown.sections(results / "notes.md")
    parts += ["", notes[TABLE].rstrip()] if notes[TABLE] else []
    for (dataset, latent), found in sorted(spaces.items(), key=lambda item: (item[0][0] != "mnist", *item[0])):
        ways = _ways(found)
        several = [OTHERWISE, ""] if any(len(names) > 1 for names in ways.values()) else []
        parts += ["", f"## {dataset}, latent {latent}", "", *several, _figure(results, dataset, latent)]
        parts += ["", notes[f"knowledge, {dataset}, latent {latent}"].rstrip()]
        for source, target in _directions(row for row in found if row["method"] != "autoencoder"):
            for trained, own in _by_training(_between(found, source, target)).items():
                base = [r for r in found if r["method"] == "autoencoder" and r["target_model"] == target]
                base = [r for r in base if mixtures.trained(r)[target] == trained[-1][1]]
                words = [f", {model}: {ways[model][way]}" for model, way in trained if ways[model][way]]
                parts += ["", f"### {source} → {target}{''.join(words)}", "", *_direction(latent, own, base)]
    return pages.write(results, TABLE, "\n".join(parts), itertools.chain(*spaces.values()))


def picture(spaces: Sequence[Networks], store: Store) -> Path | None:
    """Draw error against anchors, a panel per direction, from rows of these networks' seeds and training, if any."""
    space, settings = spaces[0], {each.model: each.settings for each in spaces}

    def trained(row):
        return together({row[end]: settings[row[end]] for end in ("source_model", "target_model")})

    found = [
        row
        for row in store.rows(TABLE)
        if (row["dataset"], row["latent"]) == (space.dataset, space.latent)
        and {row["source_seed"], row["target_seed"]} <= set(space.seeds)
        and {row["source_model"], row["target_model"]} <= set(settings)
        and {**row["settings"], "run": None} == {**trained(row), "run": None}
    ]
    panels = {}
    for source, target in _directions(row for row in found if row["method"] == "rigid"):
        own = _between(found, source, target)
        lines = {m: {count: _mean(own, m, count) for count in _counts(own, m)} for m in PAIRED}
        if few := {count: _mean(own, "unpaired", count) for count in _counts(own, "unpaired")}:
            lines[BOTH] = few
        levels = {
            "linear, all pairs": _mean(own, "linear", None),
            "labels only": _mean(own, "labels", None),
            "nothing known": _mean(own, "unpaired", None),
        }
        levels = {name: level for name, level in levels.items() if level is not None}
        place = (space.dataset, space.latent, source, target)
        panels[f"{space.dataset}, latent {space.latent}: {source} → {target}"] = drawing.Curves(
            lines, levels, _papers(*place)
        )
    if not panels:
        return None
    return drawing.curves(store.picture(_name(space.dataset, space.latent)), panels, "anchors", "test error")


def _papers(dataset, latent, source, target):
    """Give the paper's errors from anchors as points."""
    found: dict[str, dict[int, float]] = {}
    for key, cell in paper.CELLS.items():
        here = (key.dataset, key.latent, key.source_model, key.target_model) == (dataset, latent, source, target)
        if here and key.anchors and key.method in ("rigid", "linear"):
            found.setdefault(f"paper, {key.method}", {})[key.anchors] = cell.mean
    return found


def _name(dataset, latent):
    return f"{TABLE}_{dataset}_latent{latent}"


def _figure(results, dataset, latent):
    name = f"{_name(dataset, latent)}.png"
    there = (results / "pictures" / name).exists()
    return f"![Test error against the number of anchors](../pictures/{name})" if there else ""


def _ways(found):
    """Give the ways in which the networks of a space were trained, each with its name: by architecture."""
    ways = defaultdict(list)
    for row in found:
        for model, way in mixtures.trained(row).items():
            ways[model].append(way)
    return {model: mixtures.named(all_of_it) for model, all_of_it in ways.items()}


def _by_training(found):
    """Part the rows of maps of one direction by how the two networks were trained, source first."""
    parts = defaultdict(list)
    for row in found:
        if row["method"] != "autoencoder":
            parts[tuple(mixtures.trained(row).items())].append(row)
    return parts


def _directions(found):
    return dict.fromkeys((row["source_model"], row["target_model"]) for row in found)


def _between(found, source, target):
    return [row for row in found if (row["source_model"], row["target_model"]) == (source, target)]


def _counts(found, *methods):
    """List the numbers of pairs that methods have rows of, ascending."""
    return sorted({row["anchors"] for row in found if row["method"] in methods and row["anchors"]})


def _mean(found, method, anchors):
    errors = [row["test_error"] for row in found if (row["method"], row["anchors"]) == (method, anchors)]
    return fmean(errors) if errors else None


def _direction(latent, found, base):
    """Lay out one direction: by the number of pairs, by the strategy that chose them, and without any."""
    own = _mean(base, "autoencoder", None)
    lines = [f"The target network's own error is {own:.4f}.", ""] if own else []
    counts = _counts(found, *PAIRED, "unpaired", "bound")
    if counts := [*counts, *([None] if any(_mean(found, m, None) is not None for m in PAIRED) else [])]:
        names = ("all pairs" if count is None else str(count) for count in counts)
        rows = [[m, *(_text(_mean(found, m, count)) for count in counts)] for m in PAIRED]
        few = [_mean(found, "unpaired", count) if count else None for count in counts]
        rows += [[BOTH, *map(_text, few)]] if any(few) else []
        bound = [_mean(found, "bound", count) for count in counts]
        rows += [[AT_BEST, *map(_text, bound)]] if any(bound) else []
        lines.append(markdown.table(["method", *names], rows))
    chosen = [how for how in SELECTIONS if _mean(found, f"ridge_{how}", 2 * latent) is not None]
    if chosen:
        rows = ([m, *(_text(_mean(found, f"{m}_{how}", 2 * latent)) for how in chosen)] for m in ("linear", "ridge"))
        lines += ["", f"{2 * latent} anchors by strategy:", "", markdown.table(["method", *chosen], rows)]
    known = {m: _mean(found, m, None) for m in (*LABELS, "unpaired")}
    reference = "rigid" if latent == 2 else "linear"
    full = _mean(found, reference, None)
    if any(known.values()):
        rows = ([m, f"{e:.4f}", f"× {e / full:.3f}" if full else ""] for m, e in known.items() if e is not None)
        lines += ["", "Without pairs:", "", markdown.table(["method", "error", "against all pairs"], rows)]
    return [*lines, *verdicts(latent, found, reference)]


def _text(error):
    return "" if error is None else f"{error:.4f}"
