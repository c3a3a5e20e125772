"""Choices of anchors, relative representations and maps against arrays and options that do not fit."""

import functools
from pathlib import Path

import jax
import numpy as np
import pytest
import scipy.sparse
from jax import numpy as jnp
from refusals import Refusal, every
from safetensors.numpy import save_file

from align import anchors, relative
from align.arrays import inputs
from align.maps import AffineMap

KEY = jax.random.key(0)
X, Y = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2])
STRINGS = np.full((6, 3), "a")
DECODER = {"params": {"Dense_0": {"kernel": np.ones((3, 2)), "bias": np.zeros(2)}}}


def with_nan():
    changed = X.copy()
    changed[1, 1] = np.nan
    return changed


# What no array can be made of


class Tensor:
    """As PyTorch's of the device meta: of a shape and a dtype, and without data."""

    dtype, shape = "torch.float32", (6, 3)

    def detach(self):
        return self

    def numpy(self, *, force=False):
        raise NotImplementedError("Cannot copy out of meta tensor; no data!")


class Failing:
    """What has an array to give, and fails to."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on it")


def with_object(value):
    changed = X.astype(object)
    changed[1, 1] = value
    return changed


ROWS = np.array([*[np.ones(2)] * 3, None], object)
NUMBERS, ALONE = "array of real numbers", "expected numbers alone: fill in or drop what is missing"
NO_ARRAYS = {
    f"an object of {kind}": (with_object(value), f"object (6, 3) (its values are of dtype object, one {kind};", ALONE)
    for value in (None, "1.5", True, 1j, [1.0], object())
    for kind in [type(value).__name__]
} | {
    "nothing in a list": ([[1.0, None]], "it is list (its values are of dtype object, one NoneType;", ALONE),
    "a column of rows": (
        np.array([*[np.ones(2)] * 3, None], object)[:3],
        "its values are rows, one in each",
        "numpy.stack",
    ),
    "objects without an axis": (np.array(1.0, object), "it is object ()", NUMBERS),
    "objects beyond all floats": (with_object(10**400), "it is object (6, 3)", NUMBERS),
    "objects beyond float32": (with_object(1e300), "holds values beyond the range of float32", ""),
    "a sparse matrix": (scipy.sparse.csr_matrix(X), "it is csr_matrix float32 (6, 3)", NUMBERS),
    "a tensor without data": (Tensor(), "Tensor torch.float32 (6, 3) (reading it failed: Cannot copy out", NUMBERS),
    "an array that cannot be had": (Failing(), "it is Failing (reading it failed: Can't call numpy()", NUMBERS),
}


@pytest.mark.parametrize("name", NO_ARRAYS)
def test_what_no_array_can_be_made_of(name):
    given, *words = NO_ARRAYS[name]
    Refusal(lambda: inputs.as_array("source", given), "source", *words).check()


# Anchors

STRATEGIES = {
    name: getattr(anchors, name)
    for name in ("random", "farthest_point", "kmeans", "neighbourhoods", "leverage", "d_optimal")
} | {"class_balanced": functools.partial(anchors.class_balanced, labels=LABELS)}
BETWEEN = "between 1 and the 6 latents"
CHOICES = {
    "one axis": ((X[:, 0], 2), "latents", "(6,)", "[rows, dimensions]"),
    "no rows": ((X[:0], 1), "latents", "(0, 3)", "at least one of each"),
    "no dimensions": ((X[:, :0], 1), "latents", "(6, 0)", "at least one of each"),
    "complex numbers": ((1j * X, 2), "latents", "complex", "real numbers"),
    "strings": ((STRINGS, 2), "latents", "<U1 (6, 3)", "array of real numbers"),
    "nothing": ((None, 2), "latents", "NoneType", "array of real numbers"),
    "NaN": ((with_nan(), 2), "latents", "holds NaN or infinity"),
    "no anchor": ((X, 0), "count", "it is 0", BETWEEN),
    "fewer than no anchor": ((X, -2), "count", "it is -2", BETWEEN),
    "more anchors than samples": ((X, 7), "count", "it is 7", BETWEEN),
    "an absurd number of anchors": ((X, 10**15), "count", "it is 1000000000000000", BETWEEN),
    "half an anchor": ((X, 2.5), "count", "it is 2.5", BETWEEN),
    "text for a count": ((X, "2"), "count", "it is '2'", BETWEEN),
}


@every(
    {
        f"{name}: {what}": Refusal(lambda choose=choose, given=given: choose(KEY, *given), *words)
        for name, choose in STRATEGIES.items()
        for what, (given, *words) in CHOICES.items()
    }
    | {
        f"{name}: a seed": Refusal(lambda choose=choose: choose(0, X, 2), "key", "it is 0", "jax.random.key(0)")
        for name, choose in STRATEGIES.items()
    }
    | {
        "class_balanced: too few labels": Refusal(
            lambda: anchors.class_balanced(KEY, X, 2, labels=LABELS[:3]),
            "labels",
            "(3,)",
            "[6], one per row of latents",
        ),
        "class_balanced: no labels": Refusal(
            lambda: anchors.class_balanced(KEY, X, 2, labels=None), "labels", "NoneType", "array"
        ),
        "class_balanced: fractions as labels": Refusal(
            lambda: anchors.class_balanced(KEY, X, 2, labels=LABELS / 2), "labels", "float", "integers"
        ),
        "class_balanced: strings as labels": Refusal(
            lambda: anchors.class_balanced(KEY, X, 2, labels=["one", "one", "two", "two", "three", "three"]),
            "labels",
            "list",
            "array",
        ),
        "neighbourhoods: size 0": Refusal(
            lambda: anchors.neighbourhoods(KEY, X, 2, size=0), "size", "it is 0", BETWEEN
        ),
        "neighbourhoods: size above the samples": Refusal(
            lambda: anchors.neighbourhoods(KEY, X, 2, size=7), "size", "it is 7", BETWEEN
        ),
        "neighbourhoods: its own size with few samples": Refusal(
            lambda: anchors.neighbourhoods(KEY, X, 2), "size", "it is 50", BETWEEN
        ),
        "neighbourhoods: iterations -1": Refusal(
            lambda: anchors.neighbourhoods(KEY, X, 2, size=2, iterations=-1), "iterations", "it is -1", "from 0"
        ),
        "kmeans: iterations -1": Refusal(
            lambda: anchors.kmeans(KEY, X, 2, iterations=-1), "iterations", "it is -1", "whole number from 0"
        ),
        "kmeans: text for iterations": Refusal(
            lambda: anchors.kmeans(KEY, X, 2, iterations="many"), "iterations", "'many'", "whole number from 0"
        ),
    }
    | {
        f"d_optimal: prior {prior!r}": Refusal(
            lambda prior=prior: anchors.d_optimal(KEY, X, 2, prior=prior),
            "prior",
            f"it is {prior!r}",
            "from 1.19209e-07",
        )
        for prior in (0, float("nan"), "weak", 1e-40, 1e39)
    }
)
def test_anchors(refusal):
    refusal.check()


# Relative representations

AGREE = "codes [n, d] and anchors [a, d] must agree in d"
CODES = {
    "one axis": ((X[:, 0], Y), "codes", "(6,) and (6, 3)", AGREE),
    "anchors of one axis": ((X, Y[0]), "anchors", "(6, 3) and (3,)", AGREE),
    "unequal dimensions": ((X, Y[:, :2]), "anchors", "(6, 3) and (6, 2)", AGREE),
    "no anchors": ((X, Y[:0]), "anchors", "(0, 3)", "at least one of each"),
    "no dimensions": ((X[:, :0], Y[:, :0]), "anchors", "(6, 0)", "at least one of each"),
    "complex numbers": ((1j * X, Y), "codes", "complex", "real numbers"),
    "strings": ((X, STRINGS), "anchors", "<U1 (6, 3)", "array of real numbers"),
    "nothing": ((None, Y), "codes", "NoneType", "array of real numbers"),
}


@every(
    {
        f"{name}: {what}": Refusal(lambda name=name, pair=pair: getattr(relative, name)(*pair), *words)
        for name in ("euclidean", "scaled", "cosine", "centred", "whitened", "represent")
        for what, (pair, *words) in CODES.items()
    }
    | {
        f"represent: similarity {name!r}": Refusal(
            lambda name=name: relative.represent(X, Y, name), "similarity", repr(name), "one of euclidean, scaled"
        )
        for name in ("dot", "", "Cosine", "euklidisch ≠ euclidean", None, ["cosine"])
    }
    | {
        "layer_normalised: one axis": Refusal(
            lambda: relative.layer_normalised(X[0]), "representation", "(3,)", "[n, a]"
        ),
        "layer_normalised: no anchors": Refusal(
            lambda: relative.layer_normalised(X[:, :0]), "representation", "(6, 0)", "a at least 1"
        ),
        "layer_normalised: strings": Refusal(
            lambda: relative.layer_normalised(STRINGS), "representation", "<U1", "array of real numbers"
        ),
        "standardised: other anchors": Refusal(
            lambda: relative.standardised(X, Y[:, :2]), "reference", "(6, 3), (6, 2)", "must agree in a"
        ),
        "standardised: no reference": Refusal(
            lambda: relative.standardised(X, Y[:0]), "reference", "(0, 3)", "at least one of each"
        ),
        "standardised: complex numbers": Refusal(
            lambda: relative.standardised(X, 1j * Y), "reference", "complex", "real numbers"
        ),
        "absorb_standard: other anchors": Refusal(
            lambda: relative.absorb_standard(DECODER, X[:, :2]), "reference", "(6, 2)", "a first layer of a = 3"
        ),
        "absorb_standard: no rows": Refusal(
            lambda: relative.absorb_standard(DECODER, X[:0]), "reference", "(0, 3)", "m at least 1"
        ),
        "absorb_standard: complex numbers": Refusal(
            lambda: relative.absorb_standard(DECODER, 1j * X), "reference", "complex", "real numbers"
        ),
        "absorb_standard: no bias": Refusal(
            lambda: relative.absorb_standard({"params": {"Dense_0": {"kernel": np.ones((3, 2))}}}, X),
            "params",
            "it has kernel",
            "a bias in their first layer Dense_0",
        ),
        "absorb_standard: a convolution first": Refusal(
            lambda: relative.absorb_standard({"params": {"Conv_0": {}}}, X), "params", "Conv_0", "Dense_0"
        ),
    }
)
def test_relative(refusal):
    refusal.check()


# Maps

MAP = AffineMap(jnp.eye(3), jnp.zeros(3))


@every(
    {
        "points of other dimensions": Refusal(lambda: MAP(X[:, :2]), "x", "(6, 2)", "[..., 3]"),
        "a number for points": Refusal(lambda: MAP(1.0), "x", "()", "[..., 3]"),
        "a map that does not follow": Refusal(
            lambda: MAP.then(AffineMap(jnp.eye(2), jnp.zeros(2))), "after", "(2, 2)", "must take 3 dimensions"
        ),
        "a product that does not fit": Refusal(
            lambda: MAP @ AffineMap(jnp.ones((4, 3)), jnp.zeros(3)), "after", "(4, 3)", "must take 3 dimensions"
        ),
    }
)
def test_maps(refusal):
    refusal.check()


FILES = {
    "nothing there": (lambda path: None, "No such file", FileNotFoundError),
    "an empty file": (lambda path: path.touch(), "is not a readable safetensors file", ValueError),
    "text": (lambda path: path.write_text("weight, bias"), "is not a readable safetensors file", ValueError),
    "a folder": (lambda path: path.mkdir(), "is not a readable safetensors file", ValueError),
    "the arrays of something else": (
        lambda path: save_file({"weight": X}, path),
        "not a map written by AffineMap.save",
        ValueError,
    ),
    "a length beyond the file": (
        lambda path: path.write_bytes(b"\xff" * 8 + b"{}"),
        "is not a readable safetensors file",
        ValueError,
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("read", [AffineMap.load, AffineMap.read_metadata])
def test_files_that_are_no_maps(tmp_path, name, read):
    write, expected, error = FILES[name]
    path = tmp_path / "Übersetzung 映射.safetensors"
    write(path)
    Refusal(lambda: read(path), path.name, expected, error=error).check()


@pytest.mark.parametrize(
    ("where", "error"),
    [("nowhere/m.safetensors", FileNotFoundError), ("file/m.safetensors", NotADirectoryError), ("", IsADirectoryError)],
)
def test_places_where_no_map_can_be_written(tmp_path, where, error):
    (tmp_path / "file").touch()
    path = Path(tmp_path, where)
    Refusal(lambda: MAP.save(path), path.name, str(path.parent), error=error).check()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
