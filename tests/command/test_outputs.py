"""What is written: to a disk that is full, through links, and to whoever reads no further."""

import os
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from on_files import run

from align import files
from align.__main__ import main
from align.command import printing, running
from align.maps import AffineMap


@pytest.fixture
def at_most():
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("suffix", [*files.WRITTEN])
def test_a_full_disk_names_the_output(tmp_path, monkeypatch, at_most, suffix, size):
    monkeypatch.chdir(tmp_path)
    rows, words = np.random.default_rng(0).normal(size=(1000, 8)).astype(np.float32), [f"w{row}" for row in range(1000)]
    dtype = np.dtype(np.uint8 if suffix == ".bvecs" else np.float32)
    at_most(size // (4 if suffix == ".bvecs" else 1))
    with (
        pytest.raises(OSError, match=rf"File too large: 'z{suffix}'"),
        files.writing(f"z{suffix}", (4000, 8), dtype) as append,
    ):
        for _ in range(4):
            append(np.abs(rows), {"word": words, "vector": None} if files.keeps_others(f"z{suffix}") else None)
    assert not [*tmp_path.iterdir()]


def test_links_stay_and_need_to_be_allowed(folder, capsys):
    Path("link.npy").symlink_to("target.npy")
    argv = ("apply", "map.safetensors", "x.npy", "-o", "link.npy")
    assert main([*argv, "--quiet"]) == 2 and "link.npy exists" in capsys.readouterr().err
    for _ in range(2):  # to nothing, and to a file
        run(capsys, *argv, "--overwrite")
        assert Path("link.npy").is_symlink() and Path("target.npy").is_file()
    Path("lost.npy").symlink_to("none/target.npy")
    assert main([*argv[:-1], "lost.npy", "--overwrite", "--quiet"]) == 2
    assert "no such folder for the output" in capsys.readouterr().err


@pytest.mark.parametrize("json", [True, False])
def test_a_summary_that_cannot_be_printed(monkeypatch, json):
    arguments, result = SimpleNamespace(name="apply", json=json), {"output": "z.npy", "rows": 3}
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(OSError, match=r"z.npy is written; the summary could not be printed: No space left"):
            printing.show(arguments, result)
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as closed:  # who reads no further has read enough
        monkeypatch.setattr("sys.stdout", closed)
        printing.show(arguments, result)


def test_interrupted_before_the_run(monkeypatch, capfd):
    def ended(code):
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    monkeypatch.setattr(running, "_asked", lambda argv: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as raised:
            running.console()
    finally:
        signal.signal(signal.SIGINT, before)
    assert raised.value.code == 130 and capfd.readouterr().err == "align: interrupted\n"


def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"no regular file.*pipe"):
        AffineMap.identity(2).save(tmp_path / "pipe")
    assert not (tmp_path / "pipe").is_file()


@pytest.mark.parametrize("ending", ["npz", "safetensors", "h5"])
def test_arrays_beside_the_one_that_is_written_are_not_lost(folder, capsys, ending):
    file = Path(f"pairs.{ending}")
    if ending == "h5":
        with h5py.File(file, "w") as made:
            made["x"], made["y"] = np.ones((3, 2)), np.ones((3, 2))
    before = file.read_bytes()
    argv = ("apply", "map.safetensors", "x.npy", "--overwrite", "--quiet")
    assert main([*argv, "-o", f"{file}:x"]) == 2
    assert f"{file} holds y as well, which would be lost" in capsys.readouterr().err and file.read_bytes() == before
    assert main([*argv, "-o", str(file)]) == 0  # the file as a whole
    assert main([*argv, "-o", f"new.{ending}:x"]) == 0 == main([*argv, "-o", f"new.{ending}:x"])
