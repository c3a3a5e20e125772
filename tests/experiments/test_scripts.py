"""The other scripts whole, with a tiny setting: the rows that their tables ask for. What they plan is in test_plans."""

import json
from collections import Counter

import pytest
from running import TINY

from align import data, models
from align_lab import candidates
from align_lab.ladder import rung_maps

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

    # Rows of networks by these names that were trained elsewhere: no others are put beside them.
    rows = [row for row in experiment.rows(2) if (row["method"], row["target_seed"]) != ("end2end", 1)]
    apart = [row | {"test_error": row["test_error"] * (1.0001 if row["method"] == "end2end" else 1)} for row in rows]
    (experiment.results / "rows" / "table2.jsonl").write_text("".join(json.dumps(row) + "\n" for row in apart))
    refused = experiment("relative", *SAMPLE, "--anchors=8", "--relative_epochs=1")
    assert refused.code == 1 and "table2.jsonl has rows of another end2end mlp of seed 0 at latent" in refused.err


def test_new_decoders_belong_to_their_encoders(experiment, few):
    known = (*SAMPLE, "--anchors=8", "--relative_epochs=1", "--methods=decoder_only")
    assert experiment("relative", *known).code == 0
    first = experiment.rows(2)
    longer = experiment("relative", *known, "--epochs=3")
    assert longer.code == 0 and "train decoder_only" in longer.out, longer.err
    more = experiment.rows(2)[len(first) :]
    assert listed(more) == listed(first)
    assert {row["settings"]["encoders"]["epochs"] for row in more if row["method"] == "decoder_only"} == {3}
    assert not {row["test_error"] for row in more} & {row["test_error"] for row in first}


def test_between_architectures(experiment, few, monkeypatch):
    # Fully connected networks by both names: what is tested is who meets whom.
    monkeypatch.setattr(models, "autoencoder", lambda model, *rest, real=models.autoencoder: real("mlp", *rest))
    arguments = [argument for argument in TINY if not argument.startswith("--model")]
    run = experiment("architectures", "--dataset=fashion_mnist_sample", *arguments, "--anchors=20", "--methods=linear")
    assert run.code == 0, run.err
    rows = [(r["method"], r["source_model"], r["target_model"]) for r in experiment.rows(5)]
    assert rows.count(("autoencoder", "conv", "conv")) == rows.count(("autoencoder", "mlp", "mlp")) == 2
    # Between architectures every pair of seeds counts, the equal ones too.
    assert rows.count(("linear", "conv", "mlp")) == rows.count(("linear", "mlp", "conv")) == 4
    assert len(rows) == 12


def test_knowledge(experiment, few, monkeypatch):
    monkeypatch.setattr(rung_maps, "LABELS", ("means_linear",))
    arguments = ("--dataset=mnist_sample", "--spaces=mnist-3", "--epochs=1", "--seeds=2", "--steps=pairs,labels")
    arguments += ("--anchors=20,1000",)  # there are 500 images
    run = experiment("knowledge", *arguments)
    assert run.code == 0, run.err
    rows = experiment.rows("knowledge")
    count = Counter((row["method"], row["anchors"]) for row in rows)
    assert count["autoencoder", None] == count["means_linear", None] == 2
    assert count["linear", 20] == count["ridge", None] == 2 and not count["linear", 1000]
    assert all(row["leave_one_out"] > 0 for row in rows if row["method"].startswith("ridge"))
    text = (experiment.results / "tables" / "knowledge.md").read_text()
    assert "| ridge |" in text and "| means_linear |" in text
    assert (experiment.results / "pictures" / "knowledge_mnist_sample_latent3.png").exists()

    again = experiment("knowledge", *arguments)
    assert again.code == 0 and "done:" not in again.out and experiment.rows("knowledge") == rows


def test_spaces_and_steps_are_checked(experiment):
    spaces = experiment("knowledge", "--dataset=mnist_sample", "--spaces=mnist-3,mnist-0")
    message = "--spaces must be such as mnist-50 or fashion_mnist-100; one of them is 'mnist-0'"
    assert spaces.code == 1 and message in spaces.err
    steps = experiment("knowledge", "--dataset=mnist_sample", "--steps=pairs,stairs")
    message = "--steps has no 'stairs'; there are pairs, selection, labels, few, bound, unpaired, controls"
    assert steps.code == 1 and message in steps.err


def test_knowledge_introduces_the_data_of_its_spaces_and_loads_no_other(experiment, monkeypatch):
    loaded = []
    real = data.load
    monkeypatch.setattr(data, "load", lambda name, *rest, **more: loaded.append(name) or real(name, *rest, **more))
    known = ("--steps=pairs", "--seeds=2", "--dry_run")
    run = experiment("knowledge", "--spaces=fashion_mnist_sample-5", *known)
    assert run.code == 0, run.err
    said = " ".join(run.out.split())
    assert "data: fashion_mnist_sample (from: sample), 6,000 + 1,000 images of 28 x 28" in said
    assert "to compute: latent 5; pairs; 2 seeds, epochs: 7, onecycle 0.002" in said
    assert said.count("data: ") == 1 and loaded == ["fashion_mnist_sample"]
    both = experiment("knowledge", "--spaces=mnist-3,fashion_mnist-5,mnist-4", "--dataset=mnist_sample", *known)
    said = " ".join(both.out.split())
    assert said.count("data: ") == 2 and "mnist_sample" in said and "to compute: latent 3, 4; pairs; " in said


def test_the_search_keeps_its_rows(experiment, few, monkeypatch):
    small = ((2, 2), (3, 3), ())
    monkeypatch.setattr(candidates, "CANDIDATES", ((small, small, {"epochs": 1}),))
    run = experiment("search", "--dataset=mnist_sample", "--latent=3")
    assert run.code == 0, run.err
    (row,) = experiment.rows("search")
    assert 0.4694 < row["autoencoder"] < row["linear"] and f"{row['parameters']:,}" in run.out
    again = experiment("search", "--dataset=mnist_sample", "--latent=3")
    assert again.code == 0 and experiment.rows("search") == [row] and "0 of 1 tasks to do" in again.out
    twice = experiment("search", "--dataset=mnist_sample", "--latent=3", "--candidates=0,0", "--dry_run")
    assert twice.code == 0 and "0 of 1 tasks to do" in twice.out, twice.err
    # A choice looks at training images left out: another training, and another row.
    left_out = experiment("search", "--dataset=mnist_sample", "--latent=3", "--held_out=100")
    assert left_out.code == 0 and "100 images left out" in left_out.out, left_out.err
    other = experiment.rows("search")[1]
    assert other["settings"]["held_out"] == 100 and other["autoencoder"] != row["autoencoder"]
    most = experiment("search", "--dataset=mnist_sample", "--held_out=251")
    assert most.code == 1 and "--held_out must be at most half the training images, 250; it is 251" in most.err
