"""Make the sample of text embeddings that the package ships: `python -m align.data.make_encoder_sample wordnet.npz`.

The file has arrays minilm_l6 `[texts, 384]` and mpnet `[texts, 768]`, embeddings of the same 28,000 definitions of
WordNet; 7,000 of them are drawn, and stay in their order.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from align.data.texts import COORDINATES, PATH, Encoders

TEXTS = 7000


def make(path: str | Path, minilm: np.ndarray, mpnet: np.ndarray) -> None:
    """Write a sample from embeddings `[texts, d]` of the same texts by both encoders."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(minilm))[:TEXTS])
    arrays: dict[str, Any] = {}
    for name, array in zip(Encoders._fields, (minilm, mpnet), strict=True):
        rows = np.asarray(array, np.float64)[chosen]
        centred = rows - rows.mean(axis=0)
        centred /= np.linalg.norm(centred, axis=1, keepdims=True)
        basis = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :COORDINATES]
        coordinates = centred @ basis
        scale = np.abs(coordinates).max() / 127
        arrays |= {name: np.rint(coordinates / scale).astype(np.int8), f"{name}_scale": np.float32(scale)}
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path, help=".npz file of the embeddings")
    parser.add_argument("--target", type=Path, default=PATH)
    arguments = parser.parse_args()
    with np.load(arguments.vectors) as file:
        make(arguments.target, file["minilm_l6"], file["mpnet"])
