"""The other scripts with a tiny setting: the rows that their tables ask for."""

from running import TINY

from align import data

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
    own, carried = ([r["test_error"] for r in rows[2:] if (r["source_seed"] == r["target_seed"]) == x] for x in (1, 0))
    assert max(own) < min(carried)


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
