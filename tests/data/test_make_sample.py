import gzip

import numpy as np

from align.data import idx, make_sample


def test_balanced_takes_the_first_of_each_class_in_order():
    labels = np.array([*range(10), *range(10), *range(10)])[::-1]
    np.testing.assert_array_equal(make_sample.balanced(labels, 2), np.arange(20))
    np.testing.assert_array_equal(make_sample.balanced(np.repeat(np.arange(10), 3), 1), np.arange(0, 30, 3))


def test_sample_is_the_same_bytes_every_time(monkeypatch, tmp_path, published, capsys):
    monkeypatch.setattr(make_sample, "PER_CLASS", {"train": 2, "test": 1})
    for file, data in published["mnist"].items():
        (tmp_path / file).write_bytes(data)
    for target in ("first", "second"):
        make_sample.make("mnist", tmp_path, tmp_path / target)
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / t).iterdir()} for t in ("first", "second"))
    assert first == second
    assert all(packed[4:8] == bytes(4) for packed in first.values())  # the gzip header's time
    images = idx.parse(gzip.decompress(first["mnist-train-images-idx3-ubyte.gz"]), rank=3, where="")
    whole = idx.parse(published["mnist"]["train-images-idx3-ubyte"], rank=3, where="")
    np.testing.assert_array_equal(images, whole[:20])
