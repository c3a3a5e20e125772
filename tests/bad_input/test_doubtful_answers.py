"""The command `align`, given what can be computed but means little: it says so, and exits with 3 where asked to."""

import dataclasses
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from align import files, solvers
from align.__main__ import main
from align.command import faults
from align.maps import AffineMap

FIT = ("fit", "x.npy", "y.npy", "-o", "new.safetensors")
# Those that come near a rotation and a shift, by which the pairs below are related.
PAIRED = ("orthogonal", "rigid", "similarity", "scaling", "linear", "affine", "ridge")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with pairs, the target's rows shuffled, and rows of other kinds."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 6)) + 2
    y = x @ np.linalg.qr(random.normal(size=(6, 6)))[0] + 0.1 * random.normal(size=(200, 6))
    holes = x.copy()
    holes[3], holes[5], holes[9] = 0, np.nan, holes[8]
    arrays = {"x": x, "y": y, "shuffled": random.permutation(y), "holes": holes, "constant": np.ones_like(y)}
    arrays |= {"tenths": np.full_like(y, 0.1), "one_x": x[:1], "one_y": y[:1]}
    arrays |= {"elsewhere": x - 4, "larger": 10 * x, "few": x[:10] - 5, "more": x[::-1] + 0.1}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array.astype(np.float32))
    solvers.rigid(x.astype(np.float32), y.astype(np.float32)).save("map.safetensors")
    return tmp_path


def run(capsys, *argv, code=0):
    """Return the JSON that a command prints, nothing in it beyond JSON, and what it says on standard error."""
    assert main([*argv, "--json", "--quiet"]) == code
    out, err = capsys.readouterr()

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(out, parse_constant=refuse), err


def align_in_a_process(environment, *argv):
    return subprocess.run([sys.executable, "-m", "align", *argv], env=environment, capture_output=True, text=True)


# Rows that are no embeddings


def test_bad_rows_are_named_and_left_out_on_request(folder, capsys):
    assert main(["fit", "holes.npy", "y.npy", "-o", "new.safetensors", "--quiet"]) == 2
    assert "holes.npy holds NaN or infinity, first in row 5; --skip-bad-rows leaves" in capsys.readouterr().err
    argv = ("fit", "holes.npy", "y.npy", "-o", "new.safetensors", "--solver", "affine", "--skip-bad-rows")
    result, _ = run(capsys, *argv)
    assert result["rows"] == 198 and result["bad_rows"] == {"holes.npy": {"zero": 1, "not_finite": 1, "duplicate": 1}}
    sound = np.delete(np.arange(200), [3, 5])
    expected = solvers.affine(np.load("holes.npy")[sound], np.load("y.npy")[sound])
    np.testing.assert_allclose(load_file("new.safetensors")["weight"], expected.weight, atol=1e-6)


def test_weights_that_are_not_finite_are_counted(folder, capsys):
    weights = np.ones(200, np.float32)
    weights[:3] = np.nan, 0, 0
    np.save("w.npy", weights)
    result, _ = run(capsys, *FIT, "--weights", "w.npy", "--skip-bad-rows")
    assert result["rows"] == 197 and result["bad_rows"] == {"w.npy": {"zero": 0, "not_finite": 1, "duplicate": 0}}


def test_zero_rows_of_one_dimension_are_no_weights(folder):
    np.save("thin.npy", np.float32([[0], [1], [np.nan], [2]]))
    thin, arguments = files.open_rows("thin.npy"), SimpleNamespace(skip_bad_rows=True, quiet=True)
    sound, bad = faults.usable(arguments, thin)
    assert sound.tolist() == [False, True, False, True] and bad["thin.npy"]["zero"] == 1
    sound, bad = faults.usable(arguments, files.open_rows("few.npy")._replace(shape=(4, 6)), weights=[thin])
    assert sound.tolist() == [True, True, False, True] and bad["thin.npy"]["zero"] == 0


