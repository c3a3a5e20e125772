"""A small published set in place of the full ones, and a machine without network, cache or installed packages."""

import hashlib
import subprocess
import urllib.error
import urllib.request

import numpy as np
import pytest

from align.data import checksums, idx, packages


@pytest.fixture(autouse=True)
def isolated(monkeypatch, tmp_path):
    monkeypatch.delenv("ALIGN_DATA_DIR", raising=False)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-tfds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "DEBIAN_FOLDER", tmp_path / "not-installed")

    def no_network(*args, **kwargs):
        raise urllib.error.URLError("no network")

    def no_command(command, **kwargs):
        raise subprocess.CalledProcessError(1, command, stderr="no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr(subprocess, "run", no_command)


@pytest.fixture
def published(monkeypatch):
    """Thirty training and twenty test images of each set, as the four files whose checksums are expected."""
    sets = {}
    for seed, name in enumerate(("mnist", "fashion_mnist")):
        rng = np.random.default_rng(seed)
        sets[name] = {}
        for (images, labels), n in zip(idx.FILES.values(), (30, 20), strict=True):
            sets[name][images] = idx.encode(rng.integers(0, 256, (n, 28, 28), np.uint8))
            sets[name][labels] = idx.encode((np.arange(n) % 10).astype(np.uint8))
        sums = {file: hashlib.sha256(data).hexdigest() for file, data in sets[name].items()}
        monkeypatch.setitem(checksums.SHA256, name, sums)
    return sets
