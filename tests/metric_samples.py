"""Rows on which the metrics are tried."""

import numpy as np


def sample(n=80, dx=6, dy=5, seed=0):
    """Two correlated sets whose directions differ in scale, neither centred."""
    random = np.random.default_rng(seed)
    shared = random.normal(size=(n, 4))
    x = shared @ random.normal(size=(4, dx)) + 0.5 * random.normal(size=(n, dx)) + 3
    y = np.tanh(shared) @ random.normal(size=(4, dy)) + 0.5 * random.normal(size=(n, dy)) - 2
    return x.astype(np.float32), y.astype(np.float32)


def rotation(d, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0].astype(np.float32)
