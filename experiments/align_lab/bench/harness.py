"""How a question is measured: ours and its peers in turn, in one process, medians after a warm-up.

A module of this folder lists its jobs; each that has no row yet is measured and its row added to benchmarks.jsonl.
`comparison` makes a job of a `Case`. A peer that cannot be imported is recorded as not installed, one that fails in
its warm-up with the first line of its error: peers are never a reason to stop.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax

from align.arrays.double import enable_x64
from align.arrays.products import matmul
from align_lab.bench import measurements, profiles

# A contender prepares what is not to be timed, and gives what is: a function that does the task and returns its result.
Contender = Callable[[], Callable[[], Any]]
FASTEST = "the fastest"  # of the peers that ran, as the one to compare with
_MOST = 40  # rounds


class Goal(NamedTuple):
    """The peer's median over ours, at least. `against` is a peer's name, or `FASTEST`."""

    against: str
    ratio: float


class Work(NamedTuple):
    """What a task cannot do without: multiply-adds, and bytes of memory that it reads or writes once.

    share: of the rate of a large product, to reach; None where the roofline is only told.
    """

    multiply_adds: float
    dtype: str
    share: float | None = None
    bytes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question: `ours` against `peers`.

    `amount` and `unit` turn seconds into a rate, such as images/s; `most` is a bound in seconds. `check` gives what is
    recorded of a contender's result, such as its error.
    """

    question: str
    ours: Contender
    peers: Mapping[str, Contender]
    goals: Sequence[Goal] = ()
    amount: float | None = None
    unit: str = "s"
    work: Work | None = None
    most: float | None = None
    check: Callable[[Any], dict[str, float]] = lambda result: {}


class Effort(NamedTuple):
    """How long to measure: at least so many rounds, and for so many seconds; and the side of the product measured."""

    repeats: int
    seconds: float
    side: int


class Job(NamedTuple):
    """A row to be made: `measure(effort)` gives its columns."""

    kind: str
    question: str
    measure: Callable[[Effort], dict]


def effort(repeats: int, small: bool) -> Effort:
    """Give the effort of a round: for small sizes as little as shows that everything works."""
    if small:
        return Effort(repeats, 0.2, 128)
    return Effort(repeats, 5.0, 2048 if jax.default_backend() == "cpu" else 8192)


def measure(jobs: Sequence[Job], results: Path, effort: Effort, small: bool, again: bool = False) -> None:
    """Make the rows of the jobs that have none with these versions on this machine, or of all `again`."""
    path = results / "rows" / "benchmarks.jsonl"
    made = {measurements.identity(row) for row in measurements.read(path)}
    for job in jobs:
        row = {"kind": job.kind, "question": job.question, "small": small, **measurements.circumstances()}
        if not again and measurements.identity(row) in made:
            print(f"{job.question}: has a row", flush=True)
            continue
        began, (busy, own) = time.perf_counter(), measurements.busy()
        row |= job.measure(effort)
        wall, (busy_after, own_after) = time.perf_counter() - began, measurements.busy()
        spent = (busy_after - busy) - (own_after - own)
        # What other processes took of the machine meanwhile; figures with more than a little of it are not to be kept.
        row["others"] = round(max(0.0, spent) / wall / row["machine"]["cores"], 3)
        row["wall"] = round(wall, 1)
        measurements.append(path, row)
        print(summary(row), flush=True)


def comparison(case: Case) -> Job:
    """Make the job that measures a case."""
    return Job("comparison", case.question, lambda effort: _compare(case, effort))


def summary(row: dict) -> str:
    """Say in a line what a row found."""
    if row["kind"] != "comparison":
        return f"{row['question']}: {row['seconds']}"
    peers = [
        f"{name} {one['median']:.4g} s ({one['median'] / row['ours']['median']:.2f}x)"
        if "median" in one
        else f"{name} {one['missing']}"
        for name, one in row["peers"].items()
    ]
    share = [f"{row['share']:.0%} of the product rate"] if "share" in row else []
    others = [f"other processes took {row['others']:.0%}"] if row["others"] > 0.02 else []
    return f"{row['question']}: ours {row['ours']['median']:.4g} s; " + "; ".join(peers + share + others)


