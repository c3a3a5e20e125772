"""The matrix of versions: the suite in fresh environments, one after the other, and a table of how they ended.

    python tests/versions.py                 # everything, about half an hour on two cores
    python tests/versions.py --smoke         # the solvers and one small experiment on each
    python tests/versions.py 3.12            # one of them, by its Python

Every interpreter must be on the path by its name, such as python3.12.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SMOKE = ("tests/solvers",)
EXPERIMENT = ("tests/experiments/test_scripts.py", "-k", "full_and_geometry")


class Versions(NamedTuple):
    """An interpreter, what is pinned in its environment, and whether the whole suite must pass there."""

    python: str
    pinned: tuple[str, ...] = ()
    whole: bool = True


MATRIX = (
    Versions("3.11"),
    Versions("3.12"),
    # What Colab ships.
    Versions("3.13", ("jax==0.7.2", "jaxlib==0.7.2", "flax==0.11.2"), whole=False),
)


def main():
    parser = argparse.ArgumentParser(description="Run the tests on a matrix of Python and JAX versions.")
    parser.add_argument("python", nargs="*", help="only these, such as 3.12")
    parser.add_argument("--smoke", action="store_true", help="the solvers and one small experiment on each")
    arguments = parser.parse_args()
    results = [
        (one, run(one, arguments.smoke)) for one in MATRIX if not arguments.python or one.python in arguments.python
    ]
    for one, result in results:
        print(f"Python {one.python}, {', '.join(one.pinned) or 'newest JAX'}: {result}")
    sys.exit(not results or any(not result.startswith("passed") for _, result in results))


def run(versions: Versions, smoke: bool) -> str:
    """Install and test in a fresh environment; say how it ended."""
    interpreter = shutil.which(f"python{versions.python}")
    if interpreter is None:
        return f"no python{versions.python} on the path"
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv/bin/python"
        steps = [
            [interpreter, "-m", "venv", python.parents[1]],
            [python, "-m", "pip", "install", "-q", "-e", f"{ROOT}[test]", *versions.pinned],
        ]
        if versions.whole and not smoke:
            steps.append([python, "-m", "pytest", "-q"])
        else:
            steps += [[python, "-m", "pytest", "-q", *SMOKE], [python, "-m", "pytest", "-q", *EXPERIMENT]]
        for step in steps:
            print("+", *step, flush=True)
            if code := subprocess.run(step, cwd=ROOT).returncode:
                return f"failed: {step[1]} {step[2]} ended with {code}"
        command = "import jax, flax; print(f'jax {jax.__version__}, flax {flax.__version__}')"
        found = subprocess.run([python, "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    return f"passed ({'smoke' if smoke or not versions.whole else 'whole suite'}; {found})"


if __name__ == "__main__":
    main()
