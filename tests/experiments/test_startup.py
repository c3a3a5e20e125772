"""What is imported when: --help of a script needs neither JAX nor NumPy."""

import subprocess
import sys

import pytest
from running import EXPERIMENTS

SCRIPTS = sorted(path.stem for path in EXPERIMENTS.glob("*.py") if "launch.run(" in path.read_text())


def imported_by(code, environment):
    """Run code in a new interpreter; return what it printed and the names of the modules it imported."""
    code += "\nimport sys; print('\\n=', *sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, _, modules = done.stdout.rpartition("\n=\n")
    return printed, set(modules.split())


def test_there_are_scripts():
    assert {"anchors", "full", "relative", "geometry", "architectures"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_answers_without_jax(script, environment):
    path = EXPERIMENTS / f"{script}.py"
    code = f"""
import runpy, sys
sys.argv = [{str(path)!r}, "--help"]
sys.path.insert(0, {str(EXPERIMENTS)!r})
try:
    runpy.run_path({str(path)!r}, run_name="__main__")
except SystemExit:
    pass
"""
    printed, modules = imported_by(code, environment)
    first_line = next(line for line in path.read_text().splitlines() if line)
    assert first_line.strip('"') in " ".join(printed.split()) or first_line.strip('"')[:40] in printed
    assert "--workdir" in printed and "--[no]dry_run" in printed
    headings = [line for line in printed.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[-2:] == ["places:", "output:"]
    if "--learning_rate" in printed:
        assert headings[-4:-2] == ["what is compared:", "training:"]
    assert max(map(len, printed.splitlines())) <= 120 and f"python experiments/{script}.py" in printed
    assert not {"jax", "numpy"} & modules
