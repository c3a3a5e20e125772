"""The matrix of versions: the suite in fresh environments, one after the other, and a table of how they ended.

    python tests/versions.py                 # everything, some half an hour on two cores
    python tests/versions.py --smoke         # what compilers may change, training and one small experiment on each
    python tests/versions.py 3.12            # one of them, by its Python
    python tests/versions.py newest --smoke  # the newest Python at hand, with the newest JAX

An interpreter is looked for on the path by its name, such as python3.12, and then among those that pyenv has. Exit code
0: all passed; 1: one failed; 3: none failed, and one was not run because its interpreter is not there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FAILED, NOT_RUN = 1, 3
EXPERIMENT = "tests/experiments/test_scripts.py::test_full_and_geometry_share_their_networks"
PART = ("tests/solvers", EXPERIMENT)
# What another version of JAX could change: how exact the solvers and metrics are, and training.
EXACT = {
    "solvers/test_properties": (
        "recovers_a_planted_map",
        "agrees_with_numpy_and_scipy",
        "dtypes_where_float64_is_on",
        "every_product_has_the_highest_precision",
    ),
    "solvers/test_least_squares": (
        "60000_uncentred_rows_in_float32",
        "accuracy_does_not_depend_on_the_number_of_rows",
        "error_grows_with_the_condition_and_not_its_square",
        "the_condition_from_moments",
    ),
    "test_metric_values": (
        "accuracy_at_many_rows",
        "rows_of_great_length_hide_no_others_from_cka",
        "cka_against_its_definition",
        "canonical_correlations_against_scipy",
    ),
}
MANY = ("metrics", "ranks", "solvers", "records", "clouds", "a_map_applied_row_by_row_and_reduced")
SMOKE = (
    *(f"tests/{file}.py::test_{name}" for file, names in EXACT.items() for name in names),
    # But neighbours and batches, which take as long as all these together.
    *(f"tests/test_many_rows.py::test_{name}" for name in MANY),
    "tests/test_training.py",
    "tests/test_checkpoints.py",
    EXPERIMENT,
)


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

NEWEST = ("3.14", "3.13", "3.12", "3.11")


def main():
    parser = argparse.ArgumentParser(description="Run the tests on a matrix of Python and JAX versions.")
    parser.add_argument("python", nargs="*", help="only these, such as 3.12; newest: of those at hand")
    parser.add_argument("--smoke", action="store_true", help="a part of the suite that takes minutes, on each")
    arguments = parser.parse_args()
    known = [one.python for one in MATRIX]
    if arguments.python == ["newest"]:
        chosen = [Versions(next((python for python in NEWEST if find(f"python{python}")), NEWEST[-1]))]
    elif unknown := set(arguments.python) - set(known):
        parser.error(f"python must be newest, or of {', '.join(known)}; there is {', '.join(sorted(unknown))}")
    else:
        chosen = [one for one in MATRIX if one.python in (arguments.python or known)]
    results = {one: run(one, arguments.smoke) for one in chosen}
    for one, result in results.items():
        print(f"Python {one.python}, {', '.join(one.pinned) or 'newest JAX'}: {result}")
    ended = {result.split()[0] for result in results.values()}
    sys.exit(FAILED if "failed:" in ended else NOT_RUN if "not" in ended else 0)


def run(versions: Versions, smoke: bool) -> str:
    """Install and test in a fresh environment; say how it ended."""
    interpreter = find(f"python{versions.python}")
    if interpreter is None:
        return f"not run: no python{versions.python} that starts, neither on the path nor from pyenv"
    if smoke:
        tests, name = SMOKE, "smoke"
    else:
        tests, name = ((), "whole suite") if versions.whole else (PART, "solvers and an experiment")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv/bin/python"
        steps = [
            [interpreter, "-m", "venv", python.parents[1]],
            [python, "-m", "pip", "install", "-q", "-e", f"{ROOT}[test]", *versions.pinned],
            [python, "-m", "pytest", *tests],
        ]
        for step in steps:
            print("+", *step, flush=True)
            # A smoke test is short enough for programs as users have them, with all that a compiler may do to them.
            environment = os.environ | ({"JAX_DISABLE_MOST_OPTIMIZATIONS": "0"} if smoke else {})
            if code := subprocess.run(step, cwd=ROOT, env=environment).returncode:
                return f"failed: {step[1]} {step[2]} ended with {code}"
        command = "import jax, flax; print(f'jax {jax.__version__}, flax {flax.__version__}')"
        found = subprocess.run([python, "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    return f"passed ({name}; {found}; {(time.monotonic() - began) / 60:.1f} minutes)"


def find(name: str) -> str | None:
    """Find an interpreter that starts: pyenv puts names on the path that do not."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin"))
    for path in (folder / name for folder in folders):
        if path.is_file() and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


if __name__ == "__main__":
    main()