def _compare(case, effort):
    measures = {**products(case.work.dtype, effort.side), **copies(effort.side)} if case.work else {}
    contenders = {"ours": case.ours, **case.peers, **measures}
    runs, found = {}, {}
    for name, prepare in contenders.items():
        try:
            runs[name] = prepare()
            result = _finished(runs[name])
            found[name] = {} if name in measures else {key: float(x) for key, x in case.check(result).items()}
        except Exception as error:
            if name not in case.peers:
                raise
            runs.pop(name, None)
            first = str(error).strip().partition("\n")[0]
            known = isinstance(error, ImportError)
            found[name] = {"missing": "not installed" if known else f"does not run: {type(error).__name__}: {first}"}
    times = in_turn(runs, effort)
    measured = {name: {"median": statistics.median(times[name]), "times": times[name]} for name in runs}
    described = {name: {**found[name], **measured.get(name, {})} for name in contenders}
    row = {
        "ours": described["ours"],
        "peers": {name: described[name] for name in case.peers},
        "goals": [list(goal) for goal in case.goals],
        "amount": case.amount,
        "unit": case.unit,
        "most": case.most,
        "where": profiles.where(runs["ours"]),
    }
    if case.work:
        taken = row["ours"]["median"]
        rate = max(2 * effort.side**3 / described[name]["median"] for name in measures if name.startswith("product"))
        row["product_rate"], row["work"] = rate, list(case.work)
        row["copy_rate"] = copied(effort.side) / described["copy (numpy)"]["median"]
        row["share"] = 2 * case.work.multiply_adds / taken / rate
        row["roofline"] = max(row["share"], case.work.bytes / row["copy_rate"] / taken)
    return row


def in_turn(runs: Mapping[str, Callable[[], Any]], effort: Effort) -> dict[str, list[float]]:
    """Time functions one after the other, every other round in reverse order: seconds per function and round."""
    times = {name: [] for name in runs}
    began = time.perf_counter()
    for done in range(_MOST):
        if done >= effort.repeats and time.perf_counter() - began > effort.seconds:
            break
        for name in list(runs)[:: 1 if done % 2 == 0 else -1]:
            gc.collect()
            time.sleep(0.02)  # threads of the one before spin for a while before they sleep
            start = time.perf_counter()
            _finished(runs[name])
            times[name].append(time.perf_counter() - start)
    return times


def _finished(run):
    return jax.block_until_ready(run())


def products(dtype: str, side: int) -> dict[str, Contender]:
    """Give products of two matrices `[side, side]`, by JAX and by NumPy: what the machine can do."""

    def by_numpy():
        import numpy as np

        a = np.random.default_rng(0).normal(size=(side, side)).astype(dtype)
        return lambda: a @ a

    def by_jax():
        product = jax.jit(lambda a: matmul(a, a))
        with enable_x64(True):
            a = jax.random.normal(jax.random.key(0), (side, side), dtype)
            compiled = product.lower(a).compile()
        return lambda: compiled(a)

    return {"product (numpy)": by_numpy, "product (jax)": by_jax}


def copies(side: int) -> dict[str, Contender]:
    """Give a copy from memory to memory that fits into no cache: how fast bytes can be had."""

    def by_numpy():
        import numpy as np

        source = np.ones(copied(side) // 16)
        target = np.zeros_like(source)
        return lambda: np.copyto(target, source)

    return {"copy (numpy)": by_numpy}


def copied(side: int) -> int:
    """Give the bytes that a copy reads and writes, where the product has matrices of such a side: 512 MiB for 2,048."""
    return 128 * side**2


def torch_device():
    """Give PyTorch's name of the device that JAX uses; ImportError where there is no PyTorch for it."""
    import torch

    if jax.default_backend() == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ImportError("this PyTorch does not see the accelerator")
    return torch.device("cuda")
