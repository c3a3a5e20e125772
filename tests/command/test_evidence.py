"""What files cannot bear out is said: a map that any pairs would be given, and a corpus that does not correspond."""

import dataclasses
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
