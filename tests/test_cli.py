"""The command `align` on real files: round trips, what it refuses, and what an interruption leaves behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from align import files, solvers
from align.__main__ import main
from align.command import blocks

ROOT = Path(__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


def pairs(n=200, d=6, seed=0):
    random = np.random.default_rng(seed)
    source = random.normal(size=(n, d)).astype(np.float32)
    turn = np.linalg.qr(random.normal(size=(d, d)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return source, (source @ turn + 3 + 0.01 * random.normal(size=(n, d))).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the same pairs in each format, and a fitted map."""
    monkeypatch.chdir(tmp_path)
    source, target = pairs()
    np.save("x.npy", source)
    np.save("y.npy", target)
    np.savez("pairs.npz", x=source, y=target)
    save_file({"x": source, "y": target}, "pairs.safetensors")
    solvers.rigid(source, target).save("map.safetensors", metadata={"solver": "rigid"})
    return tmp_path


def run(capsys, *argv):
    """Return the JSON that a command prints, after it succeeds."""
    code = main([*argv, "--json", "--quiet"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def small_blocks(monkeypatch, rows=7, d=6):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", rows * d * 4)


# What it does


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
        str(result[name]) for name in (estimate, "towards", "chosen_by")
    ]


def test_fit_from_labels_alone(folder, capsys):
    source, target = pairs()
    classes = np.argsort(source[:, 0]) // 25  # the target's rows come in another order
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


@pytest.mark.parametrize("output", ["z.npy", "z.npz", "z.safetensors", "z.npz:mapped", "z.safetensors:mapped"])
def test_apply_by_blocks_equals_at_once(folder, capsys, monkeypatch, output):
    small_blocks(monkeypatch)
    result = run(capsys, "apply", "map.safetensors", "x.npy", "-o", output)
    assert result == {"output": output, "rows": 200, "dimensions": 6, "dtype": "float32"}
    path, _, key = output.partition(":")
    read = {".npy": lambda p: {"array": np.load(p)}, ".npz": np.load, ".safetensors": load_file}[Path(path).suffix](
        path
    )
    np.testing.assert_allclose(read[key or "array"], solvers.rigid(*pairs())(pairs()[0]), atol=1e-5)
    assert files.open_rows(path).shape == (200, 6)


def test_apply_inverse_and_dtypes(folder, capsys):
    source, target = pairs()
    run(capsys, "apply", "map.safetensors", "y.npy", "-o", "back.npy", "--inverse")
    np.testing.assert_allclose(np.load("back.npy"), source, atol=0.06)
    for dtype in ("float16", "float64"):
        run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.npy", "--dtype", dtype, "--force")
        assert np.load("z.npy").dtype == dtype
    np.save("wide.npy", source.astype(np.float64))
    assert run(capsys, "apply", "map.safetensors", "wide.npy", "-o", "z64.npy")["dtype"] == "float64"
    save_file({"x": source.astype(ml_dtypes.bfloat16)}, "half.safetensors")
    assert run(capsys, "apply", "map.safetensors", "half.safetensors", "-o", "zb.npy")["dtype"] == "float32"
    np.testing.assert_allclose(np.load("zb.npy"), target, atol=0.1)
    assert not jax.config.jax_enable_x64  # the switch is undone


def test_float64_files_are_fitted_in_float64(folder, capsys):
    source = pairs()[0].astype(np.float64)
    weight = np.random.default_rng(1).normal(size=(6, 6))
    np.savez("wide.npz", x=source, y=source @ weight)
    run(capsys, "fit", "wide.npz:x", "wide.npz:y", "-o", "wide.safetensors", "--solver", "linear")
    np.testing.assert_allclose(load_file("wide.safetensors")["weight"], weight, atol=1e-12)


@pytest.mark.parametrize("change", [">f4", "fortran", "int16"])
def test_layouts_of_npy(folder, capsys, change):
    source = np.round(10 * pairs()[0])
    np.save("plain.npy", source)
    np.save("other.npy", np.asfortranarray(source) if change == "fortran" else source.astype(change))
    for name in ("plain", "other"):
        run(capsys, "apply", "map.safetensors", f"{name}.npy", "-o", f"mapped_{name}.npy")
    np.testing.assert_allclose(np.load("mapped_other.npy"), np.load("mapped_plain.npy"), rtol=1e-6)


def test_memory_is_bounded_by_the_block(folder, capsys, monkeypatch):
    small_blocks(monkeypatch, rows=16)
    widest = []

    def recorded(name, open_rows=files.open_rows):
        rows = open_rows(name)
        return rows._replace(read=lambda start, stop: (widest.append(stop - start), rows.read(start, stop))[1])

    monkeypatch.setattr(files, "open_rows", recorded)
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "z.npy")
    run(capsys, "score", "map.safetensors", "x.npy", "y.npy")
    assert max(widest) == 16 and len(widest) > 30


