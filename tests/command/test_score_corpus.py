"""`align score --corpus` says what a search finds, and ends with a code of its own where that is too little."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from on_files import pairs, run, small_blocks

from align import search, solvers
from align.__main__ import main

CORPUS = ("score", "map.safetensors", "q_old.npy", "q_new.npy", "--corpus", "x.npy", "y.npy")


@pytest.fixture
def queries(folder):
    old, new = pairs(n=30, seed=0)
    np.save("q_old.npy", old)
    np.save("q_new.npy", new)
    return old, new


def test_what_a_search_finds(queries, capsys, monkeypatch):
    small_blocks(monkeypatch)
    result = run(capsys, *CORPUS, "--top", "5", "--fail-under", "recall@5=0.5")
    expected = search.found(solvers.rigid(*pairs()), *queries, [pairs()], top=5)
    assert (result["queries"], result["documents"]) == (30, 200)
    recall = result["recall@5"]
    assert {way: each[0] for way, each in recall.items()} == pytest.approx(
        {way: float(shares.mean()) for way, shares in expected.ways.items()}, abs=0.01
    )
    assert all(low <= mean <= high for mean, low, high in recall.values())
    again = result["recall@5 of n candidates embedded again"]
    assert list(again) == ["10", "20", "50", "100"] and again["100"][0] >= again["10"][0] > 0.9
    assert result["worth_it"] is True and result["verdict"].startswith("worth it: ")


def test_ids_of_the_queries_in_a_file_of_their_own_are_not_those_of_the_corpus(queries, capsys):
    order = np.random.default_rng(0).permutation(30)
    np.save("q_turned.npy", queries[1][order])
    for name, ids in (("old.txt", range(30)), ("new.txt", order)):
        Path(name).write_text("\n".join(map(str, ids)))
    joined = ("score", "map.safetensors", "q_old.npy", "q_turned.npy", "--id", "old.txt", "--target-id", "new.txt")
    result, expected = run(capsys, *joined, *CORPUS[4:]), run(capsys, *CORPUS)
    assert result["recall@10"] == expected["recall@10"]


def test_documents_that_a_join_drops_are_counted(queries, capsys):
    ids = [f"d{row}" for row in range(200)]
    for name, side in zip(("old", "new"), queries, strict=True):
        np.savez(f"q_{name}.npz", vector=side, id=ids[:30])
    for name, side, called in zip(("old", "new"), pairs(), ([*ids[:198], "d0", "only here"], ids), strict=True):
        np.savez(f"{name}.npz", vector=side, id=called)
    argv = ("score", "map.safetensors", "q_old.npz", "q_new.npz", "--column", "vector", "--id", "id")
    result = run(capsys, *argv, "--corpus", "old.npz", "new.npz")
    assert result["joined"]["shared"] == 30 and result["documents"] == 197
    counts = {"shared": 197, "only_in_source": 1, "only_in_target": 2, "repeated_in_source": 1, "repeated_in_target": 0}
    assert result["joined_corpus"] == counts


def test_too_little_has_an_exit_code_of_its_own(queries, capsys):
    assert main([*CORPUS, "--quiet", "--fail-under", "recall@10=1.01", "--fail-under", "top_1=0"]) == 4
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-2].startswith("recall@10 is ") and lines[-2].endswith(", below 1.01")
    assert lines[-1].startswith("worth it: ")
    assert main(["score", "map.safetensors", "x.npy", "y.npy", "--fail-under", "r_squared=0.999999", "--quiet"]) == 4
    assert main(["score", "map.safetensors", "x.npy", "y.npy", "--fail-under", "r_squared=0.9", "--quiet"]) == 0


def test_bad_rows_of_the_corpus_are_counted(queries, capsys):
    documents, asked = pairs()[0], queries[0].copy()
    documents[5], documents[9], asked[2] = 0, documents[8], 0
    np.save("documents.npy", documents)
    np.save("asked.npy", asked)
    argv = ("score", "map.safetensors", "asked.npy", "q_new.npy", "--corpus", "documents.npy", "y.npy")
    result = run(capsys, *argv)
    assert result["queries"] == result["rows"] - 1  # a query of zeros asks for nothing
    assert result["bad_rows"] == {
        "asked.npy": {"zero": 1, "not_finite": 0, "duplicate": 0},
        "documents.npy": {"zero": 1, "not_finite": 0, "duplicate": 1},
    }


def test_queries_of_zeros_alone(queries, capsys):
    np.save("q_old.npy", np.zeros((30, 6), np.float32))
    assert main([*CORPUS, "--quiet"]) == 2
    assert "of each query the row of q_old.npy or of q_new.npy is zero; none is left" in capsys.readouterr().err


def test_auto_says_what_it_compared(folder, capsys):
    np.save("some.npy", pairs(n=50, seed=0)[0])
    argv = ["fit", "x.npy", "y.npy", "--solver", "auto", "--anchors", "60", "--for", "search", "--among", "some.npy"]
    result = run(capsys, *argv, "-o", "auto.safetensors")
    fitted = search.auto(*(side[np.random.default_rng(0).permutation(200)[:60]] for side in pairs()))
    assert result["chosen"] == fitted.details.chosen and result["options"] == {"purpose": "search"}
    kept = run(capsys, "inspect", "auto.safetensors")
    assert kept["compared"] == result["compared"] and kept["explanation"] == result["explanation"]
    assert result["fit_residual"] < 0.1 and len(result["compared"]) == 4
    assert run(capsys, "score", "auto.safetensors", "x.npy", "y.npy")["top_10"] > 0.9


def test_auto_looks_between_clouds_as_well(folder, capsys, monkeypatch):
    clouds = []

    def between(key, *given):
        clouds.extend(given)
        return dataclasses.replace(solvers.rigid(*pairs()), trusted=True, details=SimpleNamespace(explanation="found"))

    monkeypatch.setitem(solvers.SOLVERS, "unpaired", solvers.SOLVERS["unpaired"]._replace(fit=between))
    more_x, more_y = pairs(n=50, seed=0)[0], pairs(n=40, seed=0)[1]
    np.save("more_x.npy", more_x)
    np.save("more_y.npy", more_y)
    argv = ["fit", "x.npy", "y.npy", "--solver", "auto", "--anchors", "12", "--clouds", "more_x.npy", "more_y.npy"]
    result = run(capsys, *argv, "-o", "auto.safetensors")
    assert result["clouds"] == {"rows": [50, 40], "trusted": True, "explanation": "found"}
    assert result["chosen"] == "ridge towards the given map" and result["fit_residual"] < 0.1
    np.testing.assert_array_equal(clouds[1], np.load("more_y.npy"))
    assert "bad_rows" not in result
    assert run(capsys, "inspect", "auto.safetensors")["clouds"] == result["clouds"]
    more_x[3], more_y[5], more_y[6] = 0, np.nan, more_y[7]
    np.save("more_x.npy", more_x)
    np.save("more_y.npy", more_y)
    for among in ((), ("--among", "more_x.npy")):
        result = run(capsys, *argv, *among, "--skip-bad-rows", "-o", "auto.safetensors", "--overwrite")
        assert result["clouds"]["rows"] == [49, 39]
        assert result["bad_rows"] == {
            "more_x.npy": {"zero": 1, "not_finite": 0, "duplicate": 0},
            "more_y.npy": {"zero": 0, "not_finite": 1, "duplicate": 1},
        }


def test_bad_rows_of_the_index_are_counted(folder, capsys):
    some = pairs(n=50, seed=0)[0]
    some[7] = 0
    np.save("some.npy", some)
    argv = ("fit", "x.npy", "y.npy", "--solver", "auto", "--anchors", "12", "--among", "some.npy")
    result = run(capsys, *argv, "-o", "auto.safetensors")
    assert result["bad_rows"] == {"some.npy": {"zero": 1, "not_finite": 0, "duplicate": 0}}
