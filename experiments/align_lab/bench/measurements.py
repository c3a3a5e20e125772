"""Rows of measurements on disk, and the machine and versions that each one was made with."""

import functools
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from align import rows
from align.arrays import atomic, locks

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "faiss-cpu",
    "latentis",
    "qc-procrustes",
)
_IDENTITY = ("kind", "question", "small", "machine", "device", "versions")


def read(path: Path) -> list[dict]:
    """Read the rows of a JSON Lines file, none where there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def revisions(rows: Iterable[dict]) -> str:
    """Say of which revision rows are: that of most, then the others with the questions that are of theirs."""
    questions: dict[str, list[str]] = {}
    for row in rows:
        questions.setdefault(str(row["revision"]), []).append(f'"{row["question"]}"')
    most, *others = sorted(questions, key=lambda revision: -len(questions[revision]))
    return f"Revision {most}" + "".join(f"; of {one}: {', '.join(questions[one])}" for one in others) + "."


def append(path: Path, row: dict) -> None:
    """Add a row in the place of any with its identity: the file is whole at any time, and processes take turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.turn(path.parent):
        kept = [one for one in read(path) if identity(one) != identity(row)]
        with atomic.replacing(path) as partial:
            partial.write_text("".join(json.dumps(one) + "\n" for one in [*kept, row]))


def identity(row: dict) -> str:
    """Give what makes a row unique: its question, and what it was measured on and with."""
    return json.dumps([row[name] for name in _IDENTITY], sort_keys=True)


@functools.cache
def circumstances() -> dict:
    """Say what a row is measured on and with; JAX must have its devices by now."""
    import jax

    devices = jax.devices()
    return {
        "machine": {
            "cpu": _of_cpu("model name") or platform.processor() or platform.machine(),
            "vectors": _vectors(_of_cpu("flags").split()),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "device": f"{devices[0].platform}: {devices[0].device_kind}",
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "revision": rows.revision(Path(__file__).parent),
    }


def busy() -> tuple[float, float]:
    """Give the seconds of CPU time that the whole machine and this process have spent; (0, 0) where nobody says."""
    own = os.times()
    try:
        user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    except OSError:
        return 0.0, 0.0
    total = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return total, own.user + own.system + own.children_user + own.children_system


def _of_cpu(what):
    """Give what Linux says of the processor under a name, "" where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(what)), "")


def _vectors(flags):
    """Name the widest vectors of a processor: of the same name, one may have twice the others' rate of products."""
    widest = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"))
    return next((name for flag, name in widest if flag in flags), None)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
