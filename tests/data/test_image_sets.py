"""Images of any size in every layout: what is read is what was written, and the name says what it holds."""

import sys

import numpy as np
import pytest
from image_sets import COLOUR, GREY, ODD, prepare, splits, write_classes, write_npz, write_splits

from align import data
from align.data import DataError, idx, loading, tfds, tfds_images

SHAPES = {"8x8": GREY, "28x28": (28, 28, 1), "32x32x3": COLOUR, "15x20x3": ODD}


def assert_holds(dataset, arrays):
    """Compare a dataset with its arrays, standardised here by NumPy in float64."""
    train = arrays["x_train"].astype(np.float64) / 255
    mean, std = train.mean((0, 1, 2)), train.std((0, 1, 2))
    for split, which in ((dataset.train, "train"), (dataset.test, "test")):
        expected = (arrays[f"x_{which}"] / 255 - mean) / std
        np.testing.assert_allclose(split.images, expected, atol=1e-5)
        np.testing.assert_array_equal(split.labels, arrays[f"y_{which}"])
        assert (split.images.dtype, split.labels.dtype) == (np.float32, np.int32)
    np.testing.assert_allclose(dataset.mean, mean)
    np.testing.assert_allclose(dataset.std, std)
    assert dataset.shape == arrays["x_train"].shape[1:]


def in_order(arrays):
    """Give the arrays in the order of classes, as folders have them."""
    order = {which: np.argsort(arrays[f"y_{which}"], kind="stable") for which in ("train", "test")}
    return {name: array[order[name.partition("_")[2]]] for name, array in arrays.items()}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_npz(tmp_path, shape):
    arrays = splits(shape)
    dataset = data.load(str(write_npz(tmp_path / "my bands.npz", **arrays)))
    assert_holds(dataset, arrays)
    assert dataset.name.startswith("my_bands-") and dataset.source == "npz"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_folder_of_classes_in_splits(tmp_path, shape):
    arrays = splits(shape)
    dataset = data.load(str(write_splits(tmp_path / "bands", arrays)))
    assert_holds(dataset, in_order(arrays))
    assert dataset.name.startswith("bands-") and dataset.source == "folder"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_prepared_by_tensorflow_datasets(tmp_path, monkeypatch, shape):
    arrays = splits(shape)
    folder = prepare(tmp_path, "bands", arrays)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    dataset = data.load("bands")
    assert_holds(dataset, arrays)
    assert dataset.name.startswith("bands-") and dataset.source == "tfds (prepared)"
    assert (
        data.load(str(folder)).name
        == data.load("bands", tmp_path).name
        == data.load("bands:1.0.0").name
        == dataset.name
    )
    assert "tensorflow" not in sys.modules


def write_idx(folder, arrays):
    folder.mkdir(parents=True)
    for which, files in idx.FILES.items():
        for file, letter in zip(files, "xy", strict=True):
            array = arrays[f"{letter}_{which}"].astype(np.uint8)
            (folder / file).write_bytes(idx.encode(array[..., 0] if letter == "x" else array))


@pytest.mark.parametrize("place", ["MNIST/raw", "kmnist", "KMNIST/raw"])
def test_idx_files_by_path_and_by_name(tmp_path, place):
    arrays = splits((28, 28, 1))
    write_idx(tmp_path / place, arrays)
    by_path = data.load(str(tmp_path / place))
    assert_holds(by_path, arrays)
    assert by_path.source == "idx"
    assert by_path.name.partition("-")[0] == place.partition("/")[0]
    if "raw" in place:
        assert data.load(str(tmp_path / place.removesuffix("/raw"))).name == by_path.name
    if place[:5] != "MNIST":
        assert data.load("kmnist", tmp_path).name == f"kmnist-{by_path.name[-8:]}"


def test_files_are_of_one_folder(tmp_path):
    arrays = splits(GREY, train=12, test=6)
    write_idx(tmp_path / "digits", arrays)
    expected = data.load(str(tmp_path / "digits"))
    write_idx(tmp_path / "digits" / "digits", arrays | {"x_train": 255 - arrays["x_train"]})
    found = data.load(str(tmp_path / "digits"))
    assert found.name == expected.name
    np.testing.assert_array_equal(found.train.images, expected.train.images)


