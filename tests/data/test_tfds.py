import gzip
import io
import json
import struct
import sys
import threading
import types
import urllib.request

import pytest

from align.data import SourceUnavailable, idx, tfds

FEATURES = {
    "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
    "featuresDict": {
        "features": {
            "image": {
                "pythonClassName": "tensorflow_datasets.core.features.image_feature.Image",
                "image": {"dtype": "uint8", "shape": {"dimensions": ["28", "28", "1"]}},
            },
            "label": {
                "pythonClassName": "tensorflow_datasets.core.features.class_label_feature.ClassLabel",
                "classLabel": {"numClasses": "10"},
            },
        }
    },
}


def write_tfrecord(path, records):
    with open(path, "wb") as file:
        for record in records:
            file.write(struct.pack("<Q", len(record)) + b"crc1" + record + b"crc2")


def write_array_record(path, records):
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()


WRITERS = {"tfrecord": write_tfrecord, "array_record": write_array_record}


@pytest.fixture
def prepared_copy(monkeypatch, tmp_path, published):
    """Write a prepared copy as TensorFlow Datasets lays it out on disk: two files for train, one for test."""
    from PIL import Image
    from tensorflow_datasets.core.hashing import Hasher
    from tensorflow_datasets.proto import tf_example_generated_pb2 as proto

    def example(image, label):
        png = io.BytesIO()
        Image.fromarray(image).save(png, format="PNG")
        message = proto.Example()
        message.features.feature["image"].bytes_list.value.append(png.getvalue())
        message.features.feature["label"].int64_list.value.append(int(label))
        return message.SerializeToString()

    def write(file_format):
        folder = tmp_path / "tfds" / "mnist" / "3.0.1"
        folder.mkdir(parents=True)
        splits = []
        for split, shards in (("train", (13, 17)), ("test", (20,))):
            images, labels = (
                idx.parse(published["mnist"][file], rank=rank, where=file)
                for file, rank in zip(idx.FILES[split], (3, 1), strict=True)
            )
            order = sorted(range(len(labels)), key=Hasher(split).hash_key)
            records = iter([example(images[i], labels[i]) for i in order])
            for shard, length in enumerate(shards):
                path = folder / f"mnist-{split}.{file_format}-{shard:05d}-of-{len(shards):05d}"
                WRITERS[file_format](path, [next(records) for _ in range(length)])
            template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
            splits.append({"name": split, "shardLengths": [str(n) for n in shards], "filepathTemplate": template})
        info = {"name": "mnist", "version": "3.0.1", "fileFormat": file_format, "splits": splits}
        (folder / "dataset_info.json").write_text(json.dumps(info))
        (folder / "features.json").write_text(json.dumps(FEATURES))
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
        return folder

    return write


@pytest.mark.parametrize("file_format", WRITERS)
def test_prepared_copy_gives_the_published_files_byte_by_byte(prepared_copy, published, file_format):
    prepared_copy(file_format)
    assert tfds.prepared("mnist") == published["mnist"]
    assert "tensorflow" not in sys.modules


def test_without_a_prepared_copy_nothing_is_imported(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # an import would fail
    with pytest.raises(SourceUnavailable, match=r"no prepared copy in .*no-tfds"):
        tfds.prepared("mnist")


def test_a_damaged_prepared_copy_is_no_source(prepared_copy):
    folder = prepared_copy("tfrecord")
    path = next(folder.glob("mnist-test*"))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceUnavailable):
        tfds.prepared("mnist")


def test_of_a_failure_that_lists_everything_the_first_line_is_said():
    with pytest.raises(SourceUnavailable) as caught:
        tfds.download("no_such_dataset")  # the catalogue of all datasets follows
    assert str(caught.value) == "DatasetNotFoundError: Dataset no_such_dataset not found."


def test_a_prepared_copy_that_tfds_cannot_read_is_no_source(prepared_copy):
    (prepared_copy("tfrecord") / "features.json").unlink()
    with pytest.raises(SourceUnavailable, match=r"\w+Error: "):
        tfds.prepared("mnist")


@pytest.fixture
def fake_tfds(monkeypatch, tmp_path, published):
    """Stand in for the package: the address of the files, and a manager that fetches from `published`."""

    def manager(*, download_dir, force_checksums_validation):
        assert force_checksums_validation

        def download(urls):
            paths = {}
            for file, url in urls.items():
                assert url == f"https://example.invalid/mnist/{file}.gz"
                paths[file] = f"{download_dir}/{file}.gz"
                with open(paths[file], "wb") as out:
                    out.write(gzip.compress(published["mnist"][file]))
            return paths

        return types.SimpleNamespace(download=download)

    fake = types.ModuleType("tensorflow_datasets")
    fake.builder_cls = lambda name: types.SimpleNamespace(URL=f"https://example.invalid/{name}/")
    fake.download = types.SimpleNamespace(DownloadManager=manager)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)
    return fake


def test_download_gives_the_decompressed_files(monkeypatch, fake_tfds, published):
    asked = []

    def answer(request, timeout):
        asked.append((request.get_method(), request.full_url))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert tfds.download("mnist") == published["mnist"]
    assert asked == [("HEAD", "https://example.invalid/mnist/train-images-idx3-ubyte.gz")]


def test_download_without_network_never_starts_the_manager(fake_tfds):
    fake_tfds.download = None
    with pytest.raises(SourceUnavailable, match=r"example\.invalid.*no network"):
        tfds.download("mnist")


def test_download_gives_up_where_nothing_answers(monkeypatch, fake_tfds):
    released = threading.Event()
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: released.wait(30))
    monkeypatch.setattr(tfds, "_PROBE_SECONDS", 0.05)
    try:
        with pytest.raises(SourceUnavailable, match=r"no answer within 0\.05 s"):
            tfds.download("mnist")
    finally:
        released.set()


def test_download_that_fails_in_the_manager_is_no_source(monkeypatch, fake_tfds):
    def broken(**kwargs):
        raise ConnectionResetError("in the middle of it")

    fake_tfds.download.DownloadManager = broken
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: io.BytesIO())
    with pytest.raises(SourceUnavailable, match="ConnectionResetError: in the middle of it"):
        tfds.download("mnist")


def test_download_without_the_package_is_no_source(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(SourceUnavailable, match="tensorflow_datasets"):
        tfds.download("mnist")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_installed_package_knows_address_and_checksum_of_every_file(name):
    import tensorflow_datasets
    from tensorflow_datasets.core.download import checksums

    known = checksums.get_all_url_infos()
    for file in idx.ALL_FILES:
        assert f"{tensorflow_datasets.builder_cls(name).URL}{file}.gz" in known
