"""`align fit` is the solver, whatever the file, its precision and the memory allowed."""

import jax
import numpy as np
import pytest
from on_files import pairs, run, small_blocks
from safetensors.numpy import load_file

from align import solvers
from align.__main__ import main
from align.command import faults
from align.maps import AffineMap
from align.solvers.polish import Polished


@pytest.mark.parametrize("pair", [("x.npy", "y.npy"), ("pairs.npz:x", "pairs.npz:y"), ("pairs.safetensors:x", "y.npy")])
def test_fit_is_the_solver(folder, capsys, monkeypatch, pair):
    small_blocks(monkeypatch)
    result = run(capsys, "fit", *pair, "-o", "new.safetensors", "--solver", "rigid")
    written, expected = load_file("new.safetensors"), solvers.rigid(*pairs())
    np.testing.assert_allclose(written["weight"], expected.weight, atol=1e-6)
    np.testing.assert_allclose(written["bias"], expected.bias, atol=1e-6)
    assert result["family"] == "rotation and translation" and result["rows"] == 200


def test_fit_options_weights_anchors_and_holdout(folder, capsys):
    source, target = pairs()
    weights = np.zeros((200, 1), np.float32)
    weights[:50] = 1
    np.save("w.npy", weights)
    run(capsys, "fit", "x.npy", "y.npy", "-o", "w.safetensors", "--solver", "affine", "--weights", "w.npy")
    expected = solvers.affine(source[:50], target[:50])
    np.testing.assert_allclose(load_file("w.safetensors")["weight"], expected.weight, atol=1e-5)

    mirrored = source * np.float32([-1, 1, 1, 1, 1, 1])
    np.save("mirrored.npy", mirrored)
    options = ["--solver", "rigid", "--set", "reflection=false", "--anchors", "30", "--holdout", "0.25", "--seed", "3"]
    result = run(capsys, "fit", "mirrored.npy", "y.npy", "-o", "r.safetensors", *options)
    assert result["family"] == "rotation and translation" and result["determinant_sign"] == 1
    order = np.random.default_rng(3).permutation(200)
    expected = solvers.rigid(mirrored[order[50:80]], target[order[50:80]], reflection=False)
    np.testing.assert_allclose(load_file("r.safetensors")["weight"], expected.weight, atol=1e-5)
    held = result["held_out"]
    errors = np.linalg.norm(np.asarray(expected(mirrored[order[:50]])) - target[order[:50]])
    spread = np.linalg.norm(target[order[:50]] - target[order[:50]].mean(0))
    assert held["rows"] == 50
    np.testing.assert_allclose(held["relative_residual"], errors / spread, rtol=1e-4)
    assert run(capsys, "inspect", "r.safetensors")["held_out"] == held


@pytest.mark.parametrize("memory", ["0", "1"])
def test_copies_of_rows_held_out_are_not_fitted_wherever_they_lie(folder, capsys, monkeypatch, memory):
    small_blocks(monkeypatch, rows=32)
    x, y = np.random.default_rng(0).normal(size=(2, 60, 20)).astype(np.float32)
    np.save("twice.npy", np.tile(x, (2, 1))), np.save("y_twice.npy", np.tile(y, (2, 1)))
    options = ["--solver", "affine", "--holdout", "0.25", "--memory", memory]
    result = run(capsys, "fit", "twice.npy", "y_twice.npy", "-o", "twice.safetensors", *options)
    order = np.random.default_rng(0).permutation(120)
    assert result["rows"] == (~np.isin(order[30:] % 60, order[:30] % 60)).sum() == 90 - result["copies_of_held_out"]