def test_torchvisions_root_serves_the_published_names(tmp_path, published):
    for name, place in (("mnist", "MNIST/raw"), ("fashion_mnist", "FashionMNIST/raw")):
        (tmp_path / place).mkdir(parents=True)
        for file, content in published[name].items():
            (tmp_path / place / file).write_bytes(content)
    assert [data.load(name, tmp_path).name for name in ("mnist", "fashion_mnist")] == ["mnist", "fashion_mnist"]
    assert data.load(str(tmp_path / "MNIST")).name == "mnist"


def test_published_images_keep_their_name_and_standardisation_in_whatever_file(tmp_path):
    sample = data.load("mnist_sample")
    found, arrays = loading._sample("mnist_sample"), {}
    for which, raw in (("train", found.train), ("test", found.test)):
        arrays |= {f"x_{which}": raw.images, f"y_{which}": raw.labels}
    same = data.load(str(write_npz(tmp_path / "other.npz", **arrays)))
    assert (same.name, same.source) == ("mnist_sample", "npz")
    np.testing.assert_allclose(same.train.images, sample.train.images, atol=1e-6)
    assert data.load("mnist_sample", mean=0.1307, std=0.3081).name == "mnist_sample"
    arrays["x_test"] = arrays["x_test"].copy()
    arrays["x_test"][0, 0, 0] ^= 1
    assert data.load(str(write_npz(tmp_path / "other.npz", **arrays))).name.startswith("other-")


@pytest.mark.parametrize("change", ["pixel", "label", "order", "standardisation", "split"])
def test_whatever_changes_in_the_data_changes_their_name(tmp_path, change):
    arrays, options = splits(GREY), {}
    path = write_npz(tmp_path / "bands.npz", **arrays)
    before = data.load(str(path)).name
    assert data.load(str(path)).name == before
    if change == "pixel":
        arrays["x_test"][3, 2, 1] ^= 1
    elif change == "label":
        arrays["y_train"][0] = 1
    elif change == "order":
        arrays |= {name: array[::-1] for name, array in arrays.items()}
    elif change == "standardisation":
        options = {"mean": 0.5, "std": 0.25}
    else:
        arrays |= {"x_train": arrays["x_train"][:27], "y_train": arrays["y_train"][:27]}
    write_npz(path, **arrays)
    after = data.load(str(path), **options).name
    assert after != before and after.startswith("bands-")


def test_a_given_standardisation_is_of_pixels_from_0_to_1(tmp_path):
    arrays = splits(ODD)
    path = str(write_npz(tmp_path / "bands.npz", **arrays))
    dataset = data.load(path, mean=[0.5, 0.4, 0.3], std=0.25)
    np.testing.assert_allclose(dataset.test.images, (arrays["x_test"] / 255 - [0.5, 0.4, 0.3]) / 0.25, atol=1e-5)


@pytest.mark.parametrize(
    "convert", [lambda x: x.astype(np.uint16) * 257, lambda x: x / 255.0, lambda x: x - 100.0, np.int64]
)
def test_pixels_of_any_depth_are_standardised_alike(tmp_path, convert):
    arrays = splits(GREY)
    usual = data.load(str(write_npz(tmp_path / "bands.npz", **arrays)))
    deep = arrays | {name: convert(arrays[name]) for name in ("x_train", "x_test")}
    other = data.load(str(write_npz(tmp_path / "bands.npz", **deep)))
    np.testing.assert_allclose(other.test.images, usual.test.images, atol=1e-5)


def test_a_constant_channel_is_no_division_by_zero(tmp_path):
    arrays = splits(ODD)
    for name in ("x_train", "x_test"):
        arrays[name][..., 1] = 7
    dataset = data.load(str(write_npz(tmp_path / "bands.npz", **arrays)))
    assert np.isfinite(dataset.train.images).all() and not dataset.train.images[..., 1].any()


def test_without_a_split_a_fifth_of_each_class_is_drawn(tmp_path):
    arrays = splits(ODD)
    write_classes(tmp_path, arrays["x_train"], arrays["y_train"])
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "class0" / "Thumbs.db").write_bytes(b"of a file manager")
    dataset = data.load(str(tmp_path))
    assert (
        np.bincount(dataset.test.labels).tolist() == [2, 2, 2] and np.bincount(dataset.train.labels).tolist() == [8] * 3
    )
    assert data.load(str(tmp_path)).name == dataset.name and "a fifth drawn" in dataset.source
    both = np.concatenate([dataset.train.images, dataset.test.images])
    assert len({image.tobytes() for image in both}) == 30


