"""A run that is killed, asked to stop, or meets another in its workdir ends where an uninterrupted one does."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from kill import TINY, Moment, interrupt, leftovers, moments, rows, watch

from align import checkpoints
from align import rows as results
from align.training import State

RUN = (*TINY, "--model=mlp")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The stages and the rows of a run that nothing stopped."""
    workdir = tmp_path_factory.mktemp("uninterrupted")
    watched = watch(RUN, workdir)
    assert watched.code == 0, watched.err
    assert leftovers(workdir) == []
    return watched.stages, rows(workdir)


@pytest.mark.parametrize(
    ("number", "stage"),
    [(signal.SIGKILL, "checkpoint save"), (signal.SIGKILL, "row append"), (signal.SIGTERM, "training")],
)
def test_a_run_that_is_stopped_is_finished_by_the_same_command(uninterrupted, call, tmp_path, number, stage):
    stages, expected = uninterrupted
    moment = next(moment for moment in moments(stages, 20, seed=number) if moment.stage == stage)

    def recover(flags, workdir):
        return call("anchors", *flags, f"--workdir={workdir}").code

    outcome = interrupt(RUN, tmp_path / "workdir", moment, expected, number, recover)
    assert outcome.watched.stage, "it ended before the signal came"
    assert outcome.recovered, outcome.why
    if number == signal.SIGTERM:
        assert outcome.watched.code == 130 and outcome.watched.seconds < 10
        told = outcome.watched.err.strip()
        assert told == "Interrupted. What was finished is kept: the same command goes on from there."


def test_moments_are_drawn_from_every_stage_and_repeat():
    stages = [("start", 0.0), ("training", 2.0), ("row append", 5.0), ("training", 5.1), ("start", 9.1)]
    drawn = moments(stages, 300, seed=1)
    assert drawn == moments(stages, 300, seed=1) != moments(stages, 300, seed=2)
    for stage, spans in {"start": [2.0], "training": [3.0, 4.0], "row append": [0.1]}.items():
        ours = [moment for moment in drawn if moment.stage == stage]
        assert len(ours) == 100 and all(moment.delay <= spans[moment.occurrence] for moment in ours)
        assert {moment.occurrence for moment in ours} == set(range(len(spans)))
    assert {Moment("training", 1, 0)._replace(delay=m.delay) for m in drawn if m.delay > 3} <= set(drawn)


def test_processes_that_append_at_the_same_time_lose_no_row(tmp_path):
    code = """
import sys
from pathlib import Path
from align import rows as results
row = dict.fromkeys(results.NETWORKS.identity, sys.argv[2])
for k in range(60):
    results.append(Path(sys.argv[1]), [row | {"test_error": k + part / 10, "filling": "-" * 3000} for part in range(5)])
"""
    path = tmp_path / "results" / "rows" / "table3.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=Path(__file__).parents[2]) for name in "abc"
    ]
    while any(writer.poll() is None for writer in writers):
        results.read(path)  # a reader never meets a row that is no row
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    found = results.read(path, copies=True)
    assert len(found) == 3 * 60 * 5
    for name in "abc":
        ours = [row["test_error"] for row in found if row["table"] == name]
        assert ours == [k + part / 10 for k in range(60) for part in range(5)]


def test_runs_that_save_and_restore_one_network_at_the_same_time(tmp_path):
    def state(epoch):
        params = {"kernel": np.full((300, 200), epoch, np.float32)}
        return State(params, (np.zeros(3, np.float32),), np.int32(epoch), np.float32(0))

    like, errors, seen = jax.eval_shape(lambda: state(1)), [], []

    def run(seed):
        draw = random.Random(seed)
        try:
            for epoch in range(1, 9):
                checkpoints.save(tmp_path, state(epoch), {"kind": "shared"})
                for _ in range(draw.randrange(3)):
                    found = checkpoints.restore(tmp_path, like, {"kind": "shared"})
                    seen.append((epoch, int(found.epoch), float(found.params["kernel"].mean())))
        except Exception as error:
            errors.append(error)

    # The lock belongs to the opened folder, not to the process: threads stand for processes.
    runs = [threading.Thread(target=run, args=(seed,)) for seed in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert errors == []
    assert [path.name for path in tmp_path.iterdir()] == ["8"]
    assert len(seen) > 10 and all(found >= saved and kernel == found for saved, found, kernel in seen)
