import os
import sys
from pathlib import Path

import pytest

from align.data import DataError, SourceUnavailable, folders


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/someone/.cache"),
        ("darwin", {}, "/home/someone/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
        ("win32", {}, "/home/someone/AppData/Local"),
        ("linux", {"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere"),
        ("darwin", {"XDG_CACHE_HOME": "~/elsewhere"}, "/home/someone/elsewhere"),
    ],
)
def test_cache_dir_is_where_the_platform_keeps_caches(monkeypatch, platform, environment, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert folders.cache_dir() == Path(expected, "align", "data")


def test_read_folder_names_the_missing_files_only(tmp_path, published):
    for file, data in published["mnist"].items():
        (tmp_path / file).write_bytes(data)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(SourceUnavailable, match=r"has no t10k-labels-idx1-ubyte \(each with or without \.gz\)"):
        folders.read_folder("mnist", tmp_path)
    with pytest.raises(SourceUnavailable, match=r"absent is not a folder"):
        folders.read_folder("mnist", tmp_path / "absent")


def test_write_atomically_replaces_the_whole_file(tmp_path):
    path = tmp_path / "made" / "on" / "the way" / "file"
    folders.write_atomically(path, b"old")
    folders.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(monkeypatch, tmp_path, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_bytes = Path.write_bytes

    def half_written(self, data):
        write_bytes(self, data[:2])
        raise OSError(28, "No space left on device")

    def not_replaced(source, target):
        raise KeyboardInterrupt

    if step == "write":
        monkeypatch.setattr(Path, "write_bytes", half_written)
    else:
        monkeypatch.setattr(os, "replace", not_replaced)
    with pytest.raises((OSError, KeyboardInterrupt)):
        folders.write_atomically(path, b"newer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_cache_says_what_to_do_where_it_cannot_write(monkeypatch, tmp_path):
    # A file in the place of the folder stops every user, root included.
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write the cache .*file.*mnist: .*Set XDG_CACHE_HOME"):
        folders.write_cache("mnist", {"train-images-idx3-ubyte": b""})
