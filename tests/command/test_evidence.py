"""What files cannot bear out is said: a map that any pairs would be given, and a corpus that does not correspond."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest
from on_files import pairs, run

from align import solvers
from align.__main__ import main
from align.command import faults
from align.maps import AffineMap


def test_a_map_that_goes_through_any_pairs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, side in zip("xy", np.random.default_rng(0).normal(size=(2, 30, 24)), strict=True):
        np.save(f"{name}.npy", side)
    argv = ("fit", "x.npy", "y.npy", "-o", "new.safetensors", "--solver", "affine", "--anchors", "25", "--memory", "0")
    assert main([*argv, "--strict", "--quiet"]) == 3
    err = capsys.readouterr().err
    assert "25 pairs leave nothing to judge a map of rank 24 by" in err and err.count("warning") == 1
    result = run(capsys, *argv, "--holdout", "0.15", "--overwrite")
    assert len(result["warnings"]) == 1 and "no better than the mean" in result["warnings"][0]


@pytest.mark.parametrize(
    ("solver", "rank", "left_out", "enough"),
    [
        ("affine", 36, None, 38),
        ("rigid", 36, None, 38),
        ("scaling", 36, None, 3),
        ("ridge", 36, 0.9, 2),
        ("ridge", 36, float("nan"), 38),
    ],
)
def test_how_many_pairs_leave_something_to_judge_by(solver, rank, left_out, enough):
    details = None if left_out is None else SimpleNamespace(leave_one_out=left_out)
    fitted = dataclasses.replace(AffineMap.identity(36), rank=rank, residual=0.0, details=details)
    told = [faults.unchecked(fitted, rows, solvers.SOLVERS[solver]) is not None for rows in range(2, 50)]
    assert told == [rows < enough for rows in range(2, 50)]


def test_a_corpus_that_does_not_correspond(folder, capsys):
    for name, side in zip(("old", "new"), pairs(), strict=True):
        np.save(f"q_{name}.npy", side[:30])
    np.save("turned.npy", np.roll(pairs()[1], 1, axis=0))
    argv = ("score", "map.safetensors", "q_old.npy", "q_new.npy", "--corpus", "x.npy")
    assert main([*argv, "turned.npy", "--strict", "--quiet"]) == 3
    out, err = capsys.readouterr()
    assert "warning: --corpus x.npy turned.npy: no better than the mean" in err and "the rows look unrelated" in err
    assert out.strip().splitlines()[-1].startswith("open: the documents of x.npy and turned.npy look unrelated")
    assert "queries would tell" not in out
    assert "warnings" not in run(capsys, *argv, "y.npy")


def test_pairs_of_which_some_are_wrong(folder, capsys):
    """A part of the target's rows stands in another order: of the last half, of the first, or of three in ten."""
    x, y = pairs()
    n, random = len(x), np.random.default_rng(3)
    np.save("few_x.npy", x[:60]), np.save("few_y.npy", y[:60])
    argv = ("score", "map.safetensors", "x.npy")
    search = ("score", "map.safetensors", "few_x.npy", "few_y.npy", "--corpus", "x.npy")
    assert "warnings" not in run(capsys, *argv, "y.npy") and "warnings" not in run(capsys, *search, "y.npy")
    for wrong, least, most in ((slice(n // 2, n), 40, 60), (slice(0, n // 2), 40, 60), (slice(0, 3 * n // 10), 22, 38)):
        target, part = y.copy(), y[wrong]
        target[wrong] = part[random.permutation(len(part))]
        np.save("wrong.npy", target)
        for result in (run(capsys, *argv, "wrong.npy"), run(capsys, *search, "wrong.npy")):
            (warning,) = result["warnings"]
            found = re.search(r"some (\d+) % of the rows are mapped no nearer to their counterparts", warning)
            assert least <= int(found[1]) <= most, warning
        assert (
            result["worth_it"] is None and "some documents of x.npy and wrong.npy look unrelated" in result["verdict"]
        )


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ranks_of_a_map_that_errs_are_no_wrong_pairs(scale):
    random = np.random.default_rng(0)
    for spread in (0.01, 0.05, 0.2, 0.5, 2.0):
        ranks = np.ceil(random.exponential(spread * 1000, 20_000))
        assert faults.astray(ranks[ranks <= 1000][:1000]) is None
        power = np.ceil(scale * random.pareto(1 / (1 + spread), 20_000) + 1)
        assert faults.astray(power[power <= 1000][:1000]) is None
    assert faults.astray(np.ones(1000)) is None and faults.astray(np.arange(1, 1001)) is None
    assert "some 40 %" in faults.astray(np.r_[np.ones(600), np.linspace(1, 1000, 400)])


def test_labels_that_say_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(4), 50)
    x = 2 * random.normal(size=(4, 6))[classes] + random.normal(size=(200, 6))
    np.save("x.npy", x), np.save("y.npy", x @ np.linalg.qr(random.normal(size=(6, 6)))[0])
    np.save("right.npy", classes), np.save("drawn.npy", random.permutation(classes))
    np.save("others.npy", np.where(classes == 0, 0, classes + 10)), np.save("own.npy", np.arange(200))
    argv = ("fit", "x.npy", "y.npy", "-o", "new.safetensors", "--solver", "class_means", "--overwrite")
    assert "warnings" not in run(capsys, *argv, "--source-labels", "right.npy", "--target-labels", "right.npy")
    for name, words in (("drawn", "the target labels say nothing of the target rows"), ("others", "have 1 class")):
        labels = ("--source-labels", "right.npy", "--target-labels", f"{name}.npy")
        assert words in run(capsys, *argv, *labels)["warnings"][0]
        assert main([*argv, *labels, "--strict", "--quiet"]) == 3
        capsys.readouterr()
    own = ("--solver", "labels", "--source-labels", "own.npy", "--target-labels", "own.npy", "--quiet")
    assert main([*argv, *own]) == 2
    assert "source_labels must name classes of several rows; they name 200 of 200 rows" in capsys.readouterr().err


def test_a_pair_that_is_far_from_all_others_is_named(folder, capsys):
    x, y = pairs()
    far = y.copy()
    far[17] *= 1000
    np.save("far.npy", far)
    argv = ("fit", "x.npy", "far.npy", "-o", "new.safetensors", "--overwrite")
    result = run(capsys, *argv)
    assert result["bad_rows"] == {"far.npy": {"far_out": 1}}
    assert f"far.npy has 1 of {len(x)} rows that lie more than ten times as far" in result["warnings"][-1]
    assert "first row 17" in result["warnings"][-1]
    assert "bad_rows" not in run(capsys, *argv[:2], "y.npy", *argv[3:])
