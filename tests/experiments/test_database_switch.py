"""A search in a database that moves from one encoder to another: every stage, kills, and what LanceDB promises."""

import sys

import numpy as np
import pytest
from running import EXPERIMENTS

from align import rows as results
from align.files import MissingPackage
from align.solvers import AffineMap
from align_lab import launch
from align_lab.store import Store
from align_lab.switch import database, database_asked, database_stages
from align_lab.switch.switch_plans import Moved
from align_lab.texts.text_plans import Library, Space

LIBRARY = Library("sample", "", 0, 20)
SIZES = {"documents": 600, "pairs": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("workdir"))
    moved = Moved(Space("minilm", LIBRARY), Space("mpnet", LIBRARY), **SIZES, kills=2)
    assert launch.estimated([moved], store)[0] > 0
    database_stages.work(moved, store, lambda share: None)
    assert database_stages.cost(moved, store) == 0
    return store.rows(database_asked.TABLE)


def test_the_search_moves_document_by_document(made):
    by_share = {row["share"]: row["recall"] for row in made if row["method"] == database_asked.MOVING}
    assert list(by_share) == list(database_stages.SHARES)
    assert list(by_share.values()) == sorted(by_share.values())
    assert 0.1 < by_share[0.0] < 0.7 and by_share[1.0] == 1


def test_kills_lose_nothing_and_no_answer_is_wrong(made):
    (row,) = (row for row in made if row["method"] == database_asked.KILLED)
    assert (row["lost"], row["wrong"], row["recall"]) == (0, 0, 1) and row["finished"] >= 1
    assert row["answers"] >= 3 * database_stages.ASKED
    (published,) = (row for row in results.read(EXPERIMENTS / "results/rows/database_switch.jsonl") if row["kills"])
    assert published["kills"] == 20 and (published["lost"], published["wrong"]) == (0, 0)


def test_rows_of_other_vectors_or_settings_are_not_taken_for_these(tmp_path):
    np.savez(tmp_path / "drawn.npz", one=np.eye(9), two=np.eye(9))
    library = Library(str(tmp_path / "drawn.npz"), "", 0, 2)
    moved = Moved(Space("one", library), Space("two", library), documents=4, pairs=3, kills=0)
    store = Store(tmp_path / "workdir")
    assert launch.estimated([moved], store)[0] > 0
    measures = {"recall": 0.5, "milliseconds": 1.0}
    row = database_stages.rows(moved)[0]
    store.add([row | measures, row | measures | {"queries": 3, "recall": 0.25}])
    told = list(database_asked.pictures(database_asked.DatabaseAsked(moved), store))
    assert told == ["the old encoder, kept: recall@10 0.500, 1.0 ms a query"]
    np.savez(tmp_path / "drawn.npz", one=-np.eye(9), two=np.eye(9))
    with pytest.raises(ValueError, match=r"rows by the name drawn of SHA-256 [0-9a-f]+; these are of SHA-256"):
        launch.estimated([moved], Store(tmp_path / "workdir"))


def test_one_version_is_searched_whatever_is_written(tmp_path):
    random = np.random.default_rng(0)
    old, new = random.normal(size=(30, 4)), random.normal(size=(30, 3))
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    fitted = AffineMap(np.float32(random.normal(size=(4, 3))), np.float32(random.normal(size=3)))
    mapped = np.asarray(fitted(np.float32(old)))
    of_map, of_new = mapped @ new[0] / np.linalg.norm(mapped, axis=1), new @ new[0]

    def find(table):
        return database.find(table, new[0], np.asarray(fitted.queries(new[0])), top=30)

    database.create(tmp_path, old)
    database.prepare(tmp_path, fitted, 3)
    filling = database.fill(tmp_path, lambda ids: new[ids], 10)
    assert next(filling) == 20
    database.prepare(tmp_path, fitted, 3)  # what is there is kept
    before = database.snapshot(tmp_path)
    ids, scores = find(before)
    assert [*filling] == [10, 0]
    np.testing.assert_array_equal(np.sort(ids), np.arange(30))
    expected = np.where(np.isin(np.arange(30), _moved(before)), of_new, of_map)
    np.testing.assert_allclose(scores, expected[ids], atol=1e-5)
    np.testing.assert_array_equal(find(before)[0], ids)
    ids, scores = find(database.snapshot(tmp_path))
    np.testing.assert_allclose(scores, of_new[ids], atol=1e-5)


def test_a_batch_ends_where_it_is_told_to(tmp_path):
    random = np.random.default_rng(0)
    old, new = random.normal(size=(30, 4)), random.normal(size=(30, 3))
    database.create(tmp_path, old)
    database.prepare(tmp_path, AffineMap(np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32)), 3)
    assert [*database.fill(tmp_path, lambda ids: new[ids], 10, [30, 22, 7, 0])] == [22, 12, 7, 0]


def _moved(table):
    return table.search().where("moved").select(["id"]).limit(99).to_arrow()["id"].to_numpy()


def test_a_missing_package_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(MissingPackage, match=r"needs LanceDB: pip install 'align-latents\[database\]'"):
        database.connect(tmp_path)
