"""Arrays of images, names and flags that cannot be used: one line that says which, what came and what was expected."""

from pathlib import Path

import numpy as np
import pytest
from image_sets import GREY, ODD, splits, write_npz
from refusals import Refusal, every, refuse_images

from align import data, models


def with_nan(x):
    x = x / 255.0
    x[4, 2, 1] = np.nan
    return x


WANTS = "expected a .npz of x_train, y_train, x_test, y_test"
# What becomes of the arrays of a sound file, and the words of the error.
ARRAYS = {
    "no x_test": ({"x_test": None}, "has no x_test", "it holds x_train, y_train, y_test", WANTS),
    "no labels": ({"y_train": None, "y_test": None}, "has no y_train, y_test", "it holds x_train, x_test", WANTS),
    "nothing": (dict.fromkeys(("x_train", "y_train", "x_test", "y_test")), "has no x_train", "it holds nothing", WANTS),
    "images of two dimensions": (
        {"x_train": lambda x: x.reshape(len(x), -1)},
        "x_train of ",
        "its shape is (30, 64)",
        "[n, height, width]",
    ),
    "no images": ({"x_test": lambda x: x[:0]}, "x_test of ", "its shape is (0, 8, 8, 1)", "[n, height, width]"),
    "channels first": (
        {"x_train": lambda x: np.repeat(x.transpose(0, 3, 1, 2), 3, axis=1)},
        "x_train of ",
        "its shape is (30, 3, 8, 8)",
        "must have its channels last",
    ),
    "grey channels first": (
        {"x_train": lambda x: x.transpose(0, 3, 1, 2)},
        "x_train of ",
        "its shape is (30, 1, 8, 8)",
        "must have its channels last",
    ),
    "text for images": ({"x_train": lambda x: x.astype("U3")}, "x_train of ", "its dtype is <U3", "must hold numbers"),
    "complex images": ({"x_test": lambda x: x + 1j}, "x_test of ", "its dtype is complex128", "must hold numbers"),
    "objects": ({"x_train": lambda x: x.astype(object)}, "cannot read", "Object arrays", WANTS),
    "NaN": ({"x_train": with_nan}, "x_train of ", "1 of 30 images hold NaN or infinite pixels", "must be finite"),
    "infinity": ({"x_test": lambda x: np.where(x > 200, np.inf, x)}, "x_test of ", "NaN or infinite pixels"),
    "fewer labels": ({"y_train": lambda y: y[:-1]}, "y_train of ", "29 labels for the 30 images", "x_train of "),
    "labels of one": ({"y_test": lambda y: np.eye(3, dtype=int)[y]}, "y_test of ", "int64[9, 3]", "whole numbers [n]"),
    "labels that are no whole numbers": ({"y_test": lambda y: y / 2}, "y_test of ", "float64[9]", "whole numbers [n]"),
    "text for labels": ({"y_train": lambda y: y.astype("U3")}, "y_train of ", "<U3[30]", "whole numbers [n]"),
    "negative labels": ({"y_train": lambda y: y - 1}, "y_train of ", "there is -1", "must be from 0"),
    "one class": (
        {"y_train": np.zeros_like, "y_test": np.zeros_like},
        "y_train of ",
        "all are 0",
        "two classes or more",
    ),
    "a class that was not trained": ({"y_test": lambda y: y + 1}, "y_test of ", "lacks: 3", "y_train of "),
    "another size": ({"x_test": lambda x: x[:, :7]}, "x_test of ", "of shape (7, 8, 1)", "of (8, 8, 1)"),
    "another depth": ({"x_test": lambda x: x / 255}, "x_test of ", "of dtype float64", "of uint8"),
    "one image all over": ({"x_train": lambda x: np.full_like(x, 9)}, "x_train of ", "holds one constant image"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(tmp_path, case):
    changes, *words = ARRAYS[case]
    arrays = splits(GREY)
    for name, change in changes.items():
        arrays |= {name: change(arrays[name]) if change else None}
    path = write_npz(tmp_path / "bands.npz", **{name: array for name, array in arrays.items() if array is not None})
    words[1:] = words[1:] or [str(path)]
    refuse_images(path, *words[:3])


def encrypted(archive):
    """Say of all that is within an archive that it is encrypted, in both of its headers."""
    for begin, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = archive.split(begin)
        archive = begin.join([parts[0], *(part[: place - 4] + b"\x01" + part[place - 3 :] for part in parts[1:])])
    return archive


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed", "an array", "no archive", "encrypted"])
def test_files_that_are_no_npz(tmp_path, damage):
    path = write_npz(tmp_path / "bands.npz", **splits(GREY))
    whole = path.read_bytes()
    middle = len(whole) // 2
    spoilt = {
        "empty": b"",
        "cut off": whole[:middle],
        "changed": whole[:1000] + bytes(byte ^ 255 for byte in whole[1000:1100]) + whole[1100:],
        "no archive": b"not what its name says",
        "encrypted": encrypted(whole),
    }
    if damage == "an array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(spoilt[damage])
    refuse_images(path, "cannot read", str(path), WANTS)


@pytest.mark.parametrize("where", ["./nowhere", "/nowhere/at/all", "nowhere.npz", "~/nowhere", "./" + "x" * 300])
def test_paths_at_which_there_is_nothing(tmp_path, monkeypatch, where):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    refuse_images(where, f"name is {where!r} (--dataset)", "expected one of 'mnist'", "a .npz of", error=ValueError)


@pytest.mark.parametrize(("where", "said"), [("./file", "cannot read file"), ("./empty", "empty (--dataset) holds no")])
def test_paths_of_something_else(tmp_path, monkeypatch, where, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"no images")
    monkeypatch.chdir(tmp_path)
    refuse_images(where, said, "a .npz of")


NAMES = ("cifar", "mnist ", "mnist/", "a\0b", "a/b/c", "emnist/", "cifar10:", "cifar10:new", "-", "CIFAR10", "x" * 300)


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    refuse_images(name, f"name is {name!r} (--dataset)", "expected one of 'mnist'", error=ValueError)


STANDARDISATIONS = {
    "a mean alone": ({"mean": 0.5}, "std", "mean and std go together"),
    "a deviation alone": ({"std": 0.5}, "mean", "mean and std go together"),
    "a deviation of 0": ({"mean": 0.5, "std": 0}, "std", "it is 0", "above 0"),
    "a negative deviation": ({"mean": 0.5, "std": [1, 1, -1]}, "std", "it is [1, 1, -1]", "above 0"),
    "NaN": ({"mean": np.nan, "std": 1}, "mean", "it is nan", "a finite number"),
    "text": ({"mean": "grey", "std": 1}, "mean", "it is 'grey'", "a finite number"),
    "two channels of three": ({"mean": [0.5, 0.5], "std": 1}, "mean", "it is [0.5, 0.5]", "each of 3 channels"),
}


@pytest.mark.parametrize("case", STANDARDISATIONS)
def test_standardisations(tmp_path, case):
    options, *words = STANDARDISATIONS[case]
    refuse_images(write_npz(tmp_path / "bands.npz", **splits(ODD)), *words, error=ValueError, **options)


@every(
    {
        f"shape {shape!r}": Refusal(lambda shape=shape: models.autoencoder("conv", 4, "x", shape), *words)
        for shape, words in {
            (28, 28): ("shape", "it is (28, 28)", "(height, width, channels)"),
            28: ("shape", "it is 28", "(height, width, channels)"),
            (0, 28, 1): ("height", "it is 0", "at least 1"),
            (28, 2.5, 1): ("width", "it is 2.5", "at least 1"),
            (28, 28, -3): ("channels", "it is -3", "at least 1"),
        }.items()
    }
    | {
        f"model {model!r}": Refusal(lambda model=model: models.autoencoder(model, 4, "x"), "model", repr(model), ends)
        for model, ends in {
            "conv-tanh": "-sigmoid or -linear",
            "conv-": "-sigmoid or -linear",
            "conv-linear-linear": "-sigmoid or -linear",
            "resnet-linear": "one of conv, mlp",
        }.items()
    }
)
def test_architectures(refusal):
    refusal.check()


FLAGS = [
    ("--pixel_mean=grey", "--pixel_mean", "'grey'", "must be numbers"),
    ("--pixel_mean=0.5,,0.5", "--pixel_mean", "'0.5,,0.5'", "must be numbers"),
    ("--pixel_std=0.5", "mean must be given too"),
    ("--pixel_mean=0.5 --pixel_std=0", "std must be", "above 0"),
    ("--last_layer=tanh", "--last_layer=tanh", "one of <sigmoid|linear>"),
    ("--batch=0", "--batch=0", "in the range [1, 100000]"),
    ("--batch=half", "--batch=half", "invalid literal for int"),
    ("--dataset=./nowhere", "'./nowhere' (--dataset)", "nothing"),
    ("--dataset=cifar10", "cifar10 (--dataset) is not prepared in", "tfds build cifar10"),
    ("--dataset=emnist", "emnist (--dataset) must name one of its configurations", "emnist/letters"),
    ("--dataset=imdb_reviews/plain_text", "plain_text (--dataset) is no set of images with labels", "text (Text)"),
    ("--dataset=cifar10 --data_dir=.", "cifar10 (--dataset) is not prepared in .", "--data_dir"),
]


@pytest.mark.parametrize(("flags", "words"), [pytest.param(flags, words, id=flags) for flags, *words in FLAGS])
def test_flags(refused, monkeypatch, flags, words):
    monkeypatch.setattr("align.data.tfds.probe", _no_network)
    monkeypatch.setenv("TFDS_DATA_DIR", str(Path("none-here")))
    said = refused("anchors", "--dataset=mnist_sample", "--model=mlp", "--latent=4", "--anchors=20", *flags.split())
    assert [word for word in words if word not in said] == [], said


def _no_network(url):
    raise data.SourceUnavailable(f"{url}: no network")
