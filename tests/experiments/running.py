"""The scripts of experiments, the smallest setting that is a whole run, and what comes of a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

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

    def rows(self, table: int = 3) -> list[dict]:
        path = self.workdir / "results" / f"table{table}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
