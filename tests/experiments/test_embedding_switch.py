"""The embedding switch, on texts and encoders that need no package: hashed words and hashed trigrams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import EXPERIMENTS

from align import rows as results
from align_lab import launch
from align_lab.screen import Screen
from align_lab.store import Store
from align_lab.switch import searches, switch_page, switching
from align_lab.switch.switch_plans import Switch
from align_lab.texts import corpus, encoders, vectors
from align_lab.texts.text_plans import Embedding, Library, Space, Texts

WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet"]
WORDS += ["jetty", "kelp", "lagoon", "maple", "nectar", "opal", "pine", "quartz", "reef"]
SYNSET = (
    "00002684 03 n 02 object 0 physical_object(p) 0 002 @ 00001930 n 0000 ~ 00003553 n 0000 | "
    'a tangible and visible entity; an entity; "it was full of rackets"  \n'
)
FLAGS = ("--old=hashed-words", "--new=hashed-trigrams", "--asking=words", "--solvers=rigid,affine", "--anchors=10,100")
FLAGS += ("--documents=260", "--queries=40", "--seeds=2")


@pytest.fixture
def texts(tmp_path):
    """A corpus of 260 four-word documents, searched by three of their words."""
    random = np.random.default_rng(0)
    chosen = {tuple(sorted(random.choice(len(WORDS), 4, replace=False))) for _ in range(300)}
    lines = [[WORDS[i] for i in random.permutation(list(one))] for one in sorted(chosen)]
    file = tmp_path / "corpus.tsv"
    file.write_text("".join(f"{' '.join(words[:3])}\t{' '.join(words)}\n" for words in lines))
    return Texts(str(file), 260, 40)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "workdir")


def asked(texts, **changes):
    known = {"old": ("hashed-words",), "new": "hashed-trigrams", "asking": ("words",), "solvers": ("rigid", "affine")}
    return switching.Encoders(**{**known, "anchors": (10, 100), "seeds": (0, 1), "texts": texts, **changes})


def made(wanted, store):
    """Carry out the plan of what is asked; give its rows."""
    plan = switching.plan(wanted, store)
    launch.carry_out(plan, launch.estimated(plan, store), store, Screen(quiet=True))
    return launch.rows_of(plan, store, searches.TABLE)


def test_a_plan_embeds_first_and_lists_every_search(texts, store):
    *embeddings, switch = switching.plan(asked(texts), store)
    assert embeddings == [Embedding("hashed-words", texts), Embedding("hashed-trigrams", texts)]
    assert switch == Switch(*embeddings, "words", ("rigid", "affine"), (10, 100), (0, 1))
    listed = searches.rows(switch)
    assert len(listed) == 3 + 2 * 2 * 2 * 2 and len({results.identity(row) for row in listed}) == len(listed)
    assert searches.cost(switch, store) == len(listed) * searches.SECONDS


def test_a_linear_relation_is_recovered(texts, store):
    # Both encoders are linear in the counts of the words, fewer than their dimensions; only unit length bends that.
    rows = made(asked(texts), store)
    index, queries = (switch_page.summary(rows, old="hashed-words", direction=way) for way in ("index", "queries"))
    assert index["affine", 100][0] > 0.9 > 0.6 > index["affine", 10][0]
    assert index["affine", 100][0] > index["rigid", 100][0] + 0.1
    # Queries that are mapped find what the old encoder's own queries find: no more, no less.
    assert abs(queries["affine", 100][0] - queries["old encoder", None][0]) < 0.05 < 1 - queries["affine", 100][0]
    assert index["affine", 100][1] == queries["affine", 100][1] == queries["old encoder", None][1] == 1
    # 96 dimensions do not embed into 64 with all distances kept, and no query of 96 is asked of an index of 64.
    assert ("rigid", 100) not in queries and ("no map", None) not in queries
    assert len({results.identity(row) for row in rows}) == len(rows) == 2 + 4 + 8
    assert {row["dimensions"] for row in rows if row["direction"] == "index"} == {96}

    again = switching.plan(asked(texts), Store(store.workdir))
    assert launch.estimated(again, Store(store.workdir)) == [0, 0, 0]


def test_rows_of_another_corpus_by_the_same_name_are_not_taken_for_these(texts, store):
    wanted = asked(texts, solvers=("affine",), anchors=(10,), seeds=(0,))
    (kept,) = {row["data_source"] for row in made(wanted, store)}
    again = Store(store.workdir)
    assert launch.estimated(switching.plan(wanted, again), again) == [0, 0, 0]
    file = Path(texts.corpus)
    file.write_text(file.read_text().replace("amber", "ambergris"))
    changed = Store(store.workdir)
    with pytest.raises(ValueError, match=f"rows by the name corpus of {kept}; these are of SHA-256 [0-9a-f]+: name"):
        launch.estimated(switching.plan(wanted, changed), changed)


def test_documents_that_are_asked_are_left_out_of_the_index(texts, store):
    rows = made(asked(texts, asking=("documents",), seeds=(0,)), store)
    index = switch_page.summary(rows, asking="documents", direction="index")
    assert index["re-embedding", None][:2] == (1, 1)
    assert index["affine", 100][0] > 0.9


def test_embeddings_are_kept(texts, store, monkeypatch):
    wanted = Embedding("hashed-words", texts)
    first = encoders.embedded(wanted, store)
    monkeypatch.setattr(encoders, "ENCODERS", {})
    for ours, kept in zip(first, encoders.embedded(wanted, Store(store.workdir)), strict=True):
        np.testing.assert_array_equal(ours, kept)


@pytest.mark.parametrize("damage", [b"", b"no zip", slice(200), {"others": np.eye(2)}])
def test_damaged_embeddings_are_named(texts, store, damage):
    wanted = Embedding("hashed-words", texts)
    encoders.work(wanted, store)
    path = encoders.file(wanted, store)
    if isinstance(damage, dict):
        np.savez(path, **damage)
    else:
        path.write_bytes(path.read_bytes()[damage] if isinstance(damage, slice) else damage)
    with pytest.raises(RuntimeError, match=f"{path} is damaged .*: delete it"):
        encoders.embedded(wanted, Store(store.workdir))


def test_a_model_that_is_trained_again_in_its_folder_is_another(texts, store, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()

    def known(weights):
        (folder / "weights.bin").write_bytes(weights)
        *_, space, switch = switching.plan(asked(texts, new=str(folder)), store)
        crossed = Space(space.encoder, Library("", texts.corpus, 50, 10))
        (row, *_) = searches.rows(switch)
        return encoders.file(space, store), vectors.file(crossed, store), row["old"], row["new"]

    first, second = known(b"1"), known(b"2")
    assert all(one != other for one, other in zip(first[:2], second[:2], strict=True))
    assert first[2] == second[2] == "hashed-words" and first[3] != second[3] and first == known(b"1")


def test_search_and_scores_by_hand():
    documents = np.eye(12, dtype=np.float32)
    queries = documents[:2] + 0.1 * documents[2:4]
    found = searches.search(queries, documents)
    assert found.shape == (2, 10) and {0, 2} <= set(found[0]) and {1, 3} <= set(found[1])
    wanted = np.stack([np.arange(10), np.arange(10)])
    assert searches.scores(np.stack([np.arange(5, 15), np.arange(1, 11)]), wanted, np.arange(2)) == {
        "recall": 0.7,
        "hit": 0.5,
    }


def test_wordnet_lines(tmp_path):
    for part in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"data.{part}").write_text("  1 a licence\n" + (SYNSET if part == "noun" else ""))
    assert corpus.read_pairs(tmp_path) == [("object, physical object", "a tangible and visible entity; an entity")]
    (tmp_path / "data.adv").write_text("00001740 03 n 01 thing | a thing\n00001741\n")
    with pytest.raises(ValueError, match="must have WordNet's data files; one has the line '00001741'"):
        corpus.read_pairs(tmp_path)


@pytest.mark.parametrize(("name", "content"), [("some.gz", b"no gzip"), ("some.tsv", b"\xff\tb\n")])
def test_a_corpus_that_cannot_be_read_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        corpus.read_pairs(tmp_path / name)


def test_the_script_says_what_is_missing(texts, tmp_path):
    # An empty module in place of each package, as if it were not installed.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sklearn.py").write_text("raise ImportError('No module named sklearn')")
    command = [sys.executable, EXPERIMENTS / "embedding_switch.py", *FLAGS, "--old=lsa", f"--pairs={texts.corpus}"]
    environment = os.environ | {"PYTHONPATH": f"{hidden}:{EXPERIMENTS.parent}"}
    done = subprocess.run([*command, f"--workdir={tmp_path}"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "error: encoder 'lsa' needs a package that is not installed (No module named sklearn)"
    )


def test_the_script_writes_rows_table_and_picture_once(texts, experiment):
    run = experiment("embedding_switch", *FLAGS, f"--pairs={texts.corpus}")
    assert run.code == 0, run.err
    assert "index of hashed-words mapped to hashed-trigrams" in run.out and "3 of 3 tasks to do" in " ".join(
        run.out.split()
    )
    rows = experiment.rows("embedding_switch")
    assert len(rows) == 14 and not {"test_error", "source_seed"} & set(rows[0])
    text = (experiment.results / "tables" / "embedding_switch.md").read_text()
    assert "Asked by words, queries of hashed-trigrams mapped to hashed-words" in text and "| affine | " in text
    assert (experiment.results / "pictures" / "embedding_switch.png").stat().st_size > 10_000

    machine = experiment("embedding_switch", *FLAGS, f"--pairs={texts.corpus}", "--json")
    assert [json.loads(line) for line in machine.out.splitlines()] == rows == experiment.rows("embedding_switch")
    assert experiment("embedding_switch", *FLAGS, f"--pairs={texts.corpus}", "--quiet").out == ""
