"""The command run in this process, on pairs in files."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from align import solvers
from align.__main__ import main
from align.command import blocks


def pairs(n=200, d=6, seed=0):
    random = np.random.default_rng(seed)
    source = random.normal(size=(n, d)).astype(np.float32)
    turn = np.linalg.qr(random.normal(size=(d, d)))[0]
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    return source, (source @ turn + 3 + 0.01 * random.normal(size=(n, d))).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the same pairs in each format, and a fitted map."""
    monkeypatch.chdir(tmp_path)
    source, target = pairs()
    np.save("x.npy", source)
    np.save("y.npy", target)
    np.savez("pairs.npz", x=source, y=target)
    save_file({"x": source, "y": target}, "pairs.safetensors")
    solvers.rigid(source, target).save("map.safetensors", metadata={"solver": "rigid"})
    return tmp_path


def run(capsys, *argv):
    """Return the JSON that a command prints, after it succeeds."""
    code = main([*argv, "--json", "--quiet"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def small_blocks(monkeypatch, rows=7, d=6):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", rows * d * 4)
