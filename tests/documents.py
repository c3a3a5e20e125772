"""What is documented: the blocks of a page, and a folder with the files that its examples take for granted."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def blocks(text, language):
    """Give the fenced blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the files and the arrays that examples take for granted."""
    import pyarrow.parquet

    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    source = random.normal(size=(200, 6)).astype(np.float32)
    target = (source @ np.linalg.qr(random.normal(size=(6, 6)))[0] + 3).astype(np.float32)
    for name, array in {"x": source, "y": target, "old": source, "new": target, "old_index": source}.items():
        np.save(f"{name}.npy", array)
    np.savez("held_out.npz", old=source, new=target)
    np.save("new_queries.npy", target)
    for name, side in (("old", source), ("new", target)):
        np.save(f"few_{name}.npy", side[:30])
        np.save(f"held_{name}.npy", side[30:])
    for name, rows, order in (("old", source, slice(None)), ("new", target, slice(None, None, -1))):
        table = {"doc_id": [f"d{row}" for row in range(200)][order], "embedding": list(rows[order])}
        pyarrow.parquet.write_table(pyarrow.table(table), f"{name}.parquet")
    np.savez("queries.npz", old=source[:50], new=target[:50])
    np.savez("corpus.npz", old=source[50:], new=target[50:])
    return {"source": source, "target": target, "codes": source, "x": source, "np": np}
