"""What is imported when: --help of a script needs neither JAX nor NumPy."""

import os
import re
import subprocess
import sys

import pytest
from running import EXPERIMENTS

from align_lab.heads import classification

SCRIPTS = sorted(path.stem for path in EXPERIMENTS.glob("*.py") if "launch.run(" in path.read_text())

# What --help says of flags whose default is the experiment's own.
OWN = {
    "classify": {
        "batch": f"Images in a step of training; the default is {classification.TRAINING['batch']}.",
        "learning_rate": "Learning rate of Adam, at its peak; the default is 3e-3.",
        "weight_decay": "Weight decay; the default is 0.",
    },
    "anchors": {
        "methods": "by their names in align_lab/methods.py. (",
        "schedule": "Schedule of the learning rate; the default is onecycle",
        "initial": "the default is normal.",
    },
    **{
        script: {
            "methods": "by their names in align_lab/methods.py or align_lab/representations.py.",
            "relative_epochs": "at a constant rate of 1e-3, with weight decay 0.05",
        }
        for script in ("ablation", "architectures", "relative")
    },
    "database_switch": {"kills": "How often what fills the table is killed. (default: 0)"},
    "trust": {"kind": "all where none is named (Gaussian; Gaussian, uneven; cube; "},
    "rigidity": {
        "latent": "the default is 50.",
        "anchors": "the default is 100.",
        **dict.fromkeys(("batch", "schedule", "initial"), "of all variants alike, even of one whose factor it is"),
        "learning_rate": "each one's own: 1e-3, 5e-3 at the peak of ours",
        "weight_decay": "each one's own: 0 but for ...+decay.",
        "memory": "each one's own: 0.99 under onecycle",
    },
}


def imported_by(code, environment):
    """Run code in a new interpreter; return what it printed and the names of the modules it imported."""
    code += "\nimport sys; print('\\n=', *sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, _, modules = done.stdout.rpartition("\n=\n")
    return printed, set(modules.split())


def test_there_are_scripts():
    assert {"anchors", "full", "relative", "geometry", "architectures"} <= set(SCRIPTS)
    readme = (EXPERIMENTS.parent / "README.md").read_text()
    assert [script for script in SCRIPTS if f"| `experiments/{script}.py` |" not in readme] == []


def test_help_may_be_read_in_part(environment):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, EXPERIMENTS / "intervals.py", "--help"]
    done = subprocess.run(command, env=environment, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


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
    for flag, words in OWN.get(script, {}).items():
        text = re.search(rf"^  --{flag}: (.*?)\n(?=  --|\n)", printed, re.DOTALL | re.MULTILINE)[1]
        assert words in " ".join(text.split())


@pytest.mark.parametrize("script", sorted({path.stem for path in EXPERIMENTS.glob("*.py")} - {*SCRIPTS}))
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_of_what_is_no_experiment_is_done(script, flag, environment):
    command = [sys.executable, str(EXPERIMENTS / f"{script}.py"), flag]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "--results" in done.stdout and f"python experiments/{script}.py" in done.stdout
