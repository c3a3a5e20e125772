"""The benchmarks in small: rows that are made once, peers that are not there, and the report of both."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from running import EXPERIMENTS

from align_lab.bench import (
    bench_report,
    comparison_tables,
    footprint,
    growth,
    growth_plots,
    harness,
    joined_files,
    measurements,
    processes,
)


@pytest.fixture
def case(monkeypatch):
    """A question with a peer that runs, one that is not installed, and one that fails; and what was called."""
    # Before every run; in a process that has run many tests it takes half a second.
    monkeypatch.setattr(harness, "gc", SimpleNamespace(collect=int))
    called = []

    def contender(name, error=None):
        def prepare():
            if isinstance(error, ImportError):
                raise error

            def run():
                called.append(name)
                if error:
                    raise error
                return np.ones(3)

            return run

        return prepare

    peers = {
        "twin": contender("twin"),
        "absent": contender("absent", ImportError("No module named 'absent'")),
        "broken": contender("broken", RuntimeError("no compiler\nat all")),
    }
    goals = [harness.Goal(harness.FASTEST, 0.001), harness.Goal("absent", 2.0)]
    return harness.Case(
        question="count to three",
        ours=contender("ours"),
        peers=peers,
        goals=goals,
        work=harness.Work(1e12, "float64", 0.5),
        check=lambda result: {"total": result.sum()},
    ), called


def test_a_question_becomes_a_row_once_and_a_report(case, tmp_path):
    case, called = case
    effort, path = harness.Effort(3, 0.0, 8), tmp_path / "rows" / "benchmarks.jsonl"
    harness.measure([harness.comparison(case)], tmp_path, effort, small=True)
    (row,) = map(json.loads, path.read_text().splitlines())
    assert [called.count(name) for name in ("twin", "absent", "broken")] == [1 + 3, 0, 1]
    assert row["ours"]["total"] == row["peers"]["twin"]["total"] == 3 and len(row["ours"]["times"]) == 3
    assert row["peers"]["absent"] == {"missing": "not installed"}
    assert row["peers"]["broken"] == {"missing": "does not run: RuntimeError: no compiler"}
    assert row["share"] == pytest.approx(2e12 / row["ours"]["median"] / row["product_rate"])
    assert {"machine", "device", "versions", "revision", "others"} <= set(row)

    harness.measure([harness.comparison(case)], tmp_path, effort, small=True)
    assert called.count("twin") == 4  # it has a row
    harness.measure([harness.comparison(case)], tmp_path, effort, small=True, again=True)
    assert called.count("twin") == 8 and len(path.read_text().splitlines()) == 1

    (tmp_path / "bounds.md").write_text("# another question\n\nNothing.\n")
    text = bench_report.write(tmp_path).read_text()
    assert "| count to three | twin, the fastest |" in text
    assert f"The comparisons, in this table and the next ones. Revision {row['revision']}." in text
    assert "| count to three | absent | " in text and "| not installed | – | ≥ 2x |" in text
    assert "| broken | does not run: RuntimeError: no compiler |" in text
    assert "JAX found none on this machine: skipped." in text


def test_small_sizes_are_not_published_beside_others(case, tmp_path):
    for small in (False, True):
        harness.measure([harness.comparison(case[0])], tmp_path, harness.Effort(3, 0.0, 8), small=small)
    path = tmp_path / "rows" / "benchmarks.jsonl"
    whole, small = map(json.loads, path.read_text().splitlines())
    small["ours"]["median"] = 1e6
    path.write_text(f"{json.dumps(whole)}\n{json.dumps(small)}\n")
    (tmp_path / "bounds.md").write_text("")
    assert "1e+06" not in bench_report.write(tmp_path).read_text()


def test_every_machine_has_a_section_the_one_that_came_last_first(case, tmp_path):
    harness.measure([harness.comparison(case[0])], tmp_path, harness.Effort(3, 0.0, 8), small=True)
    path = tmp_path / "rows" / "benchmarks.jsonl"
    (row,) = map(json.loads, path.read_text().splitlines())
    machine = {**row["machine"], "cpu": "Abacus", "vectors": None}
    point = {"kind": "growth", "question": "a point", "axis": "rows", "series": "affine", "seconds": 1.0}
    rows = [{**row, **point, "machine": machine, "size": size} for size in (10, 100)]
    wider = {**machine, "vectors": "AVX-512"}
    rows += [{**one, "machine": wider} for one in rows] + [{**one, "device": "gpu: Card 1"} for one in rows]
    path.write_text("".join(json.dumps(one) + "\n" for one in (row, *rows)))
    (tmp_path / "bounds.md").write_text("")
    text = bench_report.write(tmp_path).read_text()
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads[:3] == ["## The whole paper", "## Abacus with AVX-512", "## Abacus"] and heads[-1] == "## gpu: Card 1"
    assert len(heads) == 5 and text.count("| count to three | twin, the fastest |") == 1
    pictures = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert pictures == {f"growth_rows{end}.png" for end in ("", "_avx_512", "_gpu_card_1")}


def test_ours_must_run(case, tmp_path):
    case, _ = case
    broken = harness.comparison(type(case)(question="broken", ours=case.peers["broken"], peers={}))
    with pytest.raises(RuntimeError, match="no compiler"):
        harness.measure([broken], tmp_path, harness.Effort(1, 0.0, 8), small=True)
    assert not list(tmp_path.iterdir())


def test_slope_is_that_of_the_larger_half():
    assert growth_plots.slope({1: 5.0, 10: 5.0, 100: 1e4, 1_000: 1e6}) == pytest.approx(2)
    assert growth_plots.slope({2: 1.0, 4: 8.0}) == pytest.approx(3)
    assert np.isnan(growth_plots.slope({2: 1.0}))


def test_what_is_shared_among_processes_has_a_speed_in_place_of_a_slope(tmp_path):
    assert growth_plots.speed_ups({4: 5.0, 1: 9.0, 2: 4.5}) == "2.0x with 2, 1.8x with 4"
    assert growth_plots.speed_ups({1: 9.0}) == "alone"
    known = {"series": "affine", "revision": "abc", "question": "a point"}
    points = [("processes", 1, 8.0), ("processes", 2, 4.0), ("rows", 10, 1.0), ("rows", 100, 10.0)]
    rows = [{**known, "axis": axis, "size": size, "seconds": seconds} for axis, size, seconds in points]
    text = growth_plots.write(rows, tmp_path, "")
    assert "together. Speed against one process: affine 2.0x with 2. Revision abc." in text
    assert "time grows with rows to the power of affine 1.00" in text and "the power of affine -" not in text


def test_every_section_says_of_which_revision_it_is():
    rows = [{"question": name, "revision": revision} for name, revision in ("a1", "b2", "c2", "d3", "e3", "f3")]
    assert measurements.revisions(rows[-3:]) == "Revision 3."
    assert measurements.revisions(rows) == 'Revision 3; of 2: "b", "c"; of 1: "a".'
    stages = [{**row, "whole_paper": 60.0, "where": {}} for row in rows]
    text = " ".join(comparison_tables.stages(stages).split())
    assert "is measured, and stands at the top." in text
    assert "come to 6 minutes together" in text and 'Revision 3; of 2: "b", "c"; of 1: "a".' in text


def test_every_axis_of_growth_has_a_plot():
    assert set(growth.AXES) == set(growth.SMALL) == set(growth_plots.AXES)


def test_processes_sum_their_shares_and_say_when_one_fails():
    assert processes.seconds(2, 400, 3) > 0
    with pytest.raises(RuntimeError, match="a process of 1 failed"):
        processes.seconds(1, 400, 0)


def test_one_command(tmp_path):
    command = [sys.executable, str(EXPERIMENTS / "benchmarks.py"), "--small", "--only=small_fits", "--repeats=1"]
    done = subprocess.run([*command, f"--results={tmp_path}"], env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows" / "benchmarks.jsonl").read_text().splitlines()]
    assert [row["question"] for row in rows] == [
        "20 linear fits, 12 anchors, d = 5",
        "20 rigid fits, 12 anchors, d = 5",
    ]
    for row in rows:
        assert row["ours"]["weight_norm"] == pytest.approx(row["peers"]["numpy loop"]["weight_norm"], rel=1e-3)
    assert "20 rigid fits" in (tmp_path / "tables" / "benchmarks.md").read_text()


def test_what_fills_a_disk_is_small_where_that_is_asked(call, tmp_path, monkeypatch):
    asked = []
    for module in (footprint, joined_files):
        monkeypatch.setattr(module, "measure", lambda workdir, count, results: asked.append((workdir.name, count)))
    known = ("--here", "--only=memory,joins", f"--results={tmp_path}")
    assert call("benchmarks", *known, "--small").code == call("benchmarks", *known).code == 0
    assert asked == [("workdir", count) for count in (50_000, 50_000, 10_000_000, 1_000_000)]


def test_what_fills_a_disk_makes_the_folder_of_its_row_and_leaves_others_alone(tmp_path, monkeypatch):
    (tmp_path / "files" / "memory").mkdir(parents=True)
    (tmp_path / "files" / "memory" / "mine").write_text("of the user")
    monkeypatch.setattr(footprint, "PAIRS", 50_000)
    footprint.measure(tmp_path / "files", 50_000, tmp_path / "new")
    (row,) = map(json.loads, (tmp_path / "new" / "rows" / "memory.jsonl").read_text().splitlines())
    assert row["rows"] == 50_000 and row["largest_error"] < 0.01
    assert [path.name for path in (tmp_path / "files").rglob("*")] == ["memory", "mine"]
    for module in (footprint, joined_files):
        monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1))
        with pytest.raises(OSError, match="files has 0 GB free"):
            module.measure(tmp_path / "files", 50_000, tmp_path / "new")
    assert (tmp_path / "files" / "memory" / "mine").read_text() == "of the user"


@pytest.mark.parametrize(("name", "latent"), [("conv", 50), ("conv", 10), ("mlp", 50)])
def test_the_network_in_pytorch_is_the_same(name, latent):
    torch = pytest.importorskip("torch")
    from align import models
    from align_lab.bench import torch_networks

    model = models.autoencoder(name, latent, "mnist")
    images = jax.random.normal(jax.random.key(0), (3, 28, 28, 1))
    params = model.init(jax.random.key(1), images)
    # Biases start at zero, where a misplaced one would not be seen.
    params = jax.tree.map(lambda a: a + 0.1 * jax.random.normal(jax.random.key(2), a.shape), params)
    with torch.no_grad():
        theirs = torch_networks.network(model, params)(torch_networks.turned(images)).numpy()
    turned_back = theirs.transpose(0, 2, 3, 1)[:, ::-1, ::-1]
    np.testing.assert_allclose(turned_back, model.apply(params, images), atol=1e-5)
