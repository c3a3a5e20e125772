"""The numbers of cases that docs/reliability.md gives are those that its commands run."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text()
CLAIMED = {
    command: int(number.replace(",", ""))
    for number, command in re.findall(r"\| ([\d,]+) (?:cases|tests) \| `python -m pytest ([^`]+)` \|", TEXT)
}


@pytest.fixture(scope="module")
def collected():
    """How many tests each file has that the page names."""
    files = sorted({file for command in CLAIMED for file in command.split()})
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", *files]
    done = subprocess.run([*command, "-o", "addopts="], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    return Counter(line.split("::")[0] for line in done.stdout.splitlines() if "::" in line)


@pytest.mark.parametrize("command", CLAIMED)
def test_cases(collected, command):
    assert sum(collected[file] for file in command.split()) == CLAIMED[command]


def test_every_kind_is_counted():
    assert len(CLAIMED) >= 9
    counted = {Path(file).name for command in CLAIMED for file in command.split()}
    there = {path.name for path in (ROOT / "tests" / "bad_input").glob("test_*.py")}
    assert there - counted == set()


def test_every_notebook_is_counted():
    count = len([*(ROOT / "notebooks").glob("*.ipynb")])
    assert f"| {count} of {count} | `python -m pytest tests/test_notebooks.py` |" in TEXT
