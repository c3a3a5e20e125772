"""`align apply` with --queries, --norms and --documents: an old index asked by a new encoder."""

import numpy as np
from on_files import pairs, run, small_blocks

from align import solvers


def test_queries_to_the_old_index(folder, capsys, monkeypatch):
    small_blocks(monkeypatch)
    source, target = pairs()
    mapped = np.asarray(solvers.rigid(source, target)(source))
    np.save("q.npy", target[:30])
    written = {}
    for flag, rows in (("queries", "q.npy"), ("norms", "x.npy"), ("documents", "x.npy")):
        result = run(capsys, "apply", "map.safetensors", rows, f"--{flag}", "-o", f"{flag}.npy")
        written[flag] = np.load(f"{flag}.npy")
        assert (result["rows"], result["dimensions"]) == written[flag].shape
    expected = target[:30] @ (mapped / np.linalg.norm(mapped, axis=1, keepdims=True)).T
    sent = written["queries"]
    np.testing.assert_allclose((sent[:, :-1] @ source.T + sent[:, -1:]) / written["norms"].T, expected, atol=1e-4)
    np.testing.assert_allclose(sent @ written["documents"].T, expected, atol=1e-4)