def test_bad_rows_of_clouds_are_left_out_with_their_labels(folder, capsys):
    labels = np.arange(200) % 4
    np.save("labels.npy", labels)
    files = ["holes.npy", "y.npy", "--source-labels", "labels.npy", "--target-labels", "labels.npy"]
    fit = ["fit", *files, "-o", "new.safetensors", "--solver", "class_means"]
    assert main([*fit, "--quiet"]) == 2
    assert "holes.npy holds NaN or infinity, first in row 5; --skip-bad-rows leaves" in capsys.readouterr().err
    result, _ = run(capsys, *fit, "--skip-bad-rows")
    assert result["source_rows"] == 198 and result["target_rows"] == 200
    assert result["bad_rows"] == {"holes.npy": {"zero": 1, "not_finite": 1, "duplicate": 1}}
    sound = np.delete(np.arange(200), [3, 5])
    expected = solvers.class_means(np.load("holes.npy")[sound], labels[sound], np.load("y.npy"), labels)
    np.testing.assert_allclose(load_file("new.safetensors")["weight"], expected.weight, atol=1e-6)
    kept, _ = run(capsys, "inspect", "new.safetensors")
    assert kept["source_rows"] == 198 and kept["options"] == {}


def test_bad_rows_do_not_spoil_a_score(folder, capsys):
    sound, _ = run(capsys, "score", "map.safetensors", "x.npy", "y.npy")
    result, _ = run(capsys, "score", "map.safetensors", "holes.npy", "y.npy", "--skip-bad-rows")
    assert result["rows"] == 198 and result["top_10"] > 0.95 * sound["top_10"]
    y = np.load("y.npy")
    y[7] = 0
    np.save("hole.npy", y)
    result, err = run(capsys, "score", "map.safetensors", "x.npy", "hole.npy")
    assert result["bad_rows"] == {"hole.npy": {"zero": 1, "not_finite": 0, "duplicate": 0}} and err == ""
    assert result["top_1"] >= sound["top_1"] - 2 / 200 and result["mean_cosine"] > 0.99 * sound["mean_cosine"]


# Rows that do not correspond


@pytest.mark.parametrize("memory", ["1", "0"])
@pytest.mark.parametrize("solver", PAIRED)
def test_shuffled_rows_do_no_better_than_the_mean(folder, capsys, solver, memory):
    if memory == "0" and not solvers.SOLVERS[solver].streams:
        memory = "0.5"
    argv = ("fit", "x.npy", "shuffled.npy", "-o", "new.safetensors", "--solver", solver, "--memory", memory)
    result, err = run(capsys, *argv)
    if solver in ("linear", "orthogonal"):  # through the origin these do worse than the mean, or as well by the offset
        assert result["fit_residual"] > 0.95
    assert "no better than the mean: residual" in err and "in correspondence?" in err
    run(capsys, *argv, "--strict", "--force", code=3)
    assert (folder / "new.safetensors").is_file()
    result, err = run(capsys, *argv[:2], "y.npy", *argv[3:], "--strict", "--force", code=0)
    assert "warnings" not in result and err == ""


def test_held_out_and_scored_rows_that_do_not_correspond(folder, capsys):
    result, err = run(capsys, "fit", "x.npy", "shuffled.npy", "-o", "new.safetensors", "--holdout", "0.5")
    assert "on 100 rows" in err and "the rows look unrelated" in err
    result, err = run(capsys, "score", "map.safetensors", "x.npy", "shuffled.npy")
    assert result["relative_residual"] > 1 and "no better than the mean" in err and "look unrelated" in err
    run(capsys, "score", "map.safetensors", "x.npy", "shuffled.npy", "--strict", code=3)
    run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--strict", code=0)


