"""What `import align` offers, each loaded when it is first asked for; and that it says its types."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import align

PACKAGE = Path(align.__file__).parent


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


def test_type_checkers_see_the_same_names():
    *imports, listed = ast.parse((PACKAGE / "__init__.pyi").read_text()).body
    imported = [alias.name for node in imports for alias in node.names]
    assert sorted(imported) == sorted(ast.literal_eval(listed.value)) == sorted(align.__all__)
    assert (PACKAGE / "py.typed").exists()


def public_functions():
    """Give the public functions of all modules and the methods of their public classes, by their names in full."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            inner = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            for function in inner:
                if isinstance(function, ast.FunctionDef) and (function.name == "__call__" or function.name[0] != "_"):
                    yield f"{path.relative_to(PACKAGE)}: {function.name}", function


def test_public_functions_say_their_types():
    untyped = []
    for name, function in public_functions():
        given = function.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        arguments = [each for each in every if each is not None and each.arg not in ("self", "cls")]
        if function.returns is None or any(each.annotation is None for each in arguments):
            untyped.append(name)
    assert untyped == []
