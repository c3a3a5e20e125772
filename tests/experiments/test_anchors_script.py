"""The whole script on the shipped sample: rows, table and picture; a second time; stopped anywhere; and misused."""

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys

import jax
import pytest
from running import EXPERIMENTS, TINY, Experiment

from align import checkpoints, data, evaluation, paper
from align import rows as results
from align.stitching import stitch_pairs
from align_lab import methods

RUN = ("--dataset=mnist_sample", "--anchors=20", "--methods=rigid,linear", *TINY)
MADE = {"settings", "data_source", "device", "versions", "revision", "seconds"}
COLUMNS = {*results.NETWORKS.identity, *results.NETWORKS.measures, *MADE}


def without_time(rows):
    """Give the rows without what a second run may not repeat."""
    return sorted(json.dumps({**row, "seconds": None, "revision": None}, sort_keys=True) for row in rows)


def files(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def uninterrupted(kept, call, tmp_path_factory):
    """A run that nothing stopped, what it printed and the experiment, made once."""
    if not kept:
        experiment = Experiment(tmp_path_factory.mktemp("uninterrupted") / "workdir", call)
        run = experiment("anchors", *RUN)
        assert run.code == 0, run.err
        kept["made"] = run, experiment.rows(), experiment.workdir
    run, rows, workdir = kept["made"]
    return run, rows, Experiment(workdir, call)


def test_rows_table_and_picture(uninterrupted):
    run, rows, experiment = uninterrupted
    assert all(set(row) == COLUMNS for row in rows)
    own = [("autoencoder", seed, seed, None) for seed in (0, 1)]
    pairs = [(method, s, t, 20) for method in ("rigid", "linear") for s, t in ((0, 1), (1, 0))]
    assert [(r["method"], r["source_seed"], r["target_seed"], r["anchors"]) for r in rows] == own + pairs
    for row in rows:
        assert (row["table"], row["dataset"], row["data_source"]) == (3, "mnist_sample", "sample")
        assert (row["source_model"], row["target_model"], row["latent"]) == ("mlp", "mlp", 4)
        assert row["settings"]["epochs"] == 2 and row["settings"]["learning_rate"] == 1e-3
        assert set(row["versions"]) == {"jax", "flax", "optax", "python"}
    errors = [row["test_error"] for row in rows]
    assert len(set(errors)) == 6  # every network and every pair gives another
    # A constant image has the error 1; an own code is never worse decoded than one that was carried over.
    assert max(errors[:2]) < 0.8 and max(errors) < 1 and min(errors[2:]) > min(errors[:2])
    printed = paper.comparison(rows)
    assert all(record["ours"] in run.out for record in printed)
    table, _, _ = run.out.partition("Table 3")[2].partition("Rows and pictures")
    assert max(map(len, table.splitlines())) <= 100
    assert run.err == ""
    pictures = {path.name: path.stat().st_size for path in (experiment.results / "pictures").glob("*.png")}
    assert pictures.keys() == {"table3.png", "table3_mlp_mlp_latent4_anchors20.png"}
    assert min(pictures.values()) > 10_000
    first, last = run.out.partition("\ndone:")[0].split("\n"), run.out.strip().splitlines()[-1]
    introduction = " ".join("".join(f"{line} " for line in first).split())
    assert introduction.startswith(f"anchors on {jax.local_device_count()} x cpu, jax {jax.__version__}, flax ")
    assert (
        "data: mnist_sample (from: sample), 6,000 + 1,000 images of 28 x 28; to compute: latent 4 (20 anchors); "
        in introduction
    )
    assert "rigid, linear; 2 seeds, epochs: 2, onecycle 0.001; 2 of 2 tasks to do, " in introduction
    assert (
        last
        == f"Rows and pictures: {experiment.workdir / 'results'}; trained networks: {experiment.workdir / 'networks'}"
    )
    assert "\x1b" not in run.out  # colours are for terminals


def test_a_second_time(uninterrupted, experiment):
    first, rows, made = uninterrupted
    shutil.copytree(made.workdir, experiment.workdir)
    table, _, _ = first.out.partition("Table 3")[2].partition("Rows and pictures")
    before = files(experiment.workdir)
    again = experiment("anchors", *RUN)
    assert again.code == 0, again.err
    assert files(experiment.workdir) == before  # nothing trained, no row added, no picture drawn again
    assert table in again.out and again.err == ""

    more = experiment("anchors", *RUN, "--methods=autoencoder,affine,affine")
    assert more.code == 0, more.err
    assert experiment.rows()[: len(rows)] == rows
    assert [row["method"] for row in experiment.rows()[len(rows) :]] == ["affine"] * 2

    quiet = experiment("anchors", *RUN, "--quiet")
    assert (quiet.code, quiet.out) == (0, "")

    machine = experiment("anchors", *RUN, "--json")
    assert (machine.code, machine.err) == (0, "")
    assert [json.loads(line) for line in machine.out.splitlines()] == rows


def test_pictures_train_no_map_anew(experiment, few, monkeypatch):
    trained = []

    def counted(*pairs, **options):
        trained.append(len(pairs[0]))
        return stitch_pairs(*pairs, **options)

    monkeypatch.setattr(methods, "stitch_pairs", counted)
    run = experiment("anchors", "--dataset=mnist_sample", "--anchors=20", "--methods=stitching_k1", *TINY)
    assert run.code == 0, run.err
    assert trained == [2]
    assert list(experiment.results.glob("pictures/table3_mlp_mlp_*.png"))


def test_rows_of_networks_that_were_trained_elsewhere_are_not_put_beside_these(uninterrupted, experiment):
    _, rows, made = uninterrupted
    shutil.copytree(made.workdir, experiment.workdir)
    path = experiment.results / "rows" / "table3.jsonl"
    apart = [row | {"test_error": row["test_error"] * 1.0001} if row["source_seed"] == 1 else row for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in apart[:4]))
    before = path.read_bytes()
    run = experiment("anchors", *RUN)
    assert run.code == 1 and "table3.jsonl has rows of another mlp of seed 1 at latent 4" in run.err
    assert path.read_bytes() == before
    # Nor are they shown for networks that had to be trained once more.
    path.write_text("".join(json.dumps(row) + "\n" for row in apart))
    shutil.rmtree(experiment.workdir / "networks")
    assert experiment("anchors", *RUN).code == 1
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    assert experiment("anchors", *RUN).code == 0 and without_time(experiment.rows()) == without_time(rows)


