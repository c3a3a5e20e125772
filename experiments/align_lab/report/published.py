"""The rows of all tables as a report needs them: each once, with words for what is missing, duplicate or no row."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from align import paper
from align.rows import once, sorted_out
from align.rows import read as read_rows

TITLES = {
    1: "MNIST, the whole training set as pairs",
    2: "MNIST, relative representations",
    3: "MNIST, a few anchors as pairs",
    4: "MNIST, class labels only",
    5: "Fashion-MNIST, between architectures: direct maps and relative representations with new decoders",
    6: "Fashion-MNIST, between architectures: relative representations trained end to end",
}
# The data of each table.
DATASETS = {number: "mnist" if number < 5 else "fashion_mnist" for number in TITLES}
Rows = dict[int, list[dict]]
SETTINGS = "different settings"  # in the words of a problem
PROVENANCE = {"settings", "data_source", "device", "versions"}
# Of the rows of the factors: variants trained as the paper says, Adam at a rate of 1e-3 throughout and batches of 64.
PAPERS = ("constant", "narrow", "narrow+pytorch")


def read(results: Path) -> tuple[Rows, list[str]]:
    """Read the rows of all tables, each once; and say in words what is missing, duplicate or no row."""
    rows, problems = {}, []
    for number in TITLES:
        file = results / "rows" / f"table{number}.jsonl"
        found, others = sorted_out(file)
        problems += others
        if strangers := [row for row in found if not row.keys() >= PROVENANCE]:
            problems.append(f"{file.name}: {len(strangers)} rows without {', '.join(sorted(PROVENANCE))}, left out")
            found = [row for row in found if row.keys() >= PROVENANCE]
        rows[number] = once(found)
        problems += [f"{file.name}: {text}" for text in _doubts(number, len(found), rows[number])]
    return rows, problems


def _doubts(number, count, rows):
    if len(rows) < count:
        yield f"{count - len(rows)} duplicate rows, counted once"
    settings = defaultdict(set)
    for row in rows:
        settings[paper.key_of(row)].add(json.dumps(row["settings"], sort_keys=True))
    for key, different in settings.items():
        if len(different) > 1:
            yield f"{describe(key)} has rows of {len(different)} {SETTINGS}"
    there = Counter(map(paper.key_of, rows))
    missing = [describe(key) for key in paper.CELLS if key.table == number and not there[key]]
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        yield f"no row of {'; '.join(missing[:5])}{more}"


def under_the_papers_training(results: Path) -> Rows:
    """Give rows of Tables 1 and 3 from the experiment on factors, of networks trained as the paper says alone.

    The direct maps alone, at the latent dimensions and for the epochs that it was run with; the paper names neither its
    epochs nor its sizes.
    """
    from align_lab.rigidity.rigidity_page import changed

    rows: Rows = {number: [] for number in TITLES}
    for row in read_rows(results / "rows" / "rigidity.jsonl"):
        if row["variant"] in PAPERS and row["dataset"] == DATASETS[1] and not changed(row):
            model = f"{row['variant']}, {row['settings']['epochs']} epochs"
            rows[3 if row["anchors"] else 1].append({**row, "source_model": model, "target_model": model})
    return rows


def describe(key: paper.Key) -> str:
    """Name a cell of a table in words."""
    anchors = f", {key.anchors} anchors" if key.anchors else ""
    return f"{key.method}{' (own)' if key.own else ''}, {key.source_model} → {key.target_model}, {key.latent}{anchors}"


def of_its_data(number: int, rows: Iterable[dict]) -> list[dict]:
    """Keep the rows of the data that the paper's table is of: the only ones that its cells and its claims are about."""
    return [row for row in rows if row["dataset"] == DATASETS[number]]


def of_the_paper(number: int, rows: list[dict]) -> list[dict]:
    """Leave out rows of other data than the paper's table is of, and of other architectures, where there are its own.

    Where there are none, what is left is of one data set, the last that was added. What is drawn together, and averaged
    for a claim, must be comparable.
    """
    ends = {(key.source_model, key.target_model) for key in paper.CELLS if key.table == number}
    found = of_its_data(number, rows) or [row for row in rows if row["dataset"] == rows[-1]["dataset"]]
    return [row for row in found if (row["source_model"], row["target_model"]) in ends] or found
