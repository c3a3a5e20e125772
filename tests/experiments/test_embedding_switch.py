"""The embedding switch, on texts and encoders that need no package: hashed words and hashed trigrams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import EXPERIMENTS

from align_lab import encoders
from align_lab import index_switch as switch

WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet"]
WORDS += ["jetty", "kelp", "lagoon", "maple", "nectar", "opal", "pine", "quartz", "reef"]
SYNSET = (
    "00002684 03 n 02 object 0 physical_object(p) 0 002 @ 00001930 n 0000 ~ 00003553 n 0000 | "
    'a tangible and visible entity; an entity; "it was full of rackets"  \n'
)


@pytest.fixture
def config(tmp_path):
    """A corpus of 260 four-word documents, searched by three of their words."""
    random = np.random.default_rng(0)
    chosen = {tuple(sorted(random.choice(len(WORDS), 4, replace=False))) for _ in range(300)}
    texts = [[WORDS[i] for i in random.permutation(list(one))] for one in sorted(chosen)]
    (tmp_path / "corpus.tsv").write_text("".join(f"{' '.join(text[:3])}\t{' '.join(text)}\n" for text in texts))
    return switch.Config(
        pairs=str(tmp_path / "corpus.tsv"),
        old=("hashed-words",),
        new="hashed-trigrams",
        asking=("words",),
        solvers=("rigid", "affine"),
        anchors=(10, 100),
        documents=260,
        queries=40,
        seeds=2,
        workdir=str(tmp_path),
        output=str(tmp_path / "results" / "switch"),
    )


def run_script(config, path):
    flags = {name: ",".join(map(str, v)) if isinstance(v, tuple) else v for name, v in vars(config).items()}
    return subprocess.run(
        [sys.executable, EXPERIMENTS / "embedding_switch.py", *(f"--{name}={value}" for name, value in flags.items())],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_a_linear_relation_is_recovered(config):
    # Both encoders are linear in the counts of the words, fewer than their dimensions; only unit length bends that.
    rows = switch.run(config)
    index, queries = (switch.summary(rows, old="hashed-words", direction=name) for name in ("index", "queries"))
    assert index["affine", 100][0] > 0.9 > 0.6 > index["affine", 10][0]
    assert index["affine", 100][0] > index["rigid", 100][0] + 0.1
    # Queries that are mapped find what the old encoder's own queries find: no more, no less.
    assert abs(queries["affine", 100][0] - queries["old encoder", None][0]) < 0.05 < 1 - queries["affine", 100][0]
    assert index["affine", 100][1] == queries["affine", 100][1] == queries["old encoder", None][1] == 1
    # 96 dimensions do not embed into 64 with all distances kept.
    assert ("rigid", 100) not in queries
    assert len({(row["method"], row["direction"], row["anchors"], row["source_seed"]) for row in rows}) == len(rows)
    row = next(row for row in rows if row["direction"] == "index")
    assert (row["source_model"], row["target_model"], row["latent"]) == ("hashed-words", "hashed-trigrams", 96)


def test_documents_that_are_asked_are_left_out_of_the_index(config):
    rows = switch.run(switch.dataclasses.replace(config, asking=("documents",), seeds=1))
    index = switch.summary(rows, asking="documents", direction="index")
    assert index["re-embedding", None][:2] == (1, 1)
    assert index["affine", 100][0] > 0.9


def test_results_are_written_and_read_well(config):
    rows = switch.run(config)
    switch.write(rows, config.output)
    folder = Path(config.output).parent
    assert sorted(path.name for path in folder.iterdir()) == ["switch.jsonl", "switch.md", "switch.png"]
    assert [json.loads(line) for line in (folder / "switch.jsonl").open()] == rows
    table = (folder / "switch.md").read_text()
    assert "Asked by words, queries of hashed-trigrams mapped to hashed-words" in table and "| affine | " in table


def test_embeddings_are_kept(config, monkeypatch):
    first = switch.run(config)
    monkeypatch.setattr(encoders, "ENCODERS", {})
    assert switch.run(config) == first


def test_search_and_scores_by_hand():
    documents = np.eye(12, dtype=np.float32)
    queries = documents[:2] + 0.1 * documents[2:4]
    found = switch.search(queries, documents)
    assert found.shape == (2, 10) and {0, 2} <= set(found[0]) and {1, 3} <= set(found[1])
    wanted = np.stack([np.arange(10), np.arange(10)])
    assert switch.scores(np.stack([np.arange(5, 15), np.arange(1, 11)]), wanted, np.arange(2)) == {
        "recall": 0.7,
        "hit": 0.5,
    }


def test_wordnet_lines(tmp_path):
    for part in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"data.{part}").write_text("  1 a licence\n" + (SYNSET if part == "noun" else ""))
    assert switch.read_pairs(tmp_path) == [("object, physical object", "a tangible and visible entity; an entity")]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"pairs": "/no/such/corpus"}, FileNotFoundError, "no corpus at /no/such/corpus"),
        ({"documents": 1000}, ValueError, "for documents=1000"),
        ({"anchors": (250,)}, ValueError, "expected queries"),
        ({"queries": 10}, ValueError, "more than 10 queries"),
        ({"asking": ("nicely",)}, ValueError, "unknown --asking 'nicely'"),
        ({"solvers": ("magic",)}, ValueError, "unknown solver 'magic'"),
    ],
)
def test_bad_configurations(config, change, error, message):
    with pytest.raises(error, match=message):
        switch.run(switch.dataclasses.replace(config, **change))


def test_bad_corpus_names_the_line(tmp_path):
    (tmp_path / "corpus.tsv").write_text("a\tb\nonly one\n")
    with pytest.raises(ValueError, match=r"corpus.tsv, line 2: expected query<TAB>document"):
        switch.read_pairs(tmp_path / "corpus.tsv")


def test_the_script_says_what_is_missing(config):
    # An empty module in place of each package, as if it were not installed.
    hidden = Path(config.workdir) / "hidden"
    hidden.mkdir()
    (hidden / "sklearn.py").write_text("raise ImportError('No module named sklearn')")
    done = run_script(switch.dataclasses.replace(config, old=("lsa",)), f"{hidden}:{EXPERIMENTS.parent}")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "embedding_switch: encoder 'lsa' needs a package that is not installed (No module named sklearn)"
    )


def test_the_script_runs(config):
    done = run_script(config, str(EXPERIMENTS.parent))
    assert done.returncode == 0, done.stderr
    assert "index of hashed-words mapped to hashed-trigrams" in done.stdout
