"""The other scripts with a tiny setting: the rows that their tables ask for."""

import dataclasses
import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from running import TINY

from align import data, solvers
from align_lab import ladder

SAMPLE = ("--dataset=mnist_sample", *TINY)


def listed(rows):
    return [(row["method"], row["source_seed"], row["target_seed"], row["anchors"]) for row in rows]


def test_full_and_geometry_share_their_networks(experiment):
    run = experiment("full", *SAMPLE, "--methods=linear")
    assert run.code == 0, run.err
    own = [("autoencoder", 0, 0, None), ("autoencoder", 1, 1, None)]
    assert listed(experiment.rows(1)) == [*own, ("linear", 0, 1, None), ("linear", 1, 0, None)]
    full = [row["test_error"] for row in experiment.rows(1)]

    run = experiment("geometry", *SAMPLE, "--methods=means_rigid")
    assert run.code == 0, run.err
    assert "done: train" not in run.out
    assert listed(experiment.rows(4)) == [*own, ("means_rigid", 0, 1, None), ("means_rigid", 1, 0, None)]
    means = [row["test_error"] for row in experiment.rows(4)]
    assert means[:2] == full[:2]
    assert means[2] > full[2] and means[3] > full[3]  # ten pairs of means know less than 6,000 of images


def test_relative_representations(experiment):
    run = experiment("relative", *SAMPLE, "--anchors=8", "--relative_epochs=1")
    assert run.code == 0, run.err
    rows = experiment.rows(2)
    expected = [("autoencoder", 0, 0, None), ("autoencoder", 1, 1, None)]
    for method in ("decoder_only", "end2end"):
        expected += [(method, s, t, 8) for s, t in ((0, 0), (1, 1), (0, 1), (1, 0))]
    assert listed(rows) == expected
    # Every decoder does better with its own network's representation than with the other's.
    error = {(r["method"], r["source_seed"], r["target_seed"]): r["test_error"] for r in rows}
    for method in ("decoder_only", "end2end"):
        assert error[method, 0, 0] < error[method, 1, 0] and error[method, 1, 1] < error[method, 0, 1]

    # The same decoders, shown the other space by its own standard: nothing is trained, and the own errors stay.
    again = experiment("relative", *SAMPLE, "--anchors=8", "--relative_epochs=1", "--methods=decoder_only_standard")
    assert again.code == 0 and "done: train" not in again.out, again.err
    rows = [row for row in experiment.rows(2) if row["method"] == "decoder_only_standard"]
    standard = {(row["source_seed"], row["target_seed"]): row["test_error"] for row in rows}
    for seed, other in ((0, 1), (1, 0)):
        assert standard[seed, seed] == pytest.approx(error["decoder_only", seed, seed], abs=1e-5)
        assert abs(standard[seed, other] - error["decoder_only", seed, other]) > 1e-3


def test_between_architectures(experiment, monkeypatch):
    full, _, train, test = data.load("fashion_mnist_sample")
    few = data.Dataset(full, "cut", *(data.Split(images[:500], labels[:500]) for images, labels in (train, test)))
    monkeypatch.setattr(data, "load", lambda name, folder: few)
    arguments = [argument for argument in TINY if not argument.startswith("--model")]
    run = experiment("architectures", "--dataset=fashion_mnist_sample", *arguments, "--anchors=20", "--methods=linear")
    assert run.code == 0, run.err
    rows = [(r["method"], r["source_model"], r["target_model"]) for r in experiment.rows(5)]
    assert rows.count(("autoencoder", "conv", "conv")) == rows.count(("autoencoder", "mlp", "mlp")) == 2
    # Between architectures every pair of seeds counts, the equal ones too.
    assert rows.count(("linear", "conv", "mlp")) == rows.count(("linear", "mlp", "conv")) == 4
    assert len(rows) == 12


def test_knowledge_from_pairs_and_from_none(experiment, monkeypatch):
    monkeypatch.setattr(ladder, "COUNTS", (20,))
    monkeypatch.setattr(ladder, "SELECTIONS", ("class_balanced", "neighbourhoods"))
    monkeypatch.setattr(ladder, "LABELS", ("means_linear", "subclass_means"))
    trusted = solvers.rigid(np.eye(3), np.eye(3))
    details = SimpleNamespace(contrast=0.1, agreement=3)
    monkeypatch.setattr(solvers, "unpaired", lambda *_: dataclasses.replace(trusted, converged=True, details=details))
    arguments = ("--dataset=mnist_sample", "--spaces=mnist-3", "--epochs=1", "--seeds=2", "--keys=2")
    run = experiment("knowledge", *arguments)
    assert run.code == 0, run.err
    path = experiment.results / "rows" / "knowledge.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    count = Counter((row["method"], row["anchors"]) for row in rows)
    assert count["autoencoder", None] == 2 and count["ridge", None] == count["linear", 20] == 2
    assert count["linear_class_balanced", 6] == count["ridge_neighbourhoods", 6] == count["subclass_means", None] == 2
    assert count["unpaired", None] == count["control_noise", None] == 4  # two keys
    assert all(row["leave_one_out"] > 0 for row in rows if row["method"].startswith("ridge"))
    text = (experiment.results / "tables" / "knowledge.md").read_text()
    assert "| ridge |" in text and "4 were reported as confident" in text and "unrelated clouds 4 were" in text
    assert (experiment.results / "pictures" / "knowledge_mnist_sample_latent3.png").exists()

    again = experiment("knowledge", *arguments)
    assert again.code == 0 and "done:" not in again.out
    wrong = experiment("knowledge", *arguments, "--spaces=cifar-3")
    assert (
        wrong.code == 1
        and "--spaces must be such as mnist-50 or fashion_mnist-100; one of them is 'cifar-3'" in wrong.err
    )
