"""Data, architectures and training settings that there are not."""

from pathlib import Path

import pytest
from refusals import Refusal, every

from align import data, models, training
from align.data import DataError


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
        for value in (0.0, -1e-3, float("nan"), float("inf"), "1e-3", None)
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
