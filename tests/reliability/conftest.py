"""Disks that fail."""

import os
import subprocess

import pytest


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
