"""Every state that a workdir should not be in: named and refused, or repaired from what is good.

A state that is refused is left as it was found: nothing is trained over it, and no row is made of it.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from refused import RUN, assert_refused
from running import Experiment

from align import checkpoints
from align import rows as results
from align.training import State

ROOT = Path(__file__).parents[2]


class Broken(NamedTuple):
    """How a finished workdir is broken, and the words that must name it; None where it must be repaired."""

    change: Callable[[Path], None]
    named: tuple[str, ...] | None
    rows_gone: bool = True


def network(workdir, seed=0):
    return next(workdir.glob(f"networks/*seed{seed}-*"))


def rows_file(workdir):
    return workdir / "results" / "rows" / "table3.jsonl"


def largest(workdir):
    return max(network(workdir).rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else -1)


def truncated(workdir):
    path = largest(workdir)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_byte_changed(workdir):
    path = largest(workdir)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def described_as(text):
    return lambda workdir: (network(workdir) / "2" / "description" / "metadata").write_text(text)


def emptied(workdir):
    shutil.rmtree(network(workdir) / "2")
    (network(workdir) / "2").mkdir()


def of_another_seed(workdir):
    folder = network(workdir)
    shutil.rmtree(folder)
    shutil.copytree(network(workdir, seed=1), folder)


def resaved(description=lambda known: known, params=lambda known: known):
    """Put a sound checkpoint of something else in the place of the network's."""

    def change(workdir):
        folder = network(workdir)
        known = json.loads((folder / "2" / "description" / "metadata").read_text())
        del known["sha256"]
        shutil.rmtree(folder)
        state = State(params({"kernel": np.ones((4, 4), np.float32)}), (), np.int32(2), np.float32(0.5))
        checkpoints.save(folder, state, description(known))

    return change


def renamed(workdir):
    (network(workdir) / "2").rename(network(workdir) / "1")


def edited(change):
    """Change the lines of the rows' file."""

    def edit(workdir):
        lines = rows_file(workdir).read_bytes().splitlines(keepends=True)
        rows_file(workdir).write_bytes(b"".join(change(lines)))

    return edit


def without_a_column(lines):
    row = json.loads(lines[2])
    del row["latent"]
    return [*lines[:2], json.dumps(row).encode() + b"\n", *lines[3:]]


def stale(workdir):
    """Leave what killed processes leave: unfinished saves, and an unfinished picture."""
    shutil.copytree(network(workdir) / "2", network(workdir) / "3.orbax-checkpoint-tmp")
    shutil.copytree(network(workdir) / "2" / "state", network(workdir) / "1.orbax-checkpoint-tmp-17" / "state")
    (workdir / "results" / ".table3.png.17.partial.png").write_bytes(b"\x89PNG")


def a_file_that_counts(workdir):
    (network(workdir) / "7").write_text("")


def foreign_rows(workdir):
    row = json.loads(rows_file(workdir).read_text().splitlines()[0])
    row["settings"]["learning_rate"] = 1.0
    rows_file(workdir).write_text(json.dumps({**row, "test_error": 9.0}) + "\n")


def folder_for_rows(workdir):
    rows_file(workdir).unlink()
    rows_file(workdir).mkdir()


