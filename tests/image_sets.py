"""Small sets of images in the layouts in which people keep them, each with colours that tell its classes."""

import io
import struct
from pathlib import Path

import numpy as np

GREY, COLOUR, ODD = (8, 8, 1), (32, 32, 3), (15, 20, 3)


def images(shape, count, classes=3, seed=0):
    """Draw images uint8 `[count, *shape]` of classes in turn, and labels `[count]`: a bright band at its own height."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = rng.integers(0, 60, (count, *shape), np.uint8)
    height = shape[0] // classes
    for image, label in zip(pixels, labels, strict=True):
        image[label * height : (label + 1) * height, :, label % shape[2]] += 180
    return pixels, labels


def splits(shape, train=30, test=9, classes=3):
    """Draw the four arrays of a set by the names that Keras gives them."""
    arrays = (*images(shape, train, classes), *images(shape, test, classes, seed=1))
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))


def write_npz(path, **arrays):
    """Write a file as Keras keeps datasets."""
    np.savez(path, **arrays)
    return path


def encoded(image, kind="PNG"):
    """Give an image `[h, w]`, `[h, w, 1]` or `[h, w, 3]` as the bytes of a file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(file, format=kind)
    return file.getvalue()


def write_classes(folder, pixels, labels, suffix=".png"):
    """Write one folder a class."""
    for place, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = Path(folder, f"class{label}", f"{place:04}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(image))
    return Path(folder)


def write_splits(folder, arrays):
    """Write one folder a class within train/ and test/."""
    for split in ("train", "test"):
        write_classes(Path(folder, split), arrays[f"x_{split}"], arrays[f"y_{split}"])
    return Path(folder)


def prepare(root, name, arrays, *, splits=("train", "test"), features=None, config=""):
    """Have TensorFlow Datasets write a set as it does what it has prepared; give the folder of the version."""
    import tensorflow_datasets as tfds

    folder = Path(root, name, config, "1.0.0")
    folder.mkdir(parents=True)
    labels = tfds.features.ClassLabel(num_classes=int(arrays["y_train"].max()) + 1)
    image = tfds.features.Image(shape=(None, None, arrays["x_train"].shape[3]))
    usual = {"image": image, "label": labels}
    described = tfds.features.FeaturesDict(features(tfds.features) if features else usual)
    version = tfds.core.Version("1.0.0")
    known = tfds.core.dataset_info.DatasetIdentity(
        name=name, version=version, data_dir=str(folder), module_name="tests", config_name=config or None
    )
    keys = None if features else ("image", "label")
    info = tfds.core.DatasetInfo(builder=known, features=described, supervised_keys=keys)
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=20, file_format="array_record")
    writer.initialize_splits(list(splits))
    for split in splits:
        which = "test" if split in ("test", "validation") else "train"
        for image, label in zip(arrays[f"x_{which}"], arrays[f"y_{which}"], strict=True):
            example = {"image": io.BytesIO(encoded(image)), "label": int(label)}
            writer.add_examples({split: [{key: example.get(key, 0) for key in described}]})
    writer.close_all()
    return folder


def as_tfrecords(folder):
    """Rewrite what is prepared in a folder from array_record, which needs no TensorFlow, to tfrecord, the default."""
    from array_record.python.array_record_module import ArrayRecordReader

    for path in folder.glob("*array_record*"):
        reader = ArrayRecordReader(str(path))
        with open(str(path).replace("array_record", "tfrecord"), "wb") as file:
            for record in reader.read_all():
                file.write(struct.pack("<Q", len(record)) + b"crc1" + record + b"crc2")
        reader.close()
        path.unlink()
    description = folder / "dataset_info.json"
    description.write_text(description.read_text().replace("array_record", "tfrecord"))
    return folder