def test_progress_is_shown_beside_the_output(folder, capsys, monkeypatch):
    small_blocks(monkeypatch, rows=16)
    assert main(["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"] == 200 and "200 of 200 rows" in err


def test_score(folder, capsys, monkeypatch):
    source, _ = pairs(seed=1)
    np.save("x.npy", source + 1)
    np.save("y.npy", np.asarray(solvers.rigid(*pairs())(source + 1)) + np.float32([0.5, 0, 0, 0, 0, 0]))
    whole = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--metric", "euclidean")
    spread = np.load("y.npy").astype(np.float64)
    expected = 0.5 * 200**0.5 / np.linalg.norm(spread - spread.mean(0))
    np.testing.assert_allclose(whole["relative_residual"], expected, rtol=1e-5)
    np.testing.assert_allclose(whole["r_squared"], 1 - expected**2, rtol=1e-5)
    assert whole["top_10"] > 0.9 > 0.3 > whole["unmapped"]["top_10"]
    assert whole["linear_cka"] == pytest.approx(1, abs=1e-4)
    small_blocks(monkeypatch)
    again = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--metric", "euclidean")
    for one, other in ((again.pop("unmapped"), whole.pop("unmapped")), (again, whole)):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)
    sampled = run(capsys, "score", "map.safetensors", "x.npy", "y.npy", "--sample", "40")
    assert sampled["rows"] == 200 and sampled["sample"] == 40


def test_score_between_unequal_dimensions(folder, capsys):
    np.save("narrow.npy", pairs()[1][:, :4])
    run(capsys, "fit", "x.npy", "narrow.npy", "-o", "narrow.safetensors")
    scores = run(capsys, "score", "narrow.safetensors", "x.npy", "narrow.npy")
    assert scores["top_1"] > 0.9 and list(scores["unmapped"]) == ["linear_cka"]


