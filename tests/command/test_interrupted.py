"""What an interruption of the command leaves behind: nothing that is half-written."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from on_files import small_blocks

from align import files
from align.__main__ import main

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}


def test_help_imports_no_jax():
    code = "import sys, align.__main__ as a\ntry: a.main(['fit', '--help'])\nfinally: assert 'jax' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and "--solver" in done.stdout


def test_interrupted_between_blocks(folder, capsys, monkeypatch):
    small_blocks(monkeypatch)
    Path("z.npy").write_bytes(b"kept")

    def interrupted(name, open_rows=files.open_rows):
        def read(start, stop):
            if start > 100:
                assert any(".partial" in path.suffixes for path in folder.iterdir())
                raise KeyboardInterrupt
            return rows.read(start, stop)

        rows = open_rows(name)
        return rows._replace(read=read)

    monkeypatch.setattr(files, "open_rows", interrupted)
    before = sorted(folder.iterdir())
    assert main(["apply", "map.safetensors", "x.npy", "-o", "z.npy", "--force", "--quiet"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before and Path("z.npy").read_bytes() == b"kept"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(folder, sent, code):
    np.lib.format.open_memmap("long.npy", "w+", np.float32, (100_000_000, 6))  # sparse: takes no room on the disk
    before = sorted(folder.iterdir())
    # A test run in the background hands down that SIGINT is ignored.
    as_at_a_terminal = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('align', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", as_at_a_terminal, "apply", "map.safetensors", "long.npy", "-o", "z.npy"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and sorted(folder.iterdir()) == before:
        time.sleep(0.01)
    process.send_signal(sent)
    process.communicate()
    assert process.returncode == code
    assert sorted(folder.iterdir()) == before
