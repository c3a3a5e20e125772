"""How long it takes until work can start: importing the solvers, and a script's --help."""

import subprocess
import sys
from pathlib import Path

from align_lab.bench import harness

EXPERIMENTS = Path(__file__).parents[2]


def process(*arguments):
    """Run Python in a process of its own."""

    def run():
        done = subprocess.run([sys.executable, *arguments], cwd=EXPERIMENTS.parent, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{arguments} ended with exit code {done.returncode}: {done.stderr}")

    return lambda: run


def jobs(small):
    """List the questions about starting; they take as long whether small or not."""
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
        )
    ]
