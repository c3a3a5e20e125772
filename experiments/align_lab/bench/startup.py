"""How long it takes until work can start, importing the solvers and a script's --help; and until a command is done."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from align_lab.bench import harness

EXPERIMENTS = Path(__file__).parents[2]


def process(*arguments, environment=None):
    """Run Python in a process of its own."""

    def run():
        done = subprocess.run(
            [sys.executable, *arguments], cwd=EXPERIMENTS.parent, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{arguments} ended with exit code {done.returncode}: {done.stderr}")

    return lambda: run


def command(solver, rows, d_source, d_target, first):
    """Run `align fit` on a user's files, compiled by the run before or, where it is the first, by none."""

    def prepare():
        folder = Path(tempfile.mkdtemp(prefix="align-command-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        random = np.random.default_rng(0)
        source = random.normal(size=(rows, d_source))
        turn = random.normal(size=(d_source, d_target)) / d_target**0.5
        np.save(folder / "x.npy", source.astype(np.float32))
        np.save(folder / "y.npy", (source @ turn + random.normal(size=(rows, d_target))).astype(np.float32))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        environment["XDG_CACHE_HOME"] = str(folder / "cache")
        files = [str(folder / name) for name in ("x.npy", "y.npy", "map.safetensors")]
        fit = process("-m", "align", "fit", *files[:2], "-o", files[2], "--force", "--solver", solver, "--quiet",
                      environment=environment)()  # fmt: skip

        def run():
            if first:
                shutil.rmtree(folder / "cache", ignore_errors=True)
            fit()

        return run

    return prepare


def commands(small):
    """List the runs of the command, each after a run that has compiled its programs and after none."""
    rows, d_source, d_target = (200, 8, 12) if small else (3600, 384, 768)
    return [
        harness.Case(
            question=f"align fit --solver {solver}, {rows:,} x {d_source} → {d_target}, {which} run",
            ours=command(solver, rows, d_source, d_target, first=which == "first"),
            peers={},
            most=most,
        )
        for solver in ("rigid", "ridge")
        for which, most in (("first", 4.0), ("second", 2.0))
    ]


def jobs(small):
    """List the questions; those about starting take as long whether small or not."""
    return [
        harness.comparison(case)
        for case in (
            harness.Case(
                question="import align.solvers",
                ours=process("-c", "import align.solvers"),
                peers={"import jax alone": process("-c", "import jax")},
                goals=[harness.Goal("import jax alone", 1 / 1.3)],
            ),
            harness.Case(
                question="a script's --help",
                ours=process(str(EXPERIMENTS / "anchors.py"), "--help"),
                peers={},
                most=2.0,
            ),
            *commands(small),
        )
    ]