UNREADABLE = ("the checkpoint of epoch 2 in ", "seed0", " cannot be read (", "delete the folder to train anew")
FOREIGN = ("the checkpoint in ", "seed0", " is of another network: it was trained as {", ", expected {", "delete the")
STATES = {
    "checkpoint truncated": Broken(truncated, UNREADABLE),
    "checkpoint with one bit changed": Broken(one_byte_changed, UNREADABLE),
    "checkpoint without a description": Broken(
        lambda workdir: shutil.rmtree(network(workdir) / "2" / "description"), UNREADABLE
    ),
    "checkpoint with an empty description": Broken(described_as(""), UNREADABLE),
    "checkpoint whose description is no JSON": Broken(described_as('{"kind": '), UNREADABLE),
    "checkpoint whose description is a list": Broken(described_as("[1, 2]"), UNREADABLE),
    "checkpoint without arrays": Broken(lambda workdir: shutil.rmtree(network(workdir) / "2" / "state"), UNREADABLE),
    "checkpoint that is an empty folder": Broken(emptied, UNREADABLE),
    "checkpoint of another seed": Broken(of_another_seed, FOREIGN),
    "checkpoint of other settings": Broken(
        resaved(lambda known: {**known, "settings": {**known["settings"], "learning_rate": 1.0}}), FOREIGN
    ),
    "checkpoint of another data set": Broken(resaved(lambda known: {**known, "dataset": "mnist"}), FOREIGN),
    "checkpoint of another architecture": Broken(resaved(lambda known: {**known, "architecture": "Dense(3)"}), FOREIGN),
    "checkpoint of another architecture under this one's description": Broken(resaved(), UNREADABLE),
    "checkpoint of another epoch": Broken(
        renamed, ("the checkpoint of epoch 1 in ", "not those that were saved as that epoch", "delete the folder")
    ),
    "file among the checkpoints": Broken(a_file_that_counts, None),
    "unfinished saves and pictures of killed processes": Broken(stale, None),
    "file in the place of the networks' folder": Broken(
        lambda workdir: (shutil.rmtree(workdir / "networks"), (workdir / "networks").write_text("")),
        ("File exists", "networks'"),
    ),
    "rows with half a last line": Broken(edited(lambda lines: [*lines[:-1], lines[-1][:100]]), None, rows_gone=False),
    "rows that end in zeros": Broken(edited(lambda lines: [*lines[:-1], bytes(512)]), None, rows_gone=False),
    "rows twice": Broken(edited(lambda lines: [*lines, *lines[:3]]), None, rows_gone=False),
    "no row in the file": Broken(edited(lambda lines: []), None, rows_gone=False),
    "rows of other settings": Broken(foreign_rows, None, rows_gone=False),
    "rows with a damaged line": Broken(
        edited(lambda lines: [lines[0], lines[1][:80] + b"\n", *lines[2:]]),
        ("table3.jsonl, line 2 is no result row: ",),
        rows_gone=False,
    ),
    "rows with a line of another file": Broken(
        edited(lambda lines: [*lines, b'{"task": "train", "seconds": 1.0}\n']),
        ("table3.jsonl, line 7 is no result row: a row lacks table, dataset",),
        rows_gone=False,
    ),
    "rows with a column missing": Broken(
        edited(without_a_column), ("table3.jsonl, line 3 is no result row: a row lacks latent",), rows_gone=False
    ),
    "rows with an error that is not finite": Broken(
        edited(lambda lines: [lines[0].replace(b'"test_error": 0.', b'"test_error": NaN, "was": 0.'), *lines[1:]]),
        ("table3.jsonl, line 1 is no result row: test_error must be a finite number; it is nan",),
        rows_gone=False,
    ),
    "folder in the place of the rows": Broken(folder_for_rows, ("Is a directory", "table3.jsonl"), rows_gone=False),
}


def columns(rows):
    kept = [{**row, "seconds": None, "revision": None} for row in rows if row["settings"]["learning_rate"] != 1]
    return sorted({json.dumps(row, sort_keys=True) for row in kept})


def contents(folder):
    """Read all files but the log of times, which grows."""
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*") if path.name != "timings.jsonl"}


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def finished(kept, call, few, tmp_path, tmp_path_factory):
    """A copy of a finished run."""
    if not kept:
        experiment = Experiment(tmp_path_factory.mktemp("finished") / "workdir", call)
        run = experiment("anchors", *RUN)
        assert run.code == 0, run.err
        kept["workdir"], kept["rows"] = experiment.workdir, columns(experiment.rows())
    shutil.copytree(kept["workdir"], tmp_path / "workdir")
    return Experiment(tmp_path / "workdir", call)


@pytest.mark.parametrize("name", STATES)
def test_broken_workdir(finished, kept, name):
    broken = STATES[name]
    broken.change(finished.workdir)
    if broken.rows_gone:
        rows_file(finished.workdir).unlink()
    before = contents(finished.workdir)
    run = finished("anchors", *RUN)
    if broken.named is None:
        assert run.code == 0, run.err
        assert columns(finished.rows()) == kept["rows"]
        assert run.err == ""
    else:
        assert_refused(run, broken.named)
        assert contents(finished.workdir) == before


def test_a_changed_byte_anywhere_is_noticed_or_without_effect(tmp_path):
    draw = random.Random(0)
    params = {"kernel": np.float32(np.random.default_rng(0).normal(size=(40, 30)))}
    state = State(params, (np.arange(7),), np.int32(3), np.float32(0.25))
    checkpoints.save(tmp_path / "sound", state, {"kind": "dense"})
    files = [path for path in sorted((tmp_path / "sound").rglob("*")) if path.is_file() and path.stat().st_size]
    noticed = 0
    for path in files:
        content = path.read_bytes()
        for place in draw.sample(range(len(content)), min(3, len(content))):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :])
            try:
                found = checkpoints.restore(tmp_path / "sound", jax.eval_shape(lambda: state), {"kind": "dense"})
            except checkpoints.CheckpointError:
                noticed += 1
            else:
                assert all(map(np.array_equal, jax.tree.leaves(found), jax.tree.leaves(state))), path
        path.write_bytes(content)
    assert noticed > 10


def test_the_turn_of_a_killed_process_ends_with_it(tmp_path):
    path = tmp_path / "table3.jsonl"
    row = {**dict.fromkeys(results.NETWORKS.identity, 1), "test_error": 0.5}
    code = f"""
import time
from align.arrays import locks
with open({str(path)!r}, "ab+") as file:
    locks.wait_for_turn(file.fileno())
    file.write(b'{{"table": 3, "half": ')
    file.flush()
    print("held", flush=True)
    time.sleep(100)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    results.append(path, [row])
    assert results.read(path) == [row]
    holder.communicate()
