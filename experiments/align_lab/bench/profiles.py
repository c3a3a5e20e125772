"""Where the time of a call goes, from JAX's own trace: the share of each kind of operation in its wall-clock time."""

import glob
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax

# The kind of an operation by its name in XLA's program; the first that matches. Control flow only contains others.
_KINDS = (
    ("", r"^(while|call|conditional|tuple|get-tuple-element|parameter)\b"),
    ("matrix products", r"dot|gemm|matmul|ynn|onednn|cublas|^convolution"),
    ("factorisations", r"custom-call|cholesky|triangular|eigh|svd|qr|lapack"),
    ("sorting", r"sort|top-?k"),
    ("gathering and writing slices", r"gather|scatter|dynamic|slice|concatenate|pad|copy|transpose"),
    ("reductions", r"reduce|arg_?max|arg_?min"),
)
_ELSEWHERE = "elementwise"
_HOST = "outside XLA's operations"


def where(run: Callable[[], Any]) -> dict[str, float]:
    """Give the shares of the wall-clock time of a call by kind of operation, greatest first; {} where JAX cannot say.

    Operations that run side by side on several threads count in proportion; what no operation covers is time of the
    host: dispatch, transfers, Python.
    """
    if not hasattr(jax.profiler, "ProfileData"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0
        with jax.profiler.trace(folder, profiler_options=options):
            began = time.perf_counter()
            jax.block_until_ready(run())
            wall = time.perf_counter() - began
        (file,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        operations = _operations(jax.profiler.ProfileData.from_file(file))
    total = sum(end - start for _, start, end in operations)
    if not total:
        return {}
    covered = min(1.0, _union(operations) / (wall * 1e9))
    kinds = Counter()
    for kind, start, end in operations:
        kinds[kind] += (end - start) / total * covered
    kinds[_HOST] = 1 - covered
    return {kind: round(share, 3) for kind, share in kinds.most_common() if share >= 0.005}


def _operations(data):
    """Give (kind, start, end) of all operations that do something themselves."""
    operations = []
    for plane in data.planes:
        for line in plane.lines:
            for event in line.events:
                if event.duration_ns and any(name == "hlo_op" for name, _ in event.stats):
                    kind = next((kind for kind, pattern in _KINDS if re.search(pattern, event.name)), _ELSEWHERE)
                    if kind:
                        operations.append((kind, event.start_ns, event.start_ns + event.duration_ns))
    return operations


def _union(operations):
    """Give the length of what the intervals cover together."""
    covered, reached = 0.0, float("-inf")
    for _, start, end in sorted(operations, key=lambda one: one[1]):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered
