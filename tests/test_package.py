"""What `import align` offers, each loaded when it is first asked for."""

import subprocess
import sys

import pytest

import align


def test_every_name_is_there_and_listed():
    assert align.AffineMap is align.maps.AffineMap
    assert set(align.__all__) <= set(dir(align))
    for name in align.__all__:
        assert getattr(align, name).__name__ in (name, f"align.{name}")


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="module 'align' has no attribute 'solver'"):
        _ = align.solver


def test_the_package_imports_nothing_and_the_solvers_jax_alone():
    code = """
import sys
before = set(sys.modules)
import align
print({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
import jax
before = set(sys.modules)
import align.solvers
print({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'align'}\n{'align'}\n"
