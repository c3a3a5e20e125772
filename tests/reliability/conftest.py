"""The scripts of experiments run here as in their own tests, and on disks that fail."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))
_spec = importlib.util.spec_from_file_location("conftest_of_experiments", EXPERIMENTS / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
call, experiment = _module.call, _module.experiment


@pytest.fixture
def disk(tmp_path):
    """A disk in memory of its own; skip the test where it cannot be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk, and not everywhere")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def remount(disk):
    """Make the disk small by "size=2m", read-only by "ro"."""
    return lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)
