"""The same command gives the same rows, bit for bit, in processes of their own on one, two and three devices."""

import subprocess
import sys

import pytest
from kill import SCRIPT, environment, rows

RUN = ("--dataset=mnist_sample", "--model=mlp", "--latent=4", "--anchors=20", "--seeds=3", "--epochs=1")
SETTINGS = ("--methods=rigid,linear", "--learning_rate=1e-3", "--quiet")


def answer(workdir, devices):
    """Give the rows of a process of its own on so many devices, without the device that they name.

    XLA has a thread for every core, or device where these are more; on some processors products round by their number.
    """
    command = [sys.executable, SCRIPT, *RUN, *SETTINGS, f"--workdir={workdir}"]
    subprocess.run(command, env=environment(devices) | {"NPROC": "3"}, check=True)
    found = rows(workdir)
    assert {row["device"] for row in found} == {f"{devices} x cpu"}
    return [{**row, "device": None} for row in found]


@pytest.fixture(scope="module")
def on_two(tmp_path_factory):
    """The rows on two devices."""
    found = answer(tmp_path_factory.mktemp("workdir"), 2)
    assert len(found) == 3 + 2 * 6 and len({row["test_error"] for row in found}) == 15
    return found


@pytest.mark.parametrize("devices", [1, 3])
def test_any_number_of_devices_gives_bitwise_the_same(on_two, tmp_path, devices):
    """Every network is computed on one device by the same program, however many there are: no sum is split."""
    assert answer(tmp_path, devices) == on_two
