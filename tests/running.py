"""The scripts of experiments, run in this process, so that the runs of a test share what is compiled."""

import json
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import pytest
from absl.flags import FLAGS

from align import data, drawing

EXPERIMENTS = Path(__file__).parents[1] / "experiments"

# 2 networks, 2 epochs on the shipped sample, 2 ordered pairs.
TINY = ("--model=mlp", "--latent=4", "--epochs=2", "--seeds=2", "--learning_rate=1e-3")


class Run(NamedTuple):
    """How a run ended, and what it printed."""

    code: int
    out: str
    err: str


class Experiment(NamedTuple):
    """Runs scripts in one workdir."""

    workdir: Path
    call: Callable[..., Run]

    def __call__(self, script: str, *arguments: str) -> Run:
        return self.call(script, *arguments, f"--workdir={self.workdir}")

    @property
    def results(self) -> Path:
        return self.workdir / "results"

    def rows(self, table: int | str = 3) -> list[dict]:
        path = self.results / "rows" / (f"table{table}.jsonl" if isinstance(table, int) else f"{table}.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def forget_flags(script: Path) -> None:
    """Forget the flags that a script has defined: absl defines a flag once in a process."""
    for module, flags in list(FLAGS.flags_by_module_dict().items()):
        if module.startswith("align_lab.") or module == str(script):
            for flag in list(flags):
                delattr(FLAGS, flag.name)


def xla_flags() -> str:
    """Give this process's flags with as many devices as here: what is compiled under the same flags is shared."""
    return f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={jax.local_device_count()}"


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a script of experiments/ with arguments as its command line does."""
    monkeypatch.setenv("XLA_FLAGS", xla_flags())  # JAX has started: the devices are what they are
    monkeypatch.setattr(os, "_exit", sys.exit)  # an interrupted script ends its process, which here is pytest's

    def run(script, *arguments):
        path = EXPERIMENTS / f"{script}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this process without
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(path), run_name="__main__")
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            forget_flags(path)
        return Run(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def experiment(call, tmp_path):
    """Run scripts in a workdir of their own."""
    return Experiment(tmp_path / "workdir", call)


@pytest.fixture(scope="session")
def environment():
    """The environment of a script in a process of its own, with as many devices as here."""
    return {**os.environ, "XLA_FLAGS": xla_flags(), "PYTHONPATH": str(EXPERIMENTS.parent)}


@pytest.fixture
def undrawn(monkeypatch):
    """Close figures in place of drawing them into their files, which stay empty: for tests of what stands beside."""

    def save(figure, path, **_):
        drawing.plots().close(figure)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return path

    monkeypatch.setattr(drawing, "save", save)


@pytest.fixture
def few(monkeypatch):
    """Cut the samples to 500 images and 200 for the test: networks train in a moment."""

    def load(name, folder=None, *, real=data.load, **pixels):
        whole = real(name, folder, **pixels)
        train, test = (
            data.Split(*(part[:count] for part in split))
            for split, count in zip((whole.train, whole.test), (500, 200), strict=True)
        )
        return data.Dataset(whole.name, "cut", train, test)

    monkeypatch.setattr(data, "load", load)
