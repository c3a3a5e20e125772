"""Data, architectures and training settings that there are not."""

from pathlib import Path

import jax
import numpy as np
import pytest
from refusals import Refusal, every

from align import data, models, training
from align.data import DataError
from align.evaluation import reconstruction_error
from align.stitching import StitchingMap, stitch_pairs, stitching

KEY = jax.random.key(0)


def settings(argument, value, expected):
    return Refusal(lambda: training.Settings(**{argument: value}), argument, f"it is {value!r}", expected)


@every(
    {
        f"{argument} {value!r}": settings(argument, value, "at least 1")
        for argument in ("epochs", "batch", "passes")
        for value in (0, -1, -(10**20), "5", 2.5, None)
    }
    | {
        f"learning_rate {value!r}": settings("learning_rate", value, "positive and finite")
        for value in (0.0, -1e-3, float("nan"), float("inf"), "1e-3", None, True)
    }
    | {
        f"weight_decay {value!r}": settings("weight_decay", value, "at least 0 and finite")
        for value in (-0.1, float("nan"), "0.1")
    }
    | {
        f"schedule {value!r}": settings("schedule", value, "one of onecycle, constant")
        for value in ("step", "", "OneCycle", None)
    }
    | {
        f"memory {value!r}": settings("memory", value, "at least 0 and below 1")
        for value in (1.0, -0.1, float("nan"), "0.99")
    }
    | {
        f"initial {value!r}": settings("initial", value, "one of normal, uniform, orthogonal")
        for value in ("pytorch", "", "Normal", None)
    }
)
def test_settings(refusal):
    refusal.check()


@every(
    {
        f"model {value!r}": Refusal(
            lambda value=value: models.autoencoder(value, 4, "mnist"), "model", f"it is {value!r}", "one of conv, mlp"
        )
        for value in ("resnet", "", "Conv", None)
    }
    | {"no dataset": Refusal(lambda: models.autoencoder("conv", 5, None), "dataset", "it is None", "the name of one")}
    | {
        f"latent {value!r}": Refusal(
            lambda value=value: models.autoencoder("mlp", value, "mnist"), "latent", f"it is {value!r}", "at least 1"
        )
        for value in (0, -50, -(10**30))
    }
)
def test_autoencoder(refusal):
    refusal.check()


TINY = models.autoencoder("mlp", 4, "mnist", (8, 8, 1))
IMAGES, CODES = np.zeros((3, 8, 8, 1), np.float32), np.zeros((3, 4), np.float32)


@pytest.fixture(scope="module")
def params():
    return TINY.init(jax.random.key(0), IMAGES)


@pytest.mark.parametrize(
    ("name", "came", "call"),
    [
        ("images", "(3, 9, 8, 1)", lambda p: models.encode(TINY, p, np.zeros((3, 9, 8, 1)))),
        ("latents", "(3, 5)", lambda p: models.decode(TINY, p, np.zeros((3, 5)))),
        ("codes", "(3, 5)", lambda p: reconstruction_error(*models.decoder_of(TINY, p), np.zeros((3, 5)), IMAGES)),
    ],
)
def test_arrays_of_another_shape_than_the_networks(params, name, came, call):
    expected = "of the shape that the network was trained on"
    Refusal(lambda: call(params), f"{name} must be", f"they are {came}", expected).check()


@every(
    {
        "one key": Refusal(
            lambda: training.fit(TINY, [None], jax.random.key(0), IMAGES, IMAGES, training.Settings()),
            "keys", "it is one key", "a list, one per state",
        ),
        "weights for some": Refusal(
            lambda: stitch_pairs([KEY] * 2, [CODES] * 2, [CODES] * 2, weights=[None, CODES[:, 0] + 1]),
            "weights", "some are None", "every network, or for none",
        ),
        "traced codes": Refusal(lambda: jax.jit(stitching)(KEY, CODES, CODES), "source", "under jit", "must be known"),
        "settings of another kind": Refusal(
            lambda: stitching(KEY, CODES, CODES, settings={}), "settings", "they are {}", "training.Settings"
        ),
        "complex points": Refusal(
            lambda: StitchingMap(None, None)(1j * CODES), "x", "complex64", "must hold real numbers"
        ),
    }
)  # fmt: skip
def test_calls_of_networks(refusal):
    refusal.check()


@every(
    {
        f"name {name!r}": Refusal(lambda name=name: data.load(name), "name", repr(name), "expected one of 'mnist'")
        for name in ("cifar", "", "MNIST", "mnist ", "mnist_sample.gz", "手書き数字", "../mnist", None, 7)
    }
)
def test_names_of_data(refusal):
    refusal.check()


@pytest.mark.parametrize(
    ("where", "came"),
    [
        ("nowhere", "is not a folder"),
        ("file", "is not a folder"),
        ("empty", "has no train-images-idx3-ubyte"),
        ("Ordner für Daten 数据", "has no train-images-idx3-ubyte"),
        ("folders", "has no train-images-idx3-ubyte"),
    ],
)
def test_folders_of_data(tmp_path, where, came):
    (tmp_path / "file").touch()
    for folder in ("empty", "Ordner für Daten 数据", "folders/train-images-idx3-ubyte"):
        (tmp_path / folder).mkdir(parents=True)
    path = Path(tmp_path, where)
    Refusal(lambda: data.load("mnist", path), str(path), came, "Put the published IDX files there", DataError).check()
