"""What `import align` offers, each loaded when it is first asked for; and that it says its types."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import align
from align.__main__ import main

PACKAGE = Path(align.__file__).parent
FURTHER = ("drawing", "evaluation", "files", "maps", "networks", "sklearn")  # that * leaves out


def test_every_name_is_there_and_listed():
    assert align.AffineMap is align.maps.AffineMap
    assert {*align.__all__, *FURTHER, "__version__"} <= set(dir(align))
    for name in align.__all__:
        assert getattr(align, name).__name__ in (name, f"align.{name}")


@pytest.mark.parametrize("name", FURTHER)
def test_further_modules_are_loaded_on_first_use(monkeypatch, name):
    monkeypatch.delattr(align, name, raising=False)
    assert getattr(align, name).__name__ == f"align.{name}"


def test_the_version_is_that_of_the_package(capsys):
    assert f'version="{align.__version__}"' in (PACKAGE.parent / "setup.py").read_text()
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"align {align.__version__}\n"


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
    *imports, version, listed = ast.parse((PACKAGE / "__init__.pyi").read_text()).body
    imported = {alias.name for node in imports for alias in node.names}
    assert imported - set(FURTHER) == set(ast.literal_eval(listed.value)) == set(align.__all__)
    assert version.target.id == "__version__" and set(FURTHER) <= imported
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
