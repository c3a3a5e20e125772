"""Nearly all of these calls end before anything is compiled, and the rest compute little."""

import runpy
import sys
from pathlib import Path

import jax
import pytest
from absl.flags import FLAGS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))


@pytest.fixture(autouse=True, scope="module")
def quick_compilation():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    """Run a script of experiments/ that must fail in an empty folder, and leave it so; return what it says."""

    def run(script, *arguments):
        monkeypatch.setenv("XLA_FLAGS", f"--xla_force_host_platform_device_count={jax.local_device_count()}")
        monkeypatch.setattr(sys, "argv", [str(EXPERIMENTS / f"{script}.py"), *arguments])
        monkeypatch.chdir(tmp_path)
        defined, before = set(FLAGS), sorted(tmp_path.rglob("*"))
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(sys.argv[0], run_name="__main__")
        finally:
            for name in set(FLAGS) - defined:
                delattr(FLAGS, name)  # absl defines a flag once in a process
        assert sorted(tmp_path.rglob("*")) == before
        printed = "".join(capsys.readouterr())
        assert ended.value.code == 1 or isinstance(ended.value.code, str)
        assert "Traceback" not in printed
        return printed if ended.value.code == 1 else ended.value.code

    return run