def test_grey_files_among_coloured_ones_and_other_kinds_of_files(tmp_path):
    from PIL import Image

    arrays = splits(ODD)
    write_splits(tmp_path, arrays)
    first = sorted((tmp_path / "train" / "class0").iterdir())
    with Image.open(first[0]) as image:
        image.convert("L").save(first[0])
    with Image.open(first[1]) as image:
        image.convert("RGBA").save(first[1])
    with Image.open(first[2]) as image:
        image.save(first[2].with_suffix(".bmp"))
    first[2].unlink()
    dataset = data.load(str(tmp_path))
    assert dataset.shape == ODD
    pixels = np.rint((dataset.train.images * dataset.std + dataset.mean) * 255)
    assert (np.ptp(pixels[0], axis=-1) == 0).all()
    np.testing.assert_array_equal(pixels[1:3], in_order(arrays)["x_train"][1:3])


def test_a_configuration_is_named_after_a_slash(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for config in ("letters", "digits"):
        prepare(tmp_path, "emnist", splits(GREY), config=config)
    assert data.load("emnist/letters").name.startswith("emnist_letters-")
    with pytest.raises(DataError, match=r"emnist \(--dataset\) must name .*emnist/digits, emnist/letters"):
        data.load("emnist")


def test_without_a_test_split_validation_serves_or_a_fifth(tmp_path):
    arrays = splits(GREY)
    prepare(tmp_path, "valid", arrays, splits=("train", "validation"))
    assert_holds(data.load("valid", tmp_path), arrays)
    prepare(tmp_path, "whole", arrays, splits=("train",))
    dataset = data.load("whole", tmp_path)
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (24, 6) and "a fifth drawn" in dataset.source


def test_the_newest_version_is_read(tmp_path):
    arrays = splits(GREY)
    for version, brighter in (("9.0.0", 0), ("10.0.0", 1)):
        prepare(tmp_path / version, "bands", arrays | {"x_test": arrays["x_test"] + brighter})
        (tmp_path / "bands").mkdir(exist_ok=True)
        (tmp_path / version / "bands" / "1.0.0").rename(tmp_path / "bands" / version)
    assert tfds_images.prepared("bands", [tmp_path]).name == "10.0.0"
    assert tfds_images.prepared("bands:9.0.0", [tmp_path]).name == "9.0.0"


def test_a_set_that_is_known_but_not_prepared_is_one_line_without_a_network(tmp_path, monkeypatch):
    with pytest.raises(
        DataError, match=r"cifar10 \(--dataset\) is not prepared .*no network.*tfds build cifar10"
    ) as caught:
        data.load("cifar10")
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"is not prepared in .* \(--data_dir\)"):
        data.load("cifar10", tmp_path)
    (tmp_path / "cifar10").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"would be \./cifar10"):
        data.load("cifar10")


def test_a_set_is_prepared_from_its_download_and_found_the_next_time(tmp_path, monkeypatch):
    import io

    import tensorflow_datasets
    from image_sets import encoded

    arrays, asked = splits(ODD), []

    class DownloadedBands(tensorflow_datasets.core.GeneratorBasedBuilder):
        """Bands from an address."""

        VERSION = tensorflow_datasets.core.Version("1.0.0")
        url_infos = {"https://example.invalid/bands": None}  # noqa: RUF012 (the base class's property)

        @classmethod
        def _get_pkg_dir_path(cls):
            return tmp_path

        def _info(self):
            features = tensorflow_datasets.features
            described = {"image": features.Image(shape=ODD), "label": features.ClassLabel(num_classes=3)}
            return tensorflow_datasets.core.DatasetInfo(builder=self, features=features.FeaturesDict(described))

        def _split_generators(self, dl_manager):
            return {which: self._generate_examples(which) for which in ("train", "test")}

        def _generate_examples(self, which):
            for place, (image, label) in enumerate(zip(arrays[f"x_{which}"], arrays[f"y_{which}"], strict=True)):
                yield place, {"image": io.BytesIO(encoded(image)), "label": int(label)}

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds, "probe", asked.append)
    first, second = data.load("downloaded_bands"), data.load("downloaded_bands")
    assert asked == ["https://example.invalid/bands"]
    assert first.name == second.name and first.shape == ODD
    by_class = [sorted(image.tobytes() for image in dataset.train.images) for dataset in (first, second)]
    assert by_class[0] == by_class[1] and len(by_class[0]) == 30
