"""How much memory two parquet files take whose rows are joined by id: a million of 768 dimensions, in two orders.

Rows are random float16 codes and a planted affine map of them with noise, each file in an order of its own; one in a
hundred ids of either file is not in the other. `align fit --id` and `align apply` run as processes of their own, and
what they allocate is watched (Linux's RssAnon, Python and JAX included; pages of a mapped file are the system's to
drop). Then `apply` is killed at moments spread over its time. The result is printed, and added to joined_files.jsonl
for the full size.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from align import rows
from align_lab.bench import measurements

PAIRS, DIMENSIONS, PART, KILLS = 1_000_000, 768, 20_000, 5
_OLD, _NEW, _MAP, _MAPPED = "old.parquet", "new.parquet", "map.safetensors", "mapped.parquet"
_FIT = ("fit", _OLD, _NEW, "-o", _MAP, "--id", "id", "--column", "vector", "--solver", "ridge")
_APPLY = ("apply", _MAP, _OLD, "-o", _MAPPED, "--dtype", "float16")


class Run(NamedTuple):
    """What a command printed, how long it took, and the most that it had allocated and mapped, in bytes."""

    printed: dict
    seconds: float
    allocated: int
    mapped: int


def measure(workdir: Path, count: int, results: Path) -> None:
    """Write the files of `count` rows into a folder of their own in workdir, fit, apply, kill, and remove it."""
    workdir.mkdir(parents=True, exist_ok=True)
    needed, free = 4 * 2 * count * DIMENSIONS, shutil.disk_usage(workdir).free
    if free < needed:
        raise OSError(f"{workdir} has {free / 1e9:.0f} GB free; {count} rows need {needed / 1e9:.0f}")
    with tempfile.TemporaryDirectory(dir=workdir) as made:
        folder = Path(made)
        weight, bias = write(folder, count)
        fitted, applied = watched(folder, _FIT), watched(folder, _APPLY)
        error = largest_error(folder, weight, bias)
        left = sum(killed(folder, applied.seconds * (kill + 0.5) / KILLS) for kill in range(KILLS))
        size = (folder / _OLD).stat().st_size
    row = {
        "rows": count,
        "dimensions": DIMENSIONS,
        "bytes": size,
        "joined": fitted.printed["joined"],
        **{f"fit_{name}": getattr(fitted, name) for name in ("seconds", "allocated", "mapped")},
        **{f"apply_{name}": getattr(applied, name) for name in ("seconds", "allocated", "mapped")},
        "largest_error": error,
        "kills": KILLS,
        "left_by_kills": left,
        **measurements.circumstances(),
    }
    print(
        f"{count:,} x {DIMENSIONS} float16 rows, {size / 1e9:.1f} GB a file: fit {fitted.seconds:.0f} s and "
        f"{fitted.allocated / 2**20:.0f} MiB, apply {applied.seconds:.0f} s and {applied.allocated / 2**20:.0f} MiB; "
        f"largest error {error:.1e}; {left} of {KILLS} killed left a file"
    )
    if count == PAIRS:
        rows.append_lines(results / "rows" / "joined_files.jsonl", [row])


def write(folder: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Write both files of `count` rows; return the planted weight `[768, 768]` and bias `[768]`."""
    import pyarrow as pa
    import pyarrow.parquet

    random = np.random.default_rng(0)
    weight = random.normal(size=(DIMENSIONS, DIMENSIONS)).astype(np.float32) / DIMENSIONS**0.5
    bias = random.normal(size=DIMENSIONS).astype(np.float32)
    apart = count // 100
    codes = np.lib.format.open_memmap(folder / "codes.npy", "w+", np.float16, (count + apart, DIMENSIONS))
    for start in track(range(0, len(codes), PART), description="drawing rows"):
        codes[start : start + PART] = random.standard_normal(codes[start : start + PART].shape, np.float32)
    for name, first in ((_OLD, 0), (_NEW, apart)):
        order, writer = first + random.permutation(count), None
        for start in track(range(0, count, PART), description=f"writing {name}"):
            ids = order[start : start + PART]
            rows = codes[ids]
            if name == _NEW:
                noise = 0.1 * random.standard_normal(rows.shape, np.float32)
                rows = (rows.astype(np.float32) @ weight + bias + noise).astype(np.float16)
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), DIMENSIONS)
            table = pa.table({"id": [f"document-{each}" for each in ids], "vector": vectors})
            writer = writer or pa.parquet.ParquetWriter(folder / name, table.schema, use_dictionary=False)
            writer.write_table(table)
        writer.close()
    return weight, bias


def started(folder: Path, arguments: tuple[str, ...]) -> subprocess.Popen:
    """Start the command in a folder, whose temporary files it takes too."""
    root = str(Path(__file__).parents[3])
    places = {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]), "TMPDIR": str(folder.resolve())}
    command = [sys.executable, "-m", "align", *arguments, "--quiet", "--json"]
    return subprocess.Popen(command, cwd=folder, env=os.environ | places, stdout=subprocess.PIPE, text=True)


def watched(folder: Path, arguments: tuple[str, ...]) -> Run:
    """Run the command to its end; CalledProcessError where that is not 0."""
    began, allocated, mapped = time.perf_counter(), 0, 0
    process = started(folder, arguments)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        held = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        allocated = max(allocated, _bytes(held.get("RssAnon")))
        mapped = max(mapped, _bytes(held.get("RssFile")))
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    printed = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments)
    return Run(json.loads(printed), round(seconds, 1), allocated, mapped)


def _bytes(text):
    return 1024 * int(text.split()[0]) if text else 0


def killed(folder: Path, seconds: float) -> bool:
    """Kill `apply` after so many seconds; return whether there is a part of its output under its name."""
    (folder / _MAPPED).unlink(missing_ok=True)
    process = started(folder, _APPLY)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    left = (folder / _MAPPED).exists() and not _is_whole(folder)  # a kill may come after the end of the work
    for partial in folder.glob(".*.partial*"):
        partial.unlink()
    return left


def _is_whole(folder):
    from align import files

    try:
        source, mapped = (files.open_rows(str(folder / name)) for name in (_OLD, _MAPPED))
    except ValueError:
        return False
    return mapped.shape == source.shape


def largest_error(folder: Path, weight: np.ndarray, bias: np.ndarray) -> float:
    """Return the largest difference of mapped rows, of one block, from what the planted map gives."""
    from align import files

    source, mapped = (files.open_rows(str(folder / name)) for name in (_OLD, _MAPPED))
    expected = source.read(PART, 2 * PART).astype(np.float32) @ weight + bias
    return float(np.abs(mapped.read(PART, 2 * PART).astype(np.float32) - expected).max())