def interrupting(monkeypatch, module, name, calls, number):
    """Let a function of the run end its call number `calls` with a signal to stop."""
    function, passed = getattr(module, name), []

    def interrupted(*args, **options):
        result = function(*args, **options)
        passed.append(name)
        if len(passed) == calls:
            signal.raise_signal(number)
        return result

    monkeypatch.setattr(module, name, interrupted)


@pytest.mark.parametrize(
    ("module", "name", "calls", "number"),
    [
        (data, "load", 1, signal.SIGINT),
        (checkpoints, "save", 3, signal.SIGTERM),
        (evaluation, "reconstruction_error", 3, signal.SIGINT),
        (results, "append", 2, signal.SIGTERM),
    ],
    ids=["data", "training", "evaluation", "rows"],
)
def test_a_run_that_was_stopped_ends_where_an_uninterrupted_one_does(
    experiment, uninterrupted, monkeypatch, module, name, calls, number
):
    with monkeypatch.context() as patch:
        interrupting(patch, module, name, calls, number)
        stopped = experiment("anchors", *RUN)
    assert stopped.code == 130
    assert stopped.err.strip() == "Interrupted. What was finished is kept: the same command goes on from there."
    assert len(experiment.rows()) < 6
    if module is data:  # a run from the start is another test
        assert not experiment.workdir.exists()
        return
    finished = experiment("anchors", *RUN)
    assert finished.code == 0, finished.err
    assert without_time(experiment.rows()) == without_time(uninterrupted[1])
    assert not [path for path in experiment.workdir.rglob("*") if "tmp" in path.name or "partial" in path.name]


def test_dry_run_does_nothing(experiment):
    run = experiment("anchors", *RUN, "--dry_run")
    assert run.code == 0
    assert "train mnist_sample mlp, latent 4" in run.out and "table 3, mlp, latent 4, 20 anchors" in run.out
    machine = experiment("anchors", *RUN, "--dry_run", "--json")
    tasks = [json.loads(line)["task"] for line in machine.out.splitlines()]
    assert tasks == ["train mnist_sample mlp, latent 4", "table 3, mlp, latent 4, 20 anchors"]
    assert not experiment.workdir.exists()


def test_colours_on_a_terminal_alone(experiment, environment):
    command = [sys.executable, str(EXPERIMENTS / "anchors.py"), *RUN, "--dry_run", f"--workdir={experiment.workdir}"]
    environment = {name: value for name, value in environment.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ours, its = pty.openpty()
    process = subprocess.Popen(command, env=environment | {"TERM": "xterm"}, stdout=its, stderr=subprocess.PIPE)
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError), os.fdopen(ours, "rb", buffering=0) as terminal:  # it ends with an error
        while part := terminal.read(1 << 16):
            shown += part
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert b"\x1b[1manchors" in shown


def test_a_wrong_value_is_one_line_and_leaves_nothing(experiment):
    run = experiment("anchors", *RUN, "--latent=ten")  # every other wrong value: tests/bad_input/test_flags.py
    assert run.code == 1
    assert run.err == "error: --latent must be whole numbers from 1, such as 10,50; it is 'ten'\n"
    assert not experiment.workdir.exists()
