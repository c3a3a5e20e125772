import gzip
import hashlib
import runpy
import sys

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


def test_one_command_makes_both_samples_and_prints_what_belongs_into_checksums(
    monkeypatch, tmp_path, published, capsys
):
    for name, files in published.items():
        (tmp_path / name).mkdir()
        for file, data in files.items():
            (tmp_path / name / file).write_bytes(data)
    command = ["make_sample", f"--data_dir={tmp_path}", f"--target={tmp_path / 'sample'}"]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path(make_sample.__file__, run_name="__main__")
    made = {path.name: path.read_bytes() for path in (tmp_path / "sample").iterdir()}
    assert sorted(made) == sorted(f"{name}-{file}.gz" for name in published for file in idx.ALL_FILES)
    printed = capsys.readouterr().out
    for packed in made.values():
        assert hashlib.sha256(gzip.decompress(packed)).hexdigest() in printed
