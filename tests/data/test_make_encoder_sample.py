import runpy
import sys

import numpy as np

from align.data import make_encoder_sample, texts


def test_one_command_makes_the_sample(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    scales = np.geomspace(1, 0.01, 200) * (np.arange(200) < 160)  # no more than the coordinates that are kept
    vectors = {name: (random.normal(size=(7100, 200)) * scales).astype(np.float16) for name in ("minilm_l6", "mpnet")}
    np.savez(tmp_path / "vectors.npz", **vectors)
    command = ["make", str(tmp_path / "vectors.npz"), f"--target={tmp_path / 'sample.npz'}"]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path(make_encoder_sample.__file__, run_name="__main__")
    monkeypatch.setattr(texts, "PATH", tmp_path / "sample.npz")
    sample = texts.encoder_sample()
    chosen = np.sort(np.random.default_rng(0).permutation(7100)[:7000])
    for name, made, whole in zip(sample._fields, sample, vectors.values(), strict=True):
        assert made.shape == (7000, 160) and made.dtype == np.float32
        rows = whole[chosen].astype(np.float64)
        rows -= rows.mean(0)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        # Every coordinate is rounded, by half a step at most; what that does to the products of two unit rows:
        rounded = np.sqrt(160) * np.load(tmp_path / "sample.npz")[f"{name}_scale"] / 2
        off = made[:50] @ made[:50].T - rows[:50] @ rows[:50].T
        assert np.abs(off).max() < 2 * rounded + rounded**2