@pytest.mark.parametrize("memory", ["1", "0"])
@pytest.mark.parametrize("solver", ["rigid", "affine", "ridge"])
def test_a_target_that_does_not_vary(folder, capsys, solver, memory):
    argv = ("fit", "x.npy", "tenths.npy", "-o", "new.safetensors", "--solver", solver, "--memory", memory)
    _, err = run(capsys, *argv)
    words = "a constant does as well as any map: the target is the same in all {} rows"
    assert words.format(200) in err and "residual" not in err
    run(capsys, *argv, "--strict", "--force", code=3)
    _, err = run(capsys, *argv, "--holdout", "0.25", "--strict", "--force", code=3)
    assert words.format(150) in err
    _, err = run(capsys, "score", "map.safetensors", "x.npy", "constant.npy", "--strict", code=3)
    assert words.format(200) in err


@pytest.mark.parametrize("solver", ["rigid", "affine", "scaling"])
def test_a_fit_on_one_row(folder, capsys, solver):
    argv = ("fit", "one_x.npy", "one_y.npy", "-o", "new.safetensors", "--solver", solver, "--strict")
    assert "a constant does as well as any map: there is one row" in run(capsys, *argv, code=3)[1]


def test_a_fit_of_rank_0(folder, capsys):
    argv = ("fit", "constant.npy", "y.npy", "-o", "new.safetensors", "--strict")
    for more in ((), ("--force", "--solver", "affine")):
        result, err = run(capsys, *argv, *more, code=3)
        assert result["fit_rank"] == 0 and "a constant does as well as the map: the fit has rank 0" in err
    np.save("weights.npy", (np.arange(200) == 7).astype(np.float32))
    known = ("--solver", "affine", "--weights", "weights.npy", "--strict", "--force")
    result, err = run(capsys, *FIT, *known, code=3)
    assert result["fit_rank"] == 0 and result["rows"] == 1 and "there is one row" in err


@pytest.fixture
def unrelated(tmp_path, monkeypatch):
    """A working directory with rows that have nothing to do with each other, and the first few of them."""
    monkeypatch.chdir(tmp_path)
    for name, side in zip("xy", np.random.default_rng(0).normal(size=(2, 2000, 100)).astype(np.float32), strict=True):
        np.save(f"{name}.npy", side)
        np.save(f"few_{name}.npy", side[:200])


@pytest.mark.parametrize("memory", ["1", "0"])
@pytest.mark.parametrize("others", [0, 1e-9])
def test_rows_that_hardly_count_do_not_pass_for_evidence(unrelated, capsys, memory, others):
    few = run(capsys, "fit", "few_x.npy", "few_y.npy", "-o", "few.safetensors", "--strict", code=3)[1]
    np.save("w.npy", np.where(np.arange(2000) < 200, 3, others).astype(np.float32))
    argv = (*FIT, "--weights", "w.npy", "--memory", memory)
    result, err = run(capsys, *argv, "--strict", code=3)
    assert result["rows"] == (2000 if others else 200)
    assert err == few.replace("on 200 rows", f"on {result['rows']} rows")
    if not others:
        result, _ = run(capsys, *argv, "--force", "--holdout", "0.25")
        assert result["held_out"]["rows"] == 50 and result["rows"] == 150


def test_weights_that_count_nothing(unrelated, capsys):
    np.save("w.npy", np.zeros(2000, np.float32))
    assert main([*FIT, "--weights", "w.npy", "--quiet"]) == 2
    assert "w.npy: every weight is 0" in capsys.readouterr().err


def test_as_many_rows_as_weights_say():
    np.testing.assert_allclose(faults.effective(np.full(7, 1e-30)), 7)
    np.testing.assert_allclose(faults.effective(np.array([1e300, 1e300, 0, 1e290])), 2)
    np.testing.assert_allclose(faults.effective(np.array([1, 2, 1])), 16 / 6)


def test_clouds_whose_target_does_not_vary(folder, capsys):
    np.save("labels.npy", np.arange(200) % 4)
    labels = ("--source-labels", "labels.npy", "--target-labels", "labels.npy")
    argv = ("fit", "x.npy", "constant.npy", "-o", "new.safetensors", "--solver", "labels", *labels)
    assert "the target is the same in all 200 rows" in run(capsys, *argv, "--strict", code=3)[1]


