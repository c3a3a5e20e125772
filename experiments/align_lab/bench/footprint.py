"""How much memory an affine map takes whose rows lie on disk: ten million pairs of 256 dimensions.

Rows are random float32 codes and a planted affine map of them with noise, in two `.npy` files. A process of its own
fits them by `streaming.from_arrays` of the mapped files, and watches itself: the memory that it allocates (Linux's
RssAnon; pages of a mapped file are the system's to drop) beyond what it had when everything was imported and compiled.
The result is printed, and added to memory.jsonl for the full size.
"""

import multiprocessing
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.progress import track

from align import rows
from align_lab.bench import measurements

PAIRS, DIMENSIONS, PART = 10_000_000, 256, 50_000


def measure(workdir: Path, count: int, results: Path) -> None:
    """Write the files of `count` pairs into a folder of their own in workdir, fit them, and remove it."""
    workdir.mkdir(parents=True, exist_ok=True)
    needed, free = 8 * count * DIMENSIONS, shutil.disk_usage(workdir).free
    if free < needed:
        raise OSError(f"{workdir} has {free / 1e9:.0f} GB free; {count} pairs need {needed / 1e9:.0f}")
    with tempfile.TemporaryDirectory(dir=workdir) as made:
        folder = Path(made)
        weight, bias = write(folder, count)
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(target=fit_watched, args=(folder, there))
        child.start()
        there.close()
        seconds, before, peak, fitted_weight, fitted_bias, circumstances = here.recv()
        child.join()
    row = {
        "rows": count,
        "dimensions": DIMENSIONS,
        "bytes": needed,
        "seconds": round(seconds, 1),
        "allocated_before": before,
        "allocated_more": peak - before,
        "largest_error": float(max(np.abs(fitted_weight - weight).max(), np.abs(fitted_bias - bias).max())),
        **circumstances,
    }
    print(
        f"{count:,} x {DIMENSIONS} float32 pairs, {needed / 1e9:.1f} GB: {row['seconds']} s, "
        f"{row['allocated_more'] / 2**20:.0f} MiB allocated beyond {before / 2**20:.0f} MiB before; "
        f"largest error of the map {row['largest_error']:.1e}"
    )
    if count == PAIRS:
        rows.append_lines(results / "rows" / "memory.jsonl", [row])


def write(folder, count):
    """Write source.npy and target.npy `[count, 256]`; return the planted weight `[256, 256]` and bias."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(DIMENSIONS, DIMENSIONS)).astype(np.float32) / 16
    bias = random.normal(size=DIMENSIONS).astype(np.float32)
    files = [
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (count, DIMENSIONS))
        for name in ("source", "target")
    ]
    for start in track(range(0, count, PART), description="writing rows"):
        x = random.standard_normal((min(PART, count - start), DIMENSIONS), np.float32)
        noise = random.standard_normal(x.shape, np.float32)
        for file, values in zip(files, (x, x @ weight + bias + 0.1 * noise), strict=True):
            file[start : start + len(x)] = values
    return weight, bias


def fit_watched(folder, connection):
    """Fit the files of a folder and send what it took."""
    from align import streaming

    def fit(count=None):
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r")[:count] for name in ("source", "target")]
        return streaming.fit(streaming.from_arrays(*arrays), "affine")

    fit(PART).weight.block_until_ready()
    before, peak, done = _allocated(), 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, _allocated())

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    fitted = fit()
    fitted.weight.block_until_ready()
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    found = (np.asarray(fitted.weight), np.asarray(fitted.bias), measurements.circumstances())
    connection.send((seconds, before, peak, *found))


def _allocated():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("RssAnon")).split()[1])
