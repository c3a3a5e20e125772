"""Every state that a data folder should not be in: named and refused, and nothing is trained or written."""

import shutil

import pytest
from refused import RUN, assert_refused

from align.data import folders, idx, loading


def sample_files():
    return {file: idx.read(loading.SAMPLE_DIR / f"mnist-{file}.gz") for file in idx.ALL_FILES}


IMAGES, LABELS = idx.FILES["train"]
WRONG_DATA = {
    "the sample in the place of the full set": (lambda files: None, "these are the bytes of mnist_sample/"),
    "another data set": (
        lambda files: files.update({IMAGES: idx.read(loading.SAMPLE_DIR / f"fashion_mnist-{IMAGES}.gz")}),
        "these are the bytes of fashion_mnist_sample/train-images",
    ),
    "images and labels swapped": (
        lambda files: files.update({IMAGES: files[LABELS], LABELS: files[IMAGES]}),
        "train-images-idx3-ubyte",
        "should hold images",
        "but it holds labels",
    ),
    "training and test swapped": (
        lambda files: files.update({IMAGES: files[idx.FILES["test"][0]]}),
        "these are the bytes of mnist_sample/t10k-images",
    ),
    "one bit changed": (
        lambda files: files.update({IMAGES: files[IMAGES][:-1] + bytes([files[IMAGES][-1] ^ 1])}),
        "its SHA-256 is ",
        ", expected ",
    ),
    "cut off": (lambda files: files.update({IMAGES: files[IMAGES][:-1]}), "bytes, but its header says"),
    "cut off within the header": (lambda files: files.update({IMAGES: files[IMAGES][:9]}), "ends within its header"),
    "empty": (lambda files: files.update({IMAGES: b""}), "its magic number is 0x(empty)"),
    "a damaged gzip file": (lambda files: files.update({IMAGES: b"\x1f\x8b\x08junk"}), "truncated or damaged gzip"),
    "missing": (lambda files: files.pop(LABELS), "has no train-labels-idx1-ubyte"),
}


# An unfinished cache is fetched again.
@pytest.mark.parametrize(
    ("where", "name"),
    [("named", name) for name in WRONG_DATA] + [("cached", name) for name in WRONG_DATA if name != "missing"],
)
def test_wrong_data(experiment, monkeypatch, tmp_path, where, name):
    change, *named = WRONG_DATA[name]
    files = sample_files()
    change(files)
    monkeypatch.delenv("ALIGN_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "named" if where == "named" else folders.cache_dir() / "mnist"
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    flags = [flag for flag in RUN if "dataset" not in flag]
    flags += [f"--data_dir={folder}"] if where == "named" else []
    run = experiment("anchors", "--dataset=mnist", *flags)
    advice = "no sound mnist in data_dir" if where == "named" else "Delete the folder"
    assert_refused(run, (*named, str(folder), advice))
    assert not experiment.workdir.exists()


def test_a_damaged_sample(experiment, monkeypatch, tmp_path):
    shutil.copytree(loading.SAMPLE_DIR, tmp_path / "sample")
    path = tmp_path / "sample" / f"mnist-{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.setattr(loading, "SAMPLE_DIR", tmp_path / "sample")
    run = experiment("anchors", *RUN)
    assert_refused(run, ("the sample that the package ships is not sound", path.name, "Install the package anew"))
    assert not experiment.workdir.exists()
