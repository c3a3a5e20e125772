"""The house stands as CONTRIBUTING draws it: imports go one way, names are used once, files stay short.

What the documents name is there: files, and what the package depends on.

The imports are read from the syntax trees, those inside functions and under `TYPE_CHECKING` included.
"""

import ast
import json
import re
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
LAB = ROOT / "experiments" / "align_lab"
LONGEST, TYPICAL, LONGEST_SCRIPT = 300, 120, 40  # lines


def modules():
    """Give every module's file by its name in full, as an import spells it."""
    paths = [*ROOT.glob("align/**/*.py"), *ROOT.glob("experiments/**/*.py")]
    return {_name(path): path for path in paths}


def _name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "experiments" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = modules()
SCRIPTS = {name for name, path in MODULES.items() if path.parent == ROOT / "experiments"}


def imports(name):
    """Give the modules of ours that a module imports, wherever in it."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: package.count(".") + 2 - node.level], *filter(None, [base])])
            # "from align import maps" takes a module; "from align.maps import AffineMap" a name in one.
            found |= {inner if (inner := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
    return (found & MODULES.keys()) - {name}


IMPORTS = {name: imports(name) for name in MODULES}


def rooms():
    """Read the rooms from CONTRIBUTING's table: what stands to the left of, or above, a room may be imported there."""
    table = re.search(r"^\| room \|.*?\n\n", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line]
    paths = [path for cell in cells for path in re.findall(r"`([^`]+)`", cell)]
    return [path.removeprefix("experiments/").removesuffix(".py").strip("/").replace("/", ".") for path in paths]


ROOMS = rooms()


def room(name):
    """Give the place of a module's room in the list."""
    if name in SCRIPTS:
        return ROOMS.index("*")  # experiments/*.py
    places = [place for place, each in enumerate(ROOMS) if name == each or name.startswith(f"{each}.")]
    assert places, f"{name} stands in no room of CONTRIBUTING's table"
    return places[0]


def test_every_room_is_there():
    found = {room(name) for name in MODULES if name not in ("align", "align_lab")}
    assert [each for place, each in enumerate(ROOMS) if place not in found] == []
    assert len(set(ROOMS)) == len(ROOMS) > 20


def test_imports_go_one_way_along_the_rooms():
    back = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if other != "align" and name != "align" and room(other) > room(name)
    ]
    assert back == []
    assert IMPORTS["align"] == set(), "the package itself imports nothing, so that what is imported starts quickly"


def test_the_package_knows_no_laboratory_the_laboratory_no_script_and_no_script_another():
    for name, others in IMPORTS.items():
        assert not others & SCRIPTS, f"{name} imports a script: {others & SCRIPTS}"
        if name.split(".")[0] == "align":
            assert not [other for other in others if other.split(".")[0] != "align"], name


def test_no_module_imports_itself_through_others():
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, " → ".join([*under_way[under_way.index(name) :], name])
        if name not in done:
            under_way.append(name)
            # A package's __init__ runs before what lies in it; that it names what it offers is no cycle.
            for other in sorted(IMPORTS[name]):
                visit(other)
            done.add(under_way.pop())

    for name in MODULES:
        visit(name)


def test_no_two_folders_import_each_other():
    folder = {name: name.split(".")[:2] for name in MODULES if name.count(".") > 1}
    ways = {(*folder[name], *folder[o]) for name in folder for o in IMPORTS[name] & folder.keys()}
    assert [way for way in ways if way[:2] != way[2:] and (*way[2:], *way[:2]) in ways] == []


def test_no_two_modules_share_a_name():
    paths = [*MODULES.values(), *ROOT.glob("docs/*.py"), *ROOT.glob("*.py")]
    count = Counter(path.stem for path in paths if path.stem != "__init__")
    assert [stem for stem, times in count.items() if times > 1] == []


def lines(path):
    return len(path.read_text().splitlines())


def test_files_are_short():
    paths = [*MODULES.values(), *ROOT.glob("docs/*.py"), *ROOT.glob("tests/**/*.py")]
    assert [f"{path.relative_to(ROOT)}: {lines(path)}" for path in paths if lines(path) > LONGEST] == []
    assert median(lines(path) for path in paths if lines(path) > 1) <= TYPICAL


def written(document):
    """Give the text of a Markdown file, or of a notebook without its outputs."""
    text = document.read_text()
    if document.suffix == ".md":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


@pytest.mark.parametrize(
    "document",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")],
    ids=lambda path: path.name,
)
def test_files_that_documents_name_are_there(document):
    named = re.findall(r"\b(?:align|align_lab|docs|experiments|notebooks|tests)/[\w./*-]*\w", written(document))
    places = (ROOT, ROOT / "experiments")
    # `name` stands for what a newcomer writes.
    missing = [one for one in named if "name.py" not in one and not any([*place.glob(one)] for place in places)]
    assert missing == []


def test_every_page_is_found_from_another():
    pages = {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "experiments" / "results" / "README.md"}
    found = {ROOT / "README.md"}
    for page in pages:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        there = {(page.parent / link).resolve() for link in links}
        assert [link for link in there if not link.exists()] == [], f"{page.name} links to what is not there"
        found |= there - {page}
    assert pages - found == set()


def test_every_dependency_has_its_reason():
    runtime = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    (call,) = (node for node in ast.walk(ast.parse((ROOT / "setup.py").read_text())) if _calls(node, "setup"))
    extras = ast.literal_eval(next(each.value for each in call.keywords if each.arg == "extras_require"))
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("| package |")[2]
    cells = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith(("| `", "| extra"))]
    whole = {
        cell.split("`")[1] for cell in cells if cell.startswith("extra ")
    }  # rows of an extra and all that it holds
    needed = {_package(line): set() for line in runtime}
    for extra in extras.keys() - whole:
        for line in extras[extra]:
            needed.setdefault(_package(line), set()).add(extra)
    assert whole <= extras.keys()
    reasons = {}
    for names, _, of in (cell.partition(" (") for cell in cells if not cell.startswith("extra ")):
        reasons |= {name: set(re.findall(r"`([^`]+)`", of)) for name in re.findall(r"`([^`]+)`", names)}
    assert reasons == needed


def _calls(node, name):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == name


def _package(line):
    return re.match(r"[\w-]+", line)[0]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_is_a_question_and_a_call(name):
    assert lines(MODULES[name]) <= LONGEST_SCRIPT


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import align.maps", {"align.maps"}),
        ("from align import maps, solvers", {"align.maps", "align.solvers"}),
        ("from . import kmeans", {"align.linalg.kmeans"}),
        ("from ..maps import AffineMap", {"align.maps"}),
        ("def f():\n    from align.maps.map_file import read\n    import numpy", {"align.maps.map_file"}),
    ],
)
def test_imports_are_found_however_they_are_written(source, expected, monkeypatch, tmp_path):
    monkeypatch.setitem(MODULES, "align.linalg.written", tmp_path / "written.py")
    (tmp_path / "written.py").write_text(source)
    assert imports("align.linalg.written") == expected