@pytest.mark.parametrize("memory", ["0", "1"])
def test_copies_of_rows_held_out_are_not_fitted(folder, capsys, monkeypatch, memory):
    small_blocks(monkeypatch, rows=64)
    x = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    y = np.random.default_rng(1).normal(size=(60, 20)).astype(np.float32)
    np.save("twice.npy", x.repeat(2, 0)), np.save("y_twice.npy", y.repeat(2, 0))
    options = ["--solver", "affine", "--holdout", "0.25", "--memory", memory]
    result = run(capsys, "fit", "twice.npy", "y_twice.npy", "-o", "twice.safetensors", *options)
    order = np.random.default_rng(0).permutation(120)
    held, others = order[:30], order[30:]
    fitted = others[~np.isin(others // 2, held // 2)]
    assert result["rows"] == len(fitted) == 90 - result["copies_of_held_out"] < 80
    expected = solvers.affine(x[np.sort(fitted) // 2], y[np.sort(fitted) // 2])
    np.testing.assert_allclose(load_file("twice.safetensors")["weight"], expected.weight, atol=1e-4)
    assert "no better than the mean" in result["warnings"][0]
    y[:] = y[:1]  # a side of few values is no copy of a pair
    np.save("y_twice.npy", y.repeat(2, 0) + np.arange(120)[:, None] % 2)
    assert "copies_of_held_out" not in run(
        capsys, "fit", "twice.npy", "y_twice.npy", "-o", "other.safetensors", *options
    )


def test_copies_leave_as_little_to_judge_by_as_the_pairs_themselves(folder, capsys):
    x, y = np.random.default_rng(0).normal(size=(2, 20, 30)).astype(np.float32)
    for name, copies in (("once", 1), ("thrice", 3)):
        np.save("a.npy", np.tile(x, (copies, 1))), np.save("b.npy", np.tile(y, (copies, 1)))
        result = run(capsys, "fit", "a.npy", "b.npy", "-o", f"{name}.safetensors", "--solver", "affine")
        assert result["warnings"][0].startswith("20 pairs leave nothing to judge a map of rank 19 by")


@pytest.mark.parametrize("solver", ["rigid", "similarity", "affine", "ridge"])
def test_streamed_fit_is_the_solver(folder, capsys, monkeypatch, solver):
    small_blocks(monkeypatch, rows=64)
    weights = np.random.default_rng(2).uniform(0.5, 2, (200, 1)).astype(np.float32)
    np.save("w.npy", weights)
    options = ["--set", "towards=zero", "--set", "strengths=[3.0]"] if solver == "ridge" else []
    chosen = ["--solver", solver, "--weights", "w.npy", "--anchors", "150", "--seed", "1", *options]
    results = [
        run(capsys, "fit", "x.npy", "y.npy", "-o", f"{memory}.safetensors", "--memory", memory, *chosen)
        for memory in ("0", "1")
    ]
    streamed, held = (load_file(f"{memory}.safetensors") for memory in ("0", "1"))
    assert streamed["weight"].dtype == np.float32
    np.testing.assert_allclose(streamed["weight"], held["weight"], atol=2e-5)
    np.testing.assert_allclose(streamed["bias"], held["bias"], atol=1e-4)
    assert results[0]["rows"] == results[1]["rows"] == 150
    assert results[0]["fit_residual"] == pytest.approx(results[1]["fit_residual"], rel=1e-3)


def test_what_does_not_stream_says_so(folder, capsys):
    argv = ["fit", "x.npy", "y.npy", "-o", "new.safetensors", "--solver", "scaling", "--memory", "0", "--quiet"]
    assert main(argv) == 2
    assert "scaling needs them at once: allow more, choose --anchors, or one of orthogonal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("memory", "estimate", "chosen_by"), [("1", "leave_one_out", "leave-one-out"), ("0", "generalised", "streamed")]
)
def test_ridge_says_what_it_chose_and_how(folder, capsys, memory, estimate, chosen_by):
    result = run(capsys, "fit", "x.npy", "y.npy", "-o", "new.safetensors", "--solver", "ridge", "--memory", memory)
    assert 0 < result[estimate] < 0.05 and result["degrees_of_freedom"] > 1
    assert chosen_by in result["chosen_by"] and {"leave_one_out", "generalised"} - result.keys() != set()
    kept = run(capsys, "inspect", "new.safetensors")
    assert [kept[name] for name in (estimate, "towards", "chosen_by")] == [
        result[name] for name in (estimate, "towards", "chosen_by")
    ]


def test_fit_from_labels_alone(folder, capsys):
    source, target = pairs()
    classes = np.argsort(np.argsort(source[:, 0])) // 25  # the target's rows come in another order
    order = np.random.default_rng(4).permutation(200)
    np.save("classes.npy", classes)
    np.save("others.npy", target[order])
    np.save("other_classes.npy", classes[order, None])
    labels = ["--source-labels", "classes.npy", "--target-labels", "other_classes.npy"]
    argv = ["fit", "x.npy", "others.npy", *labels, "--solver"]
    result = run(capsys, *argv, "class_means", "--set", "step=affine", "-o", "means.safetensors")
    expected = solvers.class_means(source, classes, target[order], classes[order], step="affine")
    np.testing.assert_allclose(load_file("means.safetensors")["weight"], expected.weight, atol=1e-5)
    assert result["source_rows"] == result["target_rows"] == 200 and result["options"] == {"step": "affine"}
    run(capsys, *argv, "icp", "--set", "iterations=2", "--seed", "3", "-o", "icp.safetensors")
    known = {"source_labels": classes, "target_labels": classes[order]}
    expected = solvers.icp(jax.random.key(3), source, target[order], iterations=2, **known)
    np.testing.assert_allclose(load_file("icp.safetensors")["weight"], expected.weight, atol=1e-5)
    restless = run(capsys, *argv, "icp", "--set", "iterations=1", "-o", "once.safetensors")
    assert restless["warnings"] == ["the map had not come to rest after 1 iterations"]
    assert main([*argv, "icp", "--set", "iterations=1", "-o", "strictly.safetensors", "--strict"]) == 3


def test_rows_that_are_far_out_are_counted(folder, capsys):
    source, _ = pairs()
    classes = np.argsort(source[:, 0]) // 25
    np.save("classes.npy", classes)
    source[7] *= 1e4
    np.save("far.npy", source)
    labels = ["--source-labels", "classes.npy", "--target-labels", "classes.npy", "--set", "iterations=1"]
    result = run(capsys, "fit", "far.npy", "y.npy", *labels, "--solver", "labels", "-o", "few.safetensors")
    assert result["bad_rows"] == {"far.npy": {"far_out": 1}}


def test_labels_that_find_no_matches_say_so():
    found = Polished(np.full(5, np.nan), np.array(0))
    told = faults.restless(AffineMap(np.eye(2), np.zeros(2), converged=np.array(False), details=found))
    assert told.startswith("the rows that come nearest are no matches to learn from")


def test_float64_files_are_fitted_in_float64(folder, capsys):
    source = pairs()[0].astype(np.float64)
    weight = np.random.default_rng(1).normal(size=(6, 6))
    np.savez("wide.npz", x=source, y=source @ weight)
    run(capsys, "fit", "wide.npz:x", "wide.npz:y", "-o", "wide.safetensors", "--solver", "linear")
    np.testing.assert_allclose(load_file("wide.safetensors")["weight"], weight, atol=1e-12)