def test_a_residual_is_corrected_by_as_much_as_a_solver_fits():
    fitted = dataclasses.replace(AffineMap.identity(36), rank=36, residual=0.8)
    freedom = {"affine": 36, "reduced_rank": 36, "rigid": 18, "similarity": 18, "orthogonal": 18, "scaling": 1}
    for solver, numbers in freedom.items():
        corrected = faults.corrected_residual(fitted, 101, solvers.SOLVERS[solver])
        np.testing.assert_allclose(corrected, 0.8 / (1 - numbers / 100) ** 0.5)
    # What was left out says it better, where enough was.
    for left_out, expected in ((0.9, 0.9), (np.nan, 1.0)):
        chosen = dataclasses.replace(fitted, details=SimpleNamespace(leave_one_out=left_out))
        corrected = faults.corrected_residual(chosen, 101, solvers.SOLVERS["affine"])
        np.testing.assert_allclose(corrected, expected)


# Codes of another space


@pytest.mark.parametrize(
    ("name", "words"),
    [("elsewhere", "4.24 times as far from the mean"), ("larger", "20.8 times as far from"), ("x", ""), ("more", "")],
)
@pytest.mark.parametrize("memory", ["1", "0"])
def test_codes_that_a_map_was_not_fitted_for(folder, capsys, name, words, memory):
    run(capsys, *FIT, "--memory", memory)
    argv = ("apply", "new.safetensors", f"{name}.npy", "-o", "z.npy")
    assert main([*argv, "--quiet"]) == (2 if words else 0)
    err = capsys.readouterr().err
    assert (words in err and "does not hold codes of the map's source space" in err) if words else err == ""
    assert (folder / "z.npy").is_file() == (not words)
    assert words in run(capsys, *argv, "--force")[1]
    run(capsys, *argv, "--force", "--strict", code=3 if words else 0)


def test_too_few_codes_to_tell(folder, capsys):
    run(capsys, *FIT)
    assert run(capsys, "apply", "new.safetensors", "few.npy", "-o", "z.npy")[1] == ""


# Output that is what it says


def test_what_is_no_number_is_null_with_a_reason(folder, capsys):
    result, _ = run(capsys, "score", "map.safetensors", "x.npy", "constant.npy")
    assert result["relative_residual"] is None and "not a number" in result["undefined"]["relative_residual"]
    assert result["unmapped"]["linear_cka"] is None and "unmapped.linear_cka" in result["undefined"]


def test_a_terminal_that_shows_ascii_alone(folder, environment):
    np.save("数据.npy", np.load("x.npy"))
    ascii_alone = environment | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    for argv in (("--help",), ("fit", "--help"), ("apply", "map.safetensors", "数据.npy", "-o", "ü.npy", "--quiet")):
        done = align_in_a_process(ascii_alone, *argv)
        assert done.returncode == 0 and done.stdout.isascii(), done.stderr
    assert (folder / "ü.npy").is_file()


def test_a_device_that_is_not_there(folder, environment):
    done = align_in_a_process(environment | {"JAX_PLATFORMS": "cuda"}, *FIT)
    assert done.returncode == 2 and not (folder / "new.safetensors").exists()
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("align fit: error: JAX finds no device") and "JAX_PLATFORMS is 'cuda'" in last
    assert "Traceback" not in done.stderr


# Files


def test_numbers_without_a_header(folder, capsys):
    (folder / "raw.npy").write_bytes(np.load("x.npy").tobytes())
    assert main(["fit", "raw.npy", "y.npy", "-o", "new.safetensors", "--quiet"]) == 2
    err = capsys.readouterr().err
    assert "raw.npy is not a readable .npy file: it does not begin as one does" in err and "pickle" not in err


def test_weights_in_their_natural_shape(folder, capsys):
    weights = np.arange(200, dtype=np.float32)
    np.save("w.npy", weights)
    run(capsys, *FIT, "--solver", "affine", "--weights", "w.npy")
    expected = solvers.affine(np.load("x.npy"), np.load("y.npy"), weights=weights)
    np.testing.assert_allclose(load_file("new.safetensors")["weight"], expected.weight, atol=1e-5)
