"""Scripts that must refuse what they are given."""

import runpy
import sys

import pytest
from running import EXPERIMENTS, forget_flags, xla_flags


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    """Run a script of experiments/ that must fail in an empty folder, and leave it so; return what it says."""

    def run(script, *arguments):
        monkeypatch.setenv("XLA_FLAGS", xla_flags())
        monkeypatch.setattr(sys, "argv", [str(EXPERIMENTS / f"{script}.py"), *arguments])
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        try:
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(sys.argv[0], run_name="__main__")
        finally:
            forget_flags(EXPERIMENTS / f"{script}.py")
        assert sorted(tmp_path.rglob("*")) == before
        printed = "".join(capsys.readouterr())
        assert ended.value.code == 1 or isinstance(ended.value.code, str)
        assert "Traceback" not in printed
        return printed if ended.value.code == 1 else ended.value.code

    return run
