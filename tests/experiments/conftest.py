"""Scripts of experiments run in this process, so that the runs of a test share what is compiled."""

import os
import runpy
import signal
import sys

import jax
import pytest
from absl.flags import FLAGS
from running import EXPERIMENTS, Experiment, Run

sys.path.insert(0, str(EXPERIMENTS))


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a script of experiments/ with arguments as its command line does."""
    flag = f"--xla_force_host_platform_device_count={jax.local_device_count()}"
    monkeypatch.setenv("XLA_FLAGS", flag)  # JAX has started: the devices are what they are
    monkeypatch.setattr(os, "_exit", sys.exit)  # an interrupted script ends its process, which here is pytest's

    def run(script, *arguments):
        path = EXPERIMENTS / f"{script}.py"
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started this process without
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(path), run_name="__main__")
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            defined = FLAGS.flags_by_module_dict()
            for flag in [flag for module in ("launch", str(path)) for flag in defined.get(module, [])]:
                delattr(FLAGS, flag.name)  # absl defines a flag once in a process
        return Run(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def experiment(call, tmp_path):
    """Run scripts in a workdir of their own."""
    return Experiment(tmp_path / "workdir", call)


@pytest.fixture(scope="session")
def environment():
    """The environment of a script in a process of its own, with as many devices as here."""
    flag = f"--xla_force_host_platform_device_count={jax.local_device_count()}"
    return {**os.environ, "XLA_FLAGS": flag, "PYTHONPATH": str(EXPERIMENTS.parent)}
