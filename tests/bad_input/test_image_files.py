"""Folders of images in a state they should not be in: one line that names the file, what came and what was expected."""

import os

import numpy as np
import pytest
from image_sets import GREY, ODD, as_tfrecords, encoded, prepare, splits, write_splits
from refusals import refuse_images

from align.data import pixels


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
    refuse_images(folder, str(folder), *words)


def test_a_class_of_one_image_cannot_be_drawn_from(tmp_path):
    for place in ("train/class0/0000.png", "train/class0/0003.png", "train/class1/0001.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(PICTURE)
    refuse_images(tmp_path / "train", "class1 must hold two images or more", "it holds one")


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
    refuse_images(folder, str(folder), "must have one image and one class label", named)


def test_prepared_sets_of_mixed_sizes(tmp_path):
    arrays = splits(ODD)
    arrays["x_train"] = [*arrays["x_train"][:5], *arrays["x_train"][5:, :7]]
    arrays["x_train"] = Mixed(arrays["x_train"])
    folder = prepare(tmp_path, "bands", arrays)
    refuse_images(folder, str(folder), "images must be of one size", "(7, 20, 3)")


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
    refuse_images(folder, str(folder), words.get(damage, "cannot read"))


def test_more_images_than_fit_into_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sysconf", lambda name: 100)
    folder = write_splits(tmp_path / "bands", splits(ODD))
    refuse_images(folder, str(folder / "train"), "39 images of 15 x 20 x 3", "of memory")
    monkeypatch.delattr(os, "sysconf")  # not said by every system
    assert pixels.check_fits(10**9, ODD, "anywhere") is None
