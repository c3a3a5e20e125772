"""Datasets of other shapes, added by a flag alone: loaded, trained, aligned, evaluated, and found again in the rows."""

import dataclasses

import numpy as np
import pytest
from image_sets import COLOUR, GREY, ODD, prepare, splits, write_npz, write_splits

from align import data, models
from align_lab import asked, recipes
from align_lab.pictures import visible

TINY = ("--latent=4", "--anchors=8", "--methods=rigid,linear", "--seeds=2", "--epochs=2", "--batch=10")
WRITERS = {
    "8x8 from a .npz": (GREY, lambda folder, arrays: write_npz(folder / "bands.npz", **arrays)),
    "32x32x3 as TensorFlow Datasets prepares it": (COLOUR, lambda folder, arrays: prepare(folder, "bands", arrays)),
    "15x20x3 in a folder of classes": (ODD, lambda folder, arrays: write_splits(folder / "bands", arrays)),
}


@pytest.mark.parametrize(("shape", "write"), WRITERS.values(), ids=WRITERS)
def test_from_the_images_to_the_rows(experiment, tmp_path, monkeypatch, shape, write):
    arrays = splits(shape, train=40, test=12)
    name = str(write(tmp_path, arrays))
    if shape == COLOUR:
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        name = "bands"
    run = experiment("anchors", f"--dataset={name}", *TINY)
    assert run.code == 0, run.err
    rows = experiment.rows()
    own = [("autoencoder", 0, 0), ("autoencoder", 1, 1)]
    pairs = [(method, s, t) for method in ("rigid", "linear") for s, t in ((0, 1), (1, 0))]
    assert [(row["method"], row["source_seed"], row["target_seed"]) for row in rows] == own + pairs
    (called,) = {row["dataset"] for row in rows}
    assert called == data.load(name).name and called.startswith("bands-")
    assert all(np.isfinite(row["test_error"]) and row["settings"]["batch"] == 10 for row in rows)
    size = " x ".join(map(str, shape[: 2 if shape[2] == 1 else 3]))
    assert f"40 + 12 images of {size}; " in " ".join(run.out.split())
    pictures = sorted(path.name for path in (experiment.results / "pictures").iterdir())
    assert f"table3_conv_conv_latent4_anchors8_{called}.png" in pictures
    again = experiment("anchors", f"--dataset={name}", *TINY)
    assert again.code == 0 and "done: train" not in again.out and experiment.rows() == rows


def test_changed_images_are_not_answered_by_the_old_networks(experiment, tmp_path):
    arrays = splits(GREY, train=40, test=12)
    path = write_npz(tmp_path / "bands.npz", **arrays)
    flags = (f"--dataset={path}", "--model=mlp", *TINY)
    assert experiment("anchors", *flags).code == 0
    arrays["x_test"][0, 0, 0] ^= 255
    write_npz(path, **arrays)
    run = experiment("anchors", *flags)
    assert run.code == 0 and "done: train" in run.out
    first, second = dict.fromkeys(row["dataset"] for row in experiment.rows())
    before, after = ([row for row in experiment.rows() if row["dataset"] == name] for name in (first, second))
    assert len(before) == len(after) == 6
    assert all(one["test_error"] != other["test_error"] for one, other in zip(before, after, strict=True))
    pictures = {path.name for path in (experiment.results / "pictures").iterdir()}
    assert {f"table3_mlp_mlp_latent4_anchors8_{name}.png" for name in (first, second)} <= pictures


def test_another_last_layer_is_another_network(experiment, tmp_path):
    path = write_npz(tmp_path / "bands.npz", **splits(GREY, train=40, test=12))
    flags = (f"--dataset={path}", "--model=mlp", *TINY)
    assert experiment("anchors", *flags, "--last_layer=linear").code == 0
    assert {row["source_model"] for row in experiment.rows()} == {"mlp"}
    run = experiment("anchors", *flags, "--last_layer=sigmoid")
    assert run.code == 0 and "done: train" in run.out, run.err
    assert {row["source_model"] for row in experiment.rows()} == {"mlp", "mlp-sigmoid"}
    assert len(experiment.rows()) == 12


def test_the_ladder_takes_any_images(experiment, tmp_path):
    path = write_npz(tmp_path / "bands.npz", **splits(GREY, train=40, test=12))
    run = experiment("knowledge", f"--spaces={path}-4", "--steps=pairs", "--dry_run", "--seeds=2")
    assert run.code == 0, run.err
    assert "pairs, bands-" in run.out


def test_architectures_are_named_by_what_is_unusual():
    one = asked.Asked("mnist", "conv", (), (), (0, 1), recipes.Overrides({}))
    named = {
        (dataset, last): dataclasses.replace(one, dataset=dataset, last_layer=last).architecture("conv")
        for dataset in ("mnist", "mnist_sample", "fashion_mnist", "cifar10-12345678")
        for last in (None, "sigmoid", "linear")
    }
    unusual = {key: name for key, name in named.items() if name != "conv"}
    assert unusual == {
        ("mnist", "linear"): "conv-linear",
        ("mnist_sample", "linear"): "conv-linear",
        ("fashion_mnist", "sigmoid"): "conv-sigmoid",
        ("cifar10-12345678", "sigmoid"): "conv-sigmoid",
    }


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_drawn_is_what_the_images_were(channels):
    pixels = np.random.default_rng(0).integers(0, 100, (6, 5, 4, channels)).astype(np.float32)
    mean, std = pixels.mean((0, 1, 2)), pixels.std((0, 1, 2))
    split = data.Split((pixels - mean) / std, np.arange(6))
    seen = visible(split.images, data.Dataset("bands-12345678", "npz", split, split, mean, std), "linear")
    expected = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    np.testing.assert_allclose(seen, expected[..., :3] if channels > 2 else expected[..., 0], atol=1e-5)
    bounded = visible(split.images, data.Dataset("mnist", "idx", split, split, mean, std), "sigmoid")
    np.testing.assert_array_equal(
        bounded, np.clip(split.images[..., :3] if channels > 2 else split.images[..., 0], 0, 1)
    )


def test_models_that_end_as_said():
    assert [models.last_layer(name, "mnist") for name in ("conv", "conv-linear", "mlp")] == [
        "sigmoid",
        "linear",
        "sigmoid",
    ]
    assert models.autoencoder("mlp-sigmoid", 3, "cifar10").decoder.sigmoid
    assert not models.autoencoder("conv-linear", 3, "mnist").decoder.sigmoid
