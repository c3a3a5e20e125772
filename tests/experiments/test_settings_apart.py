"""Rows that were made in another setting: no page takes them together with others without a word."""

import runpy
import shutil

import pytest
from running import EXPERIMENTS

from align import rows as results
from align_lab import mixtures
from align_lab.crossing import crossing_page
from align_lab.heads import classify_page
from align_lab.ladder import ladder_page
from align_lab.many import many_page
from align_lab.rigidity import rigidity_page
from align_lab.switch import swap_page

pytestmark = pytest.mark.usefixtures("undrawn")
ROWS = EXPERIMENTS / "results" / "rows"
GUIDE_TABLES = runpy.run_path(str(EXPERIMENTS.parent / "docs" / "guide_tables.py"))
TRAINING = {"settings": {"batch": 32}}
# Of every page that shows all rows of a table: which of them are enough to see, and what else they might be of.
CASES = {
    "classify": ({"dataset": "mnist", "method": "rigid", "anchors": 100}, {"latent": 10}),
    "classify, another training": ({"dataset": "mnist", "method": "rigid", "anchors": 100}, TRAINING),
    "classify, how it was chosen": ({"method": "classifier", "held_out": 30_000}, {"settings": {"passes": 2}}),
    "classify, chosen at another dimension": ({"method": "classifier", "held_out": 30_000}, {"latent": 10}),
    "consensus": ({"group": "conv:5+mlp:5"}, {"latent": 10}),
    "consensus, another training": ({"group": "conv:5+mlp:5"}, TRAINING),
    "encoder_switch": ({"old": "mpnet", "new": "minilm_l6"}, {"documents": 5000}),
    "encoder_switch, other queries": ({"old": "mpnet", "new": "minilm_l6"}, {"queries": 500}),
    "encoders": ({"texts": 1500}, {"held_out": 1000}),
    "knowledge": ({"dataset": "mnist", "latent": 10, "method": "rigid"}, TRAINING),
    "rigidity": ({"variant": "narrow"}, TRAINING),
}
WRITERS = {"classify": classify_page.write, "encoder_switch": swap_page.write, "encoders": crossing_page.write}
WRITERS |= {"rigidity": rigidity_page.write}
OF_FOLDERS = {"consensus": many_page.write, "knowledge": ladder_page.write}


def of_another(row, change):
    """Give a row of another setting, with half of what is measured."""
    halved = {name: row[name] / 2 for name in results.schema_of(row).measures}
    if "settings" in change:
        given, other = row["settings"], change["settings"]
        by_architecture = all(isinstance(one, dict) for one in given.values())
        change = {
            "settings": {model: one | other for model, one in given.items()} if by_architecture else given | other
        }
    return {**row, **halved, **change}


def written(table, rows, folder):
    if table in WRITERS:
        return WRITERS[table](rows, folder).read_text()
    results.append(folder / "rows" / f"{table}.jsonl", rows)
    return OF_FOLDERS[table](folder).read_text()


@pytest.mark.parametrize("case", CASES)
def test_rows_of_two_settings_stay_apart_or_are_warned_of(case, tmp_path):
    table, (columns, change) = case.partition(",")[0], CASES[case]
    rows = results.read(ROWS / f"{table}.jsonl")
    rows = [row for row in rows if columns.items() <= (row.get("settings", {}) | row).items()]
    others = [of_another(row, change) for row in rows]
    alone, both = (written(table, some, tmp_path / name) for name, some in (("a", rows), ("b", [*rows, *others])))
    figures = [line for line in alone.splitlines() if line.startswith("|")]
    assert any(any(sign.isdigit() for sign in line) for line in figures)
    apart = set(figures) <= set(both.splitlines()) and both != alone
    assert apart or "have been made with different settings" in both


def elsewhere(row):
    """Give a row of networks that were trained for another number of epochs, the maps between them twice as bad."""
    given, change = row["settings"], {"epochs": 99}
    by_architecture = {name: one | change for name, one in given.items() if isinstance(one, dict)}
    return row | {"settings": given | (by_architecture or change), "test_error": row["test_error"] * 2}


@pytest.mark.parametrize(("dataset", "latent"), [("mnist", 10), ("fashion_mnist", 50)])
def test_maps_are_compared_with_those_of_the_same_training_only(dataset, latent, tmp_path):
    whole = [
        row for row in results.read(ROWS / "knowledge.jsonl") if (row["dataset"], row["latent"]) == (dataset, latent)
    ]
    told = ("linear", "rigid", "autoencoder")  # what others are compared with; no cell has rows of both trainings
    mixed = [elsewhere(row) if row["method"] in told else row for row in whole]
    alone, page = (written("knowledge", some, tmp_path / name) for name, some in (("a", whole), ("b", mixed)))
    for words in ("| × ", "of the same two networks", "The target network's own error"):
        assert words in alone
    assert "| × " not in page and "they have" not in page
    ways = page.split("\n### ")[1:]
    assert len(ways) == 2 * len(alone.split("\n### ")[1:]) and ladder_page.OTHERWISE in page
    for part in ways:  # the networks' own errors stand with maps of the same networks
        assert ("epochs 99" in part.splitlines()[0]) == ("own error" in part)
    assert ladder_page.OTHERWISE not in alone and "epochs" not in alone


def test_heads_are_compared_with_those_of_the_same_training_only(tmp_path):
    rows = [row for row in results.read(ROWS / "classify.jsonl") if row["dataset"] == "mnist"]
    mixed = [row | {"settings": row["settings"] | {"epochs": 99}} if row["method"] == "rigid" else row for row in rows]
    alone, page = (classify_page.write(some, tmp_path / name).read_text() for name, some in (("a", rows), ("b", mixed)))
    assert "| rigid against affine |" in alone and "| rigid against" not in page
    assert "## mnist, latent 50, epochs 99\n" in page and "## mnist, latent 50, epochs 3\n" in page
    drawn = {path.name for path in (tmp_path / "b" / "pictures").iterdir()}
    assert drawn == {"classify_mnist_latent50.png", "classify_mnist_latent50_2.png"}
    assert all(page.count(f"](../pictures/{name})") == 1 for name in drawn)


def test_a_page_warns_of_cells_of_different_settings_too(tmp_path):
    rows = [row for row in results.read(ROWS / "consensus.jsonl") if row["group"] == "conv:5+mlp:5"]
    mixed = [of_another(row, TRAINING) if row["method"] == "rigid" else row for row in rows]
    warned = [
        "have been made with different settings" in written("consensus", r, tmp_path / n)
        for n, r in (("a", rows), ("b", mixed))
    ]
    assert warned == [False, True]
    rows = [{"settings": {"epochs": 3, "cloud": cloud}} for cloud in (0, 0, 5000)]
    assert not mixtures.warning(rows)
    assert mixtures.warning([*rows, {"settings": {"epochs": 3, "cloud": 100}}])


def test_the_pages_of_the_documents_are_of_one_setting(tmp_path):
    changes = {"consensus": {"latent": 10}, "database_switch": {"documents": 5}, "embedding_switch": {"queries": 5}}
    changes |= {"encoder_switch": {"documents": 5}, "encoders": {"held_out": 5}, "rigidity": TRAINING}
    shutil.copytree(ROWS, tmp_path / "rows")
    before = GUIDE_TABLES["tables"](tmp_path)
    for table, change in changes.items():
        path = tmp_path / "rows" / f"{table}.jsonl"
        results.append(path, [of_another(row, change) for row in results.read(path)])
    assert GUIDE_TABLES["tables"](tmp_path) == before
