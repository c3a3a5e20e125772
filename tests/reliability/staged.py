"""Run a script as its command line does, and announce each stage that it enters or comes back to.

    python tests/reliability/staged.py DESCRIPTOR experiments/anchors.py --dataset=mnist_sample ...

A line on the file descriptor names the stage. Nothing else differs from `python experiments/anchors.py ...`.
"""

import functools
import importlib
import os
import runpy
import signal
import sys
from pathlib import Path

START = "start"
# The function whose run is the stage; stages may lie within each other.
STAGES = {
    "data preparation": ("align.data", "load"),
    "training": ("align.training", "fit"),
    "compilation": ("align.training", "compile_epochs"),
    "checkpoint save": ("align.checkpoints", "save"),
    "evaluation": ("align_lab.cells", "work"),
    "row append": ("align.rows", "append"),
    "picture": ("align_lab.pictures", "reconstructions"),
}


def announced(function, stage, entered, announce):
    """Let a function announce its stage, and, when it ends, the one that it was called in."""

    @functools.wraps(function)
    def within(*args, **options):
        entered.append(stage)
        announce(stage)
        try:
            return function(*args, **options)
        finally:
            entered.pop()
            announce(entered[-1])

    return within


def main():
    descriptor, script, *flags = sys.argv[1:]
    sys.argv = [script, *flags]
    sys.path.insert(0, str(Path(script).parent))
    # An interpreter may be started where SIGINT is ignored, as in the background of a shell; a terminal's is not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    launch = importlib.import_module("align_lab.launch")
    open_store = launch.open_store

    def announce(stage):
        os.write(int(descriptor), f"{stage}\n".encode())

    def begin():  # where a script begins that has parsed its flags and knows what to do when it is stopped
        announce(START)
        entered = [START]
        for stage, (name, attribute) in STAGES.items():
            module = importlib.import_module(name)
            setattr(module, attribute, announced(getattr(module, attribute), stage, entered, announce))
        return open_store()

    launch.open_store = begin
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
