"""A disk that is full or cannot be written is a clear error, and what was there before is there after."""

import contextlib
import errno
import resource
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from kill import TINY, leftovers
from running import Experiment

from align import checkpoints
from align import rows as results
from align.checkpoints import CheckpointError
from align.training import State
from align_lab.store import Store

RUN = (*TINY, "--model=mlp")


def contents(folder):
    """Read all files; of the log of times, which grows, only what stands after its last whole line."""
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {path: text.rpartition(b"\n")[2] if path.name == "timings.jsonl" else text for path, text in found.items()}


def fill(folder):
    """Leave no page of the disk free."""
    with (folder / "filling").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)) == 1 << 16:
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


@contextlib.contextmanager
def at_most(size):
    """Let no file grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk(disk, remount, call, few):
    experiment = Experiment(disk / "workdir", call)
    assert experiment("anchors", *RUN).code == 0
    before = contents(experiment.workdir)
    used = sum(len(content) for content in before.values())

    remount(f"size={used + (2 << 20)}")
    more = experiment("anchors", *RUN, "--seeds=3")
    assert more.code == 1
    assert more.err.startswith("error: cannot save a checkpoint in ") and "seed2" in more.err
    assert contents(experiment.workdir) == before and leftovers(experiment.workdir) == []

    remount("size=256m")
    rows = experiment.workdir / "results" / "rows" / "table3.jsonl"
    rows.unlink()
    fill(disk)
    again = experiment("anchors", *RUN)
    assert again.code == 1
    assert again.err.strip() == f"error: [Errno 28] no row was appended: No space left on device: '{rows}'"
    del before[rows]
    assert contents(experiment.workdir) == {**before, rows: b""}

    (disk / "filling").unlink()
    finished = experiment("anchors", *RUN, "--seeds=3")
    assert finished.code == 0, finished.err
    assert len(experiment.rows()) == 3 + 2 * 6


def test_a_save_that_fails_says_so_once(disk, remount, monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: printed.append(found.exc_value))
    remount("size=300k")
    parameters = {f"kernel{number}": np.random.default_rng(number).normal(size=10**5) for number in range(12)}
    with pytest.raises(CheckpointError, match=r"cannot save a checkpoint in .*No space left on device"):
        checkpoints.save(disk / "network", State(parameters, (), np.int32(1), np.float32(0)), {})
    assert printed == []
    hook = sys.unraisablehook
    with checkpoints._one_word():  # what else threads cannot raise is printed
        sys.unraisablehook(SimpleNamespace(exc_type=RuntimeError, exc_value=RuntimeError("no room")))
    assert [str(error) for error in printed] == ["no room"] and sys.unraisablehook is hook


def test_a_disk_that_cannot_be_written(disk, remount, call, few):
    experiment = Experiment(disk / "workdir", call)
    remount("ro")
    nothing = experiment("anchors", *RUN)
    assert nothing.code == 1
    assert nothing.err.startswith("error: ") and f"Read-only file system: '{disk}" in nothing.err

    remount("rw")
    assert experiment("anchors", *RUN).code == 0
    rows = experiment.workdir / "results" / "rows" / "table3.jsonl"
    remount("ro")
    done = experiment("anchors", *RUN)
    assert done.code == 0 and "Table 3" in done.out and done.err == ""
    before = contents(experiment.workdir)
    longer = experiment("anchors", *RUN, "--seeds=3")
    assert longer.code == 1
    assert longer.err == f"error: {experiment.workdir}/networks cannot be written; trained networks are kept there\n"
    more = experiment("anchors", *RUN, "--methods=affine")
    assert more.code == 1
    assert more.err.startswith("error: ") and f"Read-only file system: '{rows}'" in more.err
    assert contents(experiment.workdir) == before


def test_results_that_cannot_be_written_are_refused_before_training(disk, remount, experiment):
    remount("ro")
    arguments = (*RUN, f"--results={disk}")
    assert experiment("anchors", *arguments, "--dry_run").code == 0
    run = experiment("anchors", *arguments)
    assert run.code == 1 and run.err == f"error: --results must be a folder that can be written; {disk} cannot be\n"
    assert not experiment.workdir.exists()


def test_rows_that_do_not_fit_are_taken_back(tmp_path):
    path = tmp_path / "table3.jsonl"
    row = {**dict.fromkeys(results.NETWORKS.identity, 1), "test_error": 0.5, "filling": "-" * 20_000}
    results.append(path, [row] * 10)
    before = path.read_bytes()
    error = r"no row was appended: File too large: .*table3\.jsonl"
    with at_most(len(before) + 30_000), pytest.raises(OSError, match=error):  # the second of two does not fit
        results.append(path, [row] * 2)
    assert path.read_bytes() == before
    results.append(path, [row])
    assert len(results.read(path, copies=True)) == 11


def test_a_time_that_does_not_fit_is_taken_back(tmp_path):
    store = Store(tmp_path)
    store.log_time("train", 60)
    path = store.file("timings")
    before = path.read_bytes()
    with at_most(len(before) + 9), pytest.raises(OSError, match=r"File too large: .*timings\.jsonl"):
        store.log_time("train", 600)
    assert path.read_bytes() == before
