"""The command `align`: every argument and flag, given what it cannot take. One line, exit code 2, nothing written."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from align.__main__ import main
from align.arrays import memory
from align.command import blocks
from align.maps import AffineMap

ENDINGS = (
    "expected a file that ends in .npy, .npz, .safetensors, .parquet, .arrow, .feather, .h5, .hdf5, .vec, .txt, .bin, "
    ".fvecs, .bvecs, .ivecs, .faiss or .index"
)
ROWS, NEW, OUT = "expected rows and dimensions, [n, d]", ("-o", "new.safetensors"), ("-o", "z.npy")
FIT = ("fit", "x.npy", "y.npy", *NEW)
APPLY = ("apply", "map.safetensors", "x.npy")
SCORE = ("score", "map.safetensors")


def fit(source="x.npy", target="y.npy"):
    return ("fit", source, target, *NEW)


# What is said in one line once the arguments are parsed.
WRONG = [
    (fit("no.npy"), "no.npy", "no such file"),
    (fit("数据 ohne.npy"), "数据 ohne.npy", "no such file"),
    (fit("folder.npy"), "folder.npy", "no such file"),
    (fit("x"), "x: ", ENDINGS),
    (fit("x.csv"), "x.csv", ENDINGS),
    (fit(""), ENDINGS),
    (fit("x.npy:key"), "x.npy:key", ENDINGS),
    (fit(target="pairs.npz:key"), "pairs.npz holds x, y", "there is no 'key'", "write pairs.npz:KEY"),
    (fit(target="pairs.npz"), "pairs.npz holds x, y", "name one of them as pairs.npz:KEY"),
    (fit("pairs.safetensors:Z"), "pairs.safetensors holds x, y", "there is no 'Z'"),
    (fit("flat.npy"), "flat.npy has shape [20]", ROWS),
    (fit("cube.npy"), "cube.npy has shape [2, 10, 3]", ROWS),
    (fit("nothing.npy"), "nothing.npy has shape [0, 3]", ROWS),
    (fit("thin.npy"), "thin.npy has shape [20, 0]", ROWS),
    (fit("text.npy"), "text.npy has dtype <U1", "expected real numbers"),
    (fit("complex.npy"), "complex.npy has dtype complex64", "expected real numbers"),
    (fit("truth.npy"), "truth.npy has dtype bool", "expected real numbers"),
    (fit("objects.npy"), "objects.npy is not a readable .npy file"),
    (fit("empty.npy"), "empty.npy is not a readable .npy file"),
    (fit("cut.npy"), "cut.npy is not a readable .npy file"),
    (fit("cut.npz"), "cut.npz is not a readable .npz file"),
    (fit("cut.safetensors"), "cut.safetensors is not a readable .safetensors file"),
    (fit("wrong.npz"), "wrong.npz is not a readable .npz file"),
    (fit("torn.npz"), "torn.npz is not a readable .npz file"),
    (fit("wrong.safetensors"), "wrong.safetensors is not a readable .safetensors file"),
    (fit("nan.npy"), "nan.npy holds NaN or infinity", "first in row 7"),
    (fit(target="inf.npy"), "inf.npy holds NaN or infinity", "first in row 7"),
    (fit("few.npy"), "few.npy has 3 rows and y.npy 20", "expected the same number, in correspondence"),
    (
        (*fit(target="narrow.npy"), "--solver", "rigid"),
        "source",
        "(20, 3) and (20, 2)",
        "must not have more dimensions",
    ),
    ((*FIT, "--solver", ""), "unknown solver ''", "expected one of affine, "),
    ((*FIT, "--solver", "Rigid"), "unknown solver 'Rigid'", "expected one of affine, "),
    ((*FIT, "--solver", "labels"), "labels needs --source-labels and --target-labels"),
    ((*FIT, "--solver", "icp", "--anchors", "5"), "--anchors is of rows in correspondence, which icp does not need"),
    ((*FIT, "--unpaired", "--holdout", "0.5"), "--holdout is of rows in correspondence", "unpaired"),
    ((*FIT, "--unpaired", "--memory", "0"), "--memory is of rows in correspondence, which unpaired does not need"),
    ((*FIT, "--solver", "icp", "--sample", "50"), "--sample is of rows in correspondence, which icp does not need"),
    ((*FIT, "--sample", "50"), "--sample is of scores, of rows that are held out: it needs --holdout"),
    ((*FIT, "--metric", "euclidean", "--holdout", "0"), "--metric is of scores", "it needs --holdout"),
    ((*FIT, "--unpaired", "--target-id", "id"), "--target-id is of rows in correspondence, which unpaired does not"),
    ((*FIT, "--pairs", "x.npy", "y.npy"), "--pairs beside two clouds", "--solver is ridge"),
    ((*FIT, "--source-labels", "x.npy"), "ridge takes rows in correspondence, and no labels"),
    ((*FIT, "--solver", "icp", "--source-labels", "x.npy"), "x.npy has shape [20, 3]", "one number for each row"),
    ((*FIT, "--solver", "icp", "--source-labels", "w_few.npy"), "w_few.npy holds 3 labels of float64", "20 integers"),
    ((*FIT, "--solver", "AffineMap"), "unknown solver 'AffineMap'", "expected one of affine, "),
    ((*FIT, "--solver", "вращение"), "unknown solver 'вращение'", "expected one of affine, "),
    ((*FIT, "--solver", "rigid", "--set", "reflexion=1"), "--set reflexion=1: rigid takes reflection"),
    ((*FIT, "--solver", "affine", "--set", "rank=2"), "--set rank=2", "affine takes rcond", "as NAME=VALUE"),
    ((*FIT, "--solver", "affine", "--set", "rcond"), "--set rcond", "affine takes rcond", "as NAME=VALUE"),
    ((*FIT, "--solver", "affine", "--set", "rcond="), "--set rcond=", "affine takes rcond", "as NAME=VALUE"),
    ((*FIT, "--solver", "affine", "--set", "=1"), "--set =1", "affine takes rcond", "as NAME=VALUE"),
    ((*FIT, "--solver", "affine", "--set", "weights=1"), "--set weights=1", "affine takes rcond"),
    ((*FIT, "--solver", "affine", "--set", "rcond=1e-3", "--set", "rcond=1"), "--set rcond=1: rcond is set twice"),
    ((*FIT, "--solver", "reduced_rank"), "reduced_rank needs --set rank=VALUE"),
    ((*FIT, "--solver", "reduced_rank", "--set", "rank=0"), "rank", "it is 0", "must be 1 to 3"),
    ((*FIT, "--solver", "reduced_rank", "--set", "rank=4"), "rank", "it is 4", "must be 1 to 3"),
    ((*FIT, "--solver", "reduced_rank", "--set", "rank=all"), "rank", "it is 'all'", "must be 1 to 3"),
    ((*FIT, "--solver", "ridge", "--set", "towards=moon"), "towards", "'moon'", "one of ('zero', 'rigid'"),
    ((*FIT, "--solver", "ridge", "--set", "strengths=[]"), "strengths", "(0,)", "at least one"),
    ((*FIT, "--weights", "no.npy"), "no.npy", "no such file"),
    ((*FIT, "--weights", "x.npy"), "x.npy has shape [20, 3]", "expected one number for each row"),
    ((*FIT, "--weights", "w_few.npy"), "w_few.npy has shape [3, 1]", "expected [20, 1]"),
    ((*FIT, "--weights", "w_nan.npy"), "w_nan.npy holds NaN or infinity", "first in row 7"),
    ((*FIT, "--weights", "w_negative.npy"), "weights must not be negative"),
    ((*FIT, "--anchors", "21"), "--anchors 21 of 20 rows"),
    ((*FIT, "--anchors", "99999999999999999999"), "--anchors 99999999999999999999 of 20 rows"),
    ((*FIT, "--anchors", "15", "--holdout", "0.5"), "--anchors 15 of 20 rows", "of which 10 are held out"),
    ((*FIT, "--holdout", "0.1"), "--holdout 0.1 of 20 rows leaves 2 to score on", "expected 4 or more"),
    ((*FIT, "--holdout", "0.02"), "--holdout 0.02 of 20 rows leaves 0 to score on", "expected 4 or more"),
    ((*FIT, "--holdout", "0.99"), "--holdout 0.99 of 20 rows leaves none to fit on"),
    ((*fit("zeros.npy"), "--skip-bad-rows"), "--skip-bad-rows leaves no row to fit on"),
    ((*FIT, "--memory", "0", "--solver", "scaling"), "--memory 0.0", "scaling needs them at once", "one of orthogonal"),
    (("fit", "x.npy", "y.npy", "-o", "map.safetensors"), "map.safetensors exists", "--force replaces it"),
    (("fit", "x.npy", "y.npy", "-o", "new.npy"), "new.npy", "expected a file that ends in .safetensors"),
    (("fit", "x.npy", "y.npy", "-o", "new.safetensors:map"), "expected a file that ends in .safetensors"),
    (("fit", "x.npy", "y.npy", "-o", "none/new.safetensors"), "none", "no such folder for the output"),
    (("fit", "x.npy", "y.npy", "-o", "x.npy/new.safetensors"), "x.npy", "no such folder for the output"),
    (("fit", "x.npy", "y.npy", "-o", "folder.safetensors"), "folder.safetensors is a folder"),
    (("apply", "no.safetensors", "x.npy", *OUT), "no.safetensors", "no such file"),
    (("apply", "folder.safetensors", "x.npy", *OUT), "folder.safetensors", "no such file"),
    (("apply", "cut.safetensors", "x.npy", *OUT), "cut.safetensors is not a readable safetensors file"),
    (("apply", "x.npy", "x.npy", *OUT), "x.npy is not a readable safetensors file"),
    (("apply", "pairs.safetensors", "x.npy", *OUT), "pairs.safetensors", "not a map written by AffineMap.save"),
    (("apply", "broken.safetensors", "x.npy", *OUT), "broken.safetensors holds a map with NaN or infinity"),
    (("apply", "batch.safetensors", "x.npy", *OUT), "batch.safetensors holds (2,) maps", "expected a single one"),
    (("apply", "map.safetensors", "narrow.npy", *OUT), "narrow.npy has 2 dimensions", "map.safetensors takes 3"),
    (("apply", "down.safetensors", "x.npy", *OUT, "--inverse"), "x.npy has 3 dimensions", "takes 2 when inverted"),
    (("apply", "map.safetensors", "nan.npy", *OUT), "nan.npy holds NaN or infinity", "first in row 7"),
    (("apply", "map.safetensors", "huge.npy", *OUT, "--dtype", "float16"), "huge.npy", "outside the range of float16"),
    ((*APPLY, "-o", "y.npy"), "y.npy exists", "--force replaces it"),
    ((*APPLY, "-o", "folder.npy"), "folder.npy is a folder"),
    ((*APPLY, "-o", "z.txt"), "z.txt", "expected a file that ends in"),
    ((*APPLY, "-o", "z.bvecs"), "z.bvecs is written in uint8 alone", "the rows are float32"),
    ((*APPLY, "-o", "z.fvecs", "--dtype", "float64"), "z.fvecs is written in float32 alone", "the rows are float64"),
    ((*APPLY, "-o", "z.vec", "--dtype", "float64"), "z.vec is written in float32, float16, int8, uint8 alone"),
    ((*APPLY, "-o", "z.ivecs"), "z.ivecs", "expected a file that ends in"),
    ((*APPLY, "-o", "none/z.npy"), "none", "no such folder for the output"),
    ((*SCORE, "x.npy", "few.npy"), "x.npy has 20 rows and few.npy 3", "expected the same number"),
    ((*SCORE, "x.npy", "narrow.npy"), "map.safetensors maps to 3 dimensions", "narrow.npy has 2"),
    ((*SCORE, "narrow.npy", "y.npy"), "narrow.npy has 2 dimensions", "map.safetensors takes 3"),
    ((*SCORE, "few.npy", "few.npy"), "few.npy has 3 rows", "expected at least 4 to score on"),
    (
        (*SCORE, "x.npy", "y.npy", "--corpus", "x.npy", "y.npy", "--metric", "euclidean"),
        "--metric euclidean is of pairs alone; --corpus is searched by cosine",
    ),
    ((*SCORE, "nan.npy", "y.npy"), "nan.npy holds NaN or infinity", "first in row 7"),
    (("fit", "pairs.safetensors:x", "y.npy", "-o", "pairs.safetensors", "--force"), "is read as the source"),
    ((*FIT[:3], "--weights", "down.safetensors", "-o", "down.safetensors", "--force"), "is read as the weights"),
    (("apply", "map.safetensors", "x.npy", "-o", "map.safetensors", "--force"), "map.safetensors is read as the map"),
    (("inspect", "no.safetensors"), "no.safetensors", "no such file"),
    (("inspect", "folder.safetensors"), "folder.safetensors: no such file, but a folder"),
    (("inspect", "wrong.safetensors"), "wrong.safetensors is not a readable safetensors file"),
    (("inspect", "pairs.safetensors"), "pairs.safetensors", "not a map written by AffineMap.save"),
]
# What the parser says, after the usage.
UNPARSED = [
    ((), "COMMAND", "required"),
    (("melt",), "COMMAND", "'melt'", "choose from"),
    (("fit",), "source, target", "required"),
    (("fit", "x.npy", "y.npy"), "-o/--output", "required"),
    ((*FIT, "z.npy"), "unrecognized arguments: z.npy"),
    ((*FIT, "--sovler", "rigid"), "unrecognized arguments: --sovler"),
    *(
        ((*FIT, "--anchors", value), "--anchors", repr(value), "not a positive integer")
        for value in ("0", "-3", "1.5", "")
    ),
    *(((*FIT, "--sample", value), "--sample", repr(value), "not a positive integer") for value in ("0", "-1", "all")),
    *(
        ((*FIT, "--holdout", value), "--holdout", repr(value), "not a share from 0 to below 1")
        for value in ("1", "-0.1", "nan", "half")
    ),
    ((*FIT, "--unpaired", "--solver", "rigid"), "--solver", "not allowed with argument --unpaired"),
    ((*FIT, "--solver", "affine", "--unpaired"), "--unpaired", "not allowed with argument --solver"),
    *(
        ((*FIT, "--memory", value), "--memory", repr(value), "not a finite number from 0")
        for value in ("much", "nan", "inf", "-5")
    ),
    ((*FIT, "--seed", "one"), "--seed", "'one'", "not a whole number"),
    ((*FIT, "--seed", "1.5"), "--seed", "'1.5'", "not a whole number"),
    ((*FIT, "--metric", "dot"), "--metric", "'dot'", "choose from"),
    ((*FIT, "--set"), "--set", "expected one argument"),
    ((*APPLY, *OUT, "--dtype", "int16"), "--dtype", "'int16'", "choose from"),
    ((*APPLY, *OUT, "--inverse=yes"), "--inverse", "'yes'", "ignored explicit argument"),
    ((*SCORE, "x.npy", "y.npy", "--sample", "many"), "--sample", "'many'", "not a positive integer"),
    ((*SCORE, "x.npy", "y.npy", "--sample", "3"), "--sample", "'3' is fewer than the 4 rows that a score takes"),
    ((*SCORE, "x.npy", "y.npy", "--metric", ""), "--metric", "''", "choose from"),
    (("inspect",), "map", "required"),
    (("inspect", "map.safetensors", "--json=1"), "--json", "'1'", "ignored explicit argument"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with sound files, and with every kind that is not."""
    folder = tmp_path_factory.mktemp("files")
    x, y = np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32)
    arrays = {
        "x": x, "y": y, "few": x[:3], "narrow": x[:, :2], "flat": x[:, 0], "cube": x[None].reshape(2, 10, 3),
        "nothing": x[:0], "thin": x[:, :0], "text": np.full((20, 3), "a"), "complex": x.astype(np.complex64),
        "truth": x > 0, "huge": 1e6 * x, "zeros": 0 * x, "w_few": np.ones((3, 1)), "w_negative": -np.ones((20, 1)),
    }  # fmt: skip
    for name, value, array in (("nan", np.nan, x), ("inf", np.inf, y), ("w_nan", np.nan, np.ones((20, 1)))):
        arrays[name] = array.copy()
        arrays[name][7, 0] = value
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "objects.npy", x.astype(object), allow_pickle=True)
    np.savez(folder / "pairs.npz", x=x, y=y)
    save_file({"x": x, "y": y}, folder / "pairs.safetensors")
    for ending in (".npy", ".npz", ".safetensors"):
        whole = (folder / ("x.npy" if ending == ".npy" else f"pairs{ending}")).read_bytes()
        (folder / f"cut{ending}").write_bytes(whole[: len(whole) // 2])
    whole = (folder / "pairs.npz").read_bytes()
    (folder / "torn.npz").write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\xff"))  # the entries of its directory
    (folder / "empty.npy").touch()
    for name in ("x.csv", "x", "wrong.npz", "wrong.safetensors"):
        (folder / name).write_text("0,1,2\n")
    for name in ("folder.npy", "folder.safetensors"):
        (folder / name).mkdir()
    weight = np.eye(3, dtype=np.float32)
    AffineMap(weight, weight[0]).save(folder / "map.safetensors")
    AffineMap(weight[:, :2], weight[0, :2]).save(folder / "down.safetensors")
    AffineMap(np.nan * weight, weight[0]).save(folder / "broken.safetensors")
    AffineMap(np.stack([weight, weight]), weight[:2]).save(folder / "batch.safetensors")
    return folder


def contents(folder):
    return {path: path.is_file() and path.read_bytes() for path in Path(folder).rglob("*")}


def named(cases):
    return [pytest.param(argv, words, id=" ".join(argv)) for argv, *words in cases]


@pytest.mark.parametrize(("argv", "words"), named(WRONG))
def test_wrong_arguments(files, monkeypatch, capsys, argv, words):
    monkeypatch.chdir(files)
    before = contents(files)
    assert main([*argv, "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert [word for word in words if word not in err] == [], err
    assert err.startswith(f"align {argv[0]}: error: ") and err.count("\n") == 1 and out == ""
    assert contents(files) == before


@pytest.mark.parametrize("argv", [FIT, (*FIT, "--unpaired")])
def test_a_map_that_there_is_no_memory_for(files, monkeypatch, capsys, argv):
    monkeypatch.chdir(files)
    before = contents(files)
    monkeypatch.setattr(memory, "installed", lambda: 2 * 3 * 3 * 4 - 1)
    assert main([*argv, "--quiet"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("align fit: error: x.npy has 3 dimensions and y.npy 3: ") and err.count("\n") == 1
    assert contents(files) == before


def test_a_container_has_the_memory_that_it_is_given(tmp_path, monkeypatch):
    files = tmp_path / "second", tmp_path / "first", tmp_path / "none"
    files[0].write_text("max\n")
    files[1].write_text("4096\n")
    monkeypatch.setattr(memory, "_LIMITS", files[::2])
    assert memory.installed() > 4096
    monkeypatch.setattr(memory, "_LIMITS", files)
    assert memory.installed() == 4096


@pytest.mark.parametrize("zeros", [np.zeros, jnp.zeros])
@pytest.mark.parametrize("argv", [FIT, (*APPLY, *OUT)])
def test_more_than_there_is_memory_for(files, monkeypatch, capsys, argv, zeros):
    monkeypatch.chdir(files)
    before = contents(files)
    monkeypatch.setattr(blocks, "read", lambda *rows: zeros((10**7, 10**8)))  # beyond any address
    assert main([*argv, "--quiet"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith(f"align {argv[0]}: error: out of memory: ") and err.count("\n") == 1
    assert ("--memory 4 (GiB) streams rows that take more" in err) == (argv is FIT)
    assert contents(files) == before


def test_what_else_the_device_reports_is_no_lack_of_memory(files, monkeypatch):
    monkeypatch.chdir(files)

    def fail(*rows):
        raise jax.errors.JaxRuntimeError("INTERNAL: no such kernel")

    monkeypatch.setattr(blocks, "read", fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no such kernel"):
        main([*FIT, "--quiet"])


@pytest.mark.parametrize(("argv", "words"), named(UNPARSED))
def test_arguments_that_cannot_be_parsed(files, monkeypatch, capsys, argv, words):
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as ended:
        main(argv)
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == ""
    last = err.strip().splitlines()[-1]
    assert [word for word in words if word not in last] == [], err
