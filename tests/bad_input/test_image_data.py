"""Images in a state they should not be in: one line that names the file or array, what came and what was expected."""

import os
from pathlib import Path

import numpy as np
import pytest
from image_sets import GREY, ODD, as_tfrecords, encoded, prepare, splits, write_npz, write_splits
from refusals import Refusal, every

from align import data, models
from align.data import DataError, pixels


def refuse(name, *words, error=DataError, **options):
    """Load what must be refused with these words, in one line."""
    Refusal(lambda: data.load(str(name), **options), *words, error=error).check()
    with pytest.raises(error) as raised:
        data.load(str(name), **options)
    assert "\n" not in str(raised.value)


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
    refuse(path, *words[:3])


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed", "an array", "no archive"])
def test_files_that_are_no_npz(tmp_path, damage):
    path = write_npz(tmp_path / "bands.npz", **splits(GREY))
    whole = path.read_bytes()
    middle = len(whole) // 2
    spoilt = {
        "empty": b"",
        "cut off": whole[:middle],
        "changed": whole[:1000] + bytes(byte ^ 255 for byte in whole[1000:1100]) + whole[1100:],
        "no archive": b"not what its name says",
    }
    if damage == "an array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        path.write_bytes(spoilt[damage])
    refuse(path, "cannot read", str(path), WANTS)


def lay(change):
    """Give a function that writes a folder of classes and changes it."""

    def write(folder):
        write_splits(folder, splits(ODD))
        change(folder)

    return write


def moved(folder, old, new):
    (folder / old).rename(folder / new)


def emptied(folder, within):
    for path in (folder / within).iterdir():
        path.unlink()


def replaced(content):
    return lambda folder: (folder / "train" / "class1" / "0001.png").write_bytes(content)


PICTURE = encoded(np.zeros(ODD, np.uint8))
BAD = ("cannot read the image", "0001.png")
FOLDERS = {
    "no test": (lambda folder: moved(folder, "test", "testing"), "has train/ but none of test/, val/"),
    "a class without images": (lambda folder: emptied(folder, "train/class1"), "class1 holds no image", ".png, .jpg"),
    "a class only in training": (lambda folder: moved(folder, "test/class2", ".gone"), "test lacks classes", "class2"),
    "a class only in the test": (lambda folder: moved(folder, "train/class2", ".gone"), "train lacks", "class2"),
    "one class": (
        lambda folder: [
            moved(folder, f"{split}/class{c}", f".{split}{c}") for split in ("train", "test") for c in (1, 2)
        ],
        "two classes or more",
        "there are 1",
    ),
    "no classes": (
        lambda folder: [moved(folder, f"train/class{c}", f".{c}") for c in range(3)],
        "two classes or more",
        "there are 0",
    ),
    "an empty image": (replaced(b""), *BAD),
    "an image cut off": (replaced(encoded(splits(ODD)["x_train"][0])[:-60]), *BAD),
    "an image that is none": (replaced(b"not what its name says"), *BAD),
    "mixed sizes": (replaced(encoded(np.zeros((15, 21, 3), np.uint8))), "0001.png is 15 x 21", "must be of one size"),
    "mixed depths": (replaced(encoded(np.zeros((15, 20), np.uint16))), "0001.png has uint16", "must be of one depth"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_of_classes(tmp_path, case):
    change, *words = FOLDERS[case]
    folder = tmp_path / "bands"
    lay(change)(folder)
    refuse(folder, str(folder), *words)


def test_a_class_of_one_image_cannot_be_drawn_from(tmp_path):
    for place in ("train/class0/0000.png", "train/class0/0003.png", "train/class1/0001.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(PICTURE)
    refuse(tmp_path / "train", "class1 must hold two images or more", "it holds one")


@pytest.mark.parametrize("where", ["./nowhere", "/nowhere/at/all", "nowhere.npz", "~/nowhere", "./" + "x" * 300])
def test_paths_at_which_there_is_nothing(tmp_path, monkeypatch, where):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    refuse(where, f"name is {where!r} (--dataset)", "expected one of 'mnist'", "a .npz of", error=ValueError)


@pytest.mark.parametrize(("where", "said"), [("./file", "cannot read file"), ("./empty", "empty (--dataset) holds no")])
def test_paths_of_something_else(tmp_path, monkeypatch, where, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"no images")
    monkeypatch.chdir(tmp_path)
    refuse(where, said, "a .npz of")


NAMES = ("cifar", "mnist ", "mnist/", "a\0b", "a/b/c", "emnist/", "cifar10:", "cifar10:new", "-", "CIFAR10", "x" * 300)


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    refuse(name, f"name is {name!r} (--dataset)", "expected one of 'mnist'", error=ValueError)


def label_only(features):
    return {"label": features.ClassLabel(num_classes=3)}


def image_only(features):
    return {"image": features.Image(shape=ODD)}


def two_labels(features):
    return {
        "image": features.Image(shape=ODD),
        "label": features.ClassLabel(num_classes=3),
        "other": features.ClassLabel(num_classes=3),
    }


@pytest.mark.parametrize(
    ("features", "named"),
    [(label_only, "label (ClassLabel)"), (image_only, "image (Image)"), (two_labels, "other (ClassLabel)")],
)
def test_prepared_sets_that_are_not_images_with_labels(tmp_path, features, named):
    folder = prepare(tmp_path, "bands", splits(ODD), features=features)
    refuse(folder, str(folder), "must have one image and one class label", named)


def test_prepared_sets_of_mixed_sizes(tmp_path):
    arrays = splits(ODD)
    arrays["x_train"] = [*arrays["x_train"][:5], *arrays["x_train"][5:, :7]]
    arrays["x_train"] = Mixed(arrays["x_train"])
    folder = prepare(tmp_path, "bands", arrays)
    refuse(folder, str(folder), "images must be of one size", "(7, 20, 3)")


class Mixed(list):
    """Images of several sizes, of three channels."""

    shape = (30, None, None, 3)


@pytest.mark.parametrize("damage", ["no split", "fewer", "changed", "cut off", "no features", "no description"])
def test_prepared_sets_that_are_damaged(tmp_path, damage):
    folder = prepare(tmp_path, "bands", splits(GREY), splits=("test",) if damage == "no split" else ("train", "test"))
    file = next(folder.glob("bands-test*"))
    described = folder / "dataset_info.json"
    words = {"no split": "no split train, but test"}
    if damage == "fewer":
        as_tfrecords(folder)
        described.write_text(described.read_text().replace('"9"', '"8"'))
        words["fewer"] = "has 9 examples, but its description says 8"
    elif damage == "changed":
        content = file.read_bytes()
        file.write_bytes(content[:200] + bytes(byte ^ 255 for byte in content[200:400]) + content[400:])
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-300])
    elif damage == "no features":
        (folder / "features.json").unlink()
    elif damage == "no description":
        described.write_text("{")
    refuse(folder, str(folder), words.get(damage, "cannot read"))


def test_more_images_than_fit_into_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    folder = write_splits(tmp_path / "bands", splits(ODD))
    refuse(folder, str(folder / "train"), "39 images of 15 x 20 x 3", "of memory")
    monkeypatch.delattr(os, "sysconf")  # not said by every system
    assert pixels.check_fits(10**9, ODD, "anywhere") is None


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
    refuse(write_npz(tmp_path / "bands.npz", **splits(ODD)), *words, error=ValueError, **options)


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