FAMILIES = {
    "identity": np.eye(3),
    "rotation": np.roll(np.eye(3), 1, 0),
    "reflection": np.diag([1, 1, -1]),
    "rotation, scaled": 2 * np.roll(np.eye(3), 1, 0),
    "scale per axis": np.diag([1, 2, 3]),
    "isometric embedding": np.eye(3)[:2],
    "orthogonal projection": np.eye(3)[:, :2],
    "linear": np.arange(9).reshape(3, 3) + np.eye(3),
    "linear of rank 1": np.ones((3, 3)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_inspect_names_the_family(folder, capsys, family):
    weight = np.float32(FAMILIES[family])
    solvers.AffineMap(weight, np.zeros(weight.shape[1], np.float32)).save("some.safetensors")
    assert run(capsys, "inspect", "some.safetensors")["family"] == family
    solvers.AffineMap(weight, np.ones(weight.shape[1], np.float32)).save("some.safetensors")
    assert run(capsys, "inspect", "some.safetensors")["family"] == f"{family} and translation"


def test_inspect_of_a_constant_map(folder, capsys):
    solvers.AffineMap(np.zeros((3, 2), np.float32), np.ones(2, np.float32)).save("some.safetensors")
    described = run(capsys, "inspect", "some.safetensors")
    assert described["family"] == "constant" and described["weight_rank"] == 0 and described["uneven"] is None


def test_tables_for_people(folder, capsys):
    assert main(["inspect", "map.safetensors"]) == 0
    out, _ = capsys.readouterr()
    assert "rotation and translation" in out and max(map(len, out.splitlines())) <= 100
    assert main(["score", "map.safetensors", "x.npy", "y.npy"]) == 0
    assert "without a map" in capsys.readouterr()[0]


# What it refuses


def test_help_imports_no_jax():
    code = "import sys, align.__main__ as a\ntry: a.main(['fit', '--help'])\nfinally: assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "--solver" in done.stdout


FIT = ["fit", "x.npy", "y.npy", "-o", "new.safetensors"]
BAD = [
    (["fit", "no.npy", "y.npy", "-o", "n.safetensors"], "no.npy: no such file"),
    (
        ["fit", "x.csv", "y.npy", "-o", "n.safetensors"],
        "x.csv: expected a file that ends in .npy, .npz or .safetensors",
    ),
    (["fit", "short.npy", "y.npy", "-o", "n.safetensors"], "short.npy has 9 rows and y.npy 200"),
    (["fit", "flat.npy", "y.npy", "-o", "n.safetensors"], "flat.npy has shape [200]; expected rows and dimensions"),
    (["fit", "empty.npy", "y.npy", "-o", "n.safetensors"], "empty.npy has shape [0, 6]"),
    (["fit", "text.npy", "y.npy", "-o", "n.safetensors"], "text.npy has dtype <U3; expected real numbers"),
    (["fit", "complex.npy", "y.npy", "-o", "n.safetensors"], "complex.npy has dtype complex64"),
    (["fit", "pickled.npy", "y.npy", "-o", "n.safetensors"], "pickled.npy is not a readable .npy file"),
    (["fit", "cut.npy", "y.npy", "-o", "n.safetensors"], "cut.npy is not a readable .npy file"),
    (["fit", "nothing.npy", "y.npy", "-o", "n.safetensors"], "nothing.npy is not a readable .npy file"),
    (["fit", "cut.npz", "y.npy", "-o", "n.safetensors"], "cut.npz is not a readable .npz file"),
    (["fit", "cut.safetensors", "y.npy", "-o", "n.safetensors"], "cut.safetensors is not a readable .safetensors file"),
    (["fit", "pairs.npz", "y.npy", "-o", "n.safetensors"], "pairs.npz holds x, y: name one of them as pairs.npz:KEY"),
    (
        ["fit", "pairs.npz:q", "y.npy", "-o", "n.safetensors"],
        "pairs.npz holds x, y: there is no 'q'; write pairs.npz:KEY",
    ),
    (["fit", "pairs.safetensors:q", "y.npy", "-o", "n.safetensors"], "pairs.safetensors holds x, y: there is no 'q'"),
    (["fit", "nan.npy", "y.npy", "-o", "n.safetensors"], "nan.npy holds NaN or infinity, first in row 17"),
    (["fit", "x.npy", "inf.npy", "-o", "n.safetensors"], "inf.npy holds NaN or infinity, first in row 19"),
    ([*FIT, "--solver", "magic"], "unknown solver 'magic'; expected one of affine, "),
    ([*FIT, "--solver", "AffineMap"], "unknown solver 'AffineMap'"),
    ([*FIT, "--solver", "rigid", "--set", "reflexion=1"], "--set reflexion=1: rigid takes reflection"),
    ([*FIT, "--solver", "rigid", "--set", "reflection"], "--set reflection: rigid takes reflection, as NAME=VALUE"),
    ([*FIT, "--solver", "reduced_rank"], "reduced_rank needs --set rank=VALUE"),
    (
        [*FIT, "--solver", "reduced_rank", "--set", "rank=many"],
        "rank must be 1 to 6 for source (200, 6) and target (200, 6); it is 'many'",
    ),
    ([*FIT, "--anchors", "201"], "--anchors 201 of 200 rows, of which 0 are held out"),
    ([*FIT, "--anchors", "150", "--holdout", "0.5"], "--anchors 150 of 200 rows, of which 100 are held out"),
    ([*FIT, "--holdout", "0.01"], "--holdout 0.01 of 200 rows leaves 2 to score on"),
    (["fit", "x.npy", "y.npy", "-o", "map.safetensors"], "map.safetensors exists; --force replaces it"),
    (["fit", "x.npy", "y.npy", "-o", "map.npy"], "map.npy: expected a file that ends in .safetensors"),
    (["fit", "x.npy", "y.npy", "-o", "no/map.safetensors"], "no: no such folder for the output"),
    (["fit", "x.npy", "narrow.npy", "-o", "n.safetensors", "--solver", "rigid"], "more dimensions than target"),
    (["apply", "no.safetensors", "x.npy", "-o", "z.npy"], "no.safetensors: no such file"),
    (["apply", "x.npy", "x.npy", "-o", "z.npy"], "x.npy is not a readable safetensors file"),
    (["apply", "pairs.safetensors", "x.npy", "-o", "z.npy"], "not a map written by AffineMap.save"),
    (["apply", "cut.safetensors", "x.npy", "-o", "z.npy"], "cut.safetensors is not a readable safetensors file"),
    (["apply", "nan.safetensors", "x.npy", "-o", "z.npy"], "nan.safetensors holds a map with NaN or infinity"),
    (
        ["apply", "batch.safetensors", "x.npy", "-o", "z.npy"],
        "batch.safetensors holds (2,) maps; expected a single one",
    ),
    (["apply", "map.safetensors", "narrow.npy", "-o", "z.npy"], "narrow.npy has 4 dimensions; map.safetensors takes 6"),
    (["apply", "map.safetensors", "nan.npy", "-o", "z.npy"], "nan.npy holds NaN or infinity, first in row 17"),
    (["apply", "map.safetensors", "big.npy", "-o", "z.npy", "--dtype", "float16"], "outside the range of float16"),
    (["apply", "map.safetensors", "x.npy", "-o", "y.npy"], "y.npy exists; --force replaces it"),
    (["apply", "map.safetensors", "x.npy", "-o", "dir.npy"], "dir.npy is a folder"),
    (["apply", "map.safetensors", "x.npy", "-o", "z.txt"], "z.txt: expected a file that ends in"),
    (["score", "map.safetensors", "x.npy", "narrow.npy"], "map.safetensors maps to 6 dimensions; narrow.npy has 4"),
    (["score", "map.safetensors", "narrow.npy", "y.npy"], "narrow.npy has 4 dimensions; map.safetensors takes 6"),
    (["score", "map.safetensors", "three.npy", "three.npy"], "three.npy has 3 rows; expected at least 4"),
    (["inspect", "no.safetensors"], "no.safetensors: no such file"),
]


@pytest.mark.parametrize(("argv", "message"), BAD, ids=[" ".join(argv) for argv, _ in BAD])
def test_mistakes_are_one_line_and_exit_code_2(folder, capsys, argv, message):
    source, target = pairs()
    np.save("short.npy", source[:9])
    np.save("three.npy", source[:3])
    np.save("flat.npy", source[:, 0])
    np.save("narrow.npy", target[:, :4])
    np.save("empty.npy", source[:0])
    np.save("big.npy", 1e6 * source)
    np.save("text.npy", np.full((200, 6), "abc"))
    np.save("complex.npy", source.astype(np.complex64))
    np.save("pickled.npy", source.astype(object), allow_pickle=True)
    for name, row, value in (("nan", 17, np.nan), ("inf", 19, np.inf)):
        broken = source.copy()
        broken[row, 2] = value
        np.save(f"{name}.npy", broken)
    Path("nothing.npy").touch()
    for name in ("x.npy", "pairs.npz", "pairs.safetensors"):
        whole = Path(name).read_bytes()
        Path("cut").with_suffix(Path(name).suffix).write_bytes(whole[: len(whole) // 2])
    weight = np.eye(6, dtype=np.float32)
    solvers.AffineMap(weight * np.nan, weight[0]).save("nan.safetensors")
    solvers.AffineMap(np.stack([weight, weight]), weight[:2]).save("batch.safetensors")
    Path("dir.npy").mkdir()
    before = {path: path.is_dir() or path.read_bytes() for path in folder.iterdir()}

    assert main([*argv, "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and not out
    assert {path: path.is_dir() or path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "required"),
        (["melt"], "invalid choice"),
        (["fit", "x.npy"], "required"),
        ([*FIT, "--anchors", "-3"], "'-3' is not a positive integer"),
        ([*FIT, "--holdout", "1.5"], "'1.5' is not a share from 0 to 1"),
        (["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--dtype", "int8"], "invalid choice"),
    ],
)
def test_mistakes_of_syntax(folder, capsys, argv, message):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


def test_force_replaces(folder, capsys):
    run(capsys, "apply", "map.safetensors", "x.npy", "-o", "x.npy", "--force")
    np.testing.assert_allclose(np.load("x.npy"), solvers.rigid(*pairs())(pairs()[0]), atol=1e-5)


# What an interruption leaves behind


def test_interrupted_between_blocks(folder, capsys, monkeypatch):
    small_blocks(monkeypatch)
    Path("z.npy").write_bytes(b"kept")

    def interrupted(name, open_rows=files.open_rows):
        def read(start, stop):
            if start > 100:
                assert any(path.suffix == ".partial" for path in folder.iterdir())
                raise KeyboardInterrupt
            return rows.read(start, stop)

        rows = open_rows(name)
        return rows._replace(read=read)

    monkeypatch.setattr(files, "open_rows", interrupted)
    before = sorted(folder.iterdir())
    assert main(["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--force", "--quiet"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before and Path("z.npy").read_bytes() == b"kept"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(folder, sent, code):
    np.lib.format.open_memmap("long.npy", "w+", np.float32, (100_000_000, 6))  # sparse: takes no room on the disk
    before = sorted(folder.iterdir())
    # A test run in the background hands down that SIGINT is ignored.
    as_at_a_terminal = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('align', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", as_at_a_terminal, "apply", "map.safetensors", "long.npy", "-o", "z.npy"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and sorted(folder.iterdir()) == before:
        pass
    process.send_signal(sent)
    process.communicate()
    assert process.returncode == code
    assert sorted(folder.iterdir()) == before


def test_rows_that_do_not_fit_leave_no_file(tmp_path):
    for parts in ([np.ones((3, 2))], [np.ones((4, 3))]):
        with (
            pytest.raises(ValueError, match="expected"),
            files.writing(str(tmp_path / "z.npy"), (4, 2), "f4") as append,
        ):
            for block in parts:
                append(block)
    assert not list(tmp_path.iterdir())
