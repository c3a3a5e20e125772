"""What is documented holds: every public name, every example, and the figures of the guide."""

import doctest
import functools
import importlib
import inspect
import json
import re
import runpy
import sys
import textwrap
from pathlib import Path
from statistics import fmean

import pdoc
import pytest
from documents import ROOT, blocks

from align import rows as results

GUIDE_TABLES = runpy.run_path(str(ROOT / "docs" / "guide_tables.py"))
REFERENCE = runpy.run_path(str(ROOT / "docs" / "reference.py"))
PAGES = pdoc.extract.walk_specs(REFERENCE["MODULES"])


# Every public name


def members(page):
    """Give the functions and classes that a page of the reference shows, by name."""
    module = importlib.import_module(page)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == page]
    names = [name for name in getattr(module, "__all__", own) if not name.startswith("_")]
    found = {name: getattr(module, name) for name in names}
    return {name: value for name, value in found.items() if callable(value)}


def functions():
    """Give every public function and method with the docstrings that it may lean on, by its name in full."""
    for page in PAGES:
        for name, value in members(page).items():
            home = "\n".join(inspect.getdoc(sys.modules[module]) or "" for module in (value.__module__, page))
            if not inspect.isclass(value):
                yield f"{page}.{name}", value, [*_leans_on(value), home]
                continue
            for method, function in methods(value).items():
                yield f"{page}.{name}.{method}", function, [inspect.getdoc(value) or "", home]


def methods(value):
    """Give the public methods, properties and factories that a class of ours defines, as functions by name."""
    if not value.__module__.startswith("align"):
        return {}
    bare = {name: getattr(one, "__func__", getattr(one, "fget", one)) for name, one in vars(value).items()}
    return {name: one for name, one in bare.items() if inspect.isfunction(one) and not name.startswith("_")}


def _leans_on(function):
    """Give the docstrings of the functions that one refers to for its arguments."""
    home = sys.modules[function.__module__]
    for module, name in re.findall(r"(?:as for|see) `(?:(\w+)\.)?(\w+)`", inspect.getdoc(function) or ""):
        yield inspect.getdoc(getattr(getattr(home, module) if module else home, name))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_and_everything_on_it_is_documented(page):
    assert inspect.getdoc(importlib.import_module(page))
    for name, value in members(page).items():
        # NamedTuples, dataclasses and Flax modules without a docstring get one that only repeats their fields.
        assert value.__doc__ and not value.__doc__.startswith(f"{name}("), f"{page}.{name} has no docstring"
        silent = [
            method
            for method, function in (methods(value) if inspect.isclass(value) else {}).items()
            if not function.__doc__
        ]
        assert silent == [], f"{page}.{name} has methods without a docstring"


@pytest.mark.parametrize(("name", "function", "others"), list(functions()))
def test_every_function_says_the_shapes_of_its_arrays(name, function, others):
    own = inspect.getdoc(function) or ""
    texts = "\n".join([own, *others])
    arrays = [name for name, parameter in inspect.signature(function).parameters.items() if _is_array(parameter)]
    assert own, "no docstring"
    unsaid = [name for name in arrays if not re.search(rf"\b{_stem(name)}s?\b[^\[]{{0,80}}\[", texts)]
    # "Map uint8 `[n, 28, 28]` to float32 `[n, 28, 28, 1]`" names the argument by its place.
    in_order = len(re.findall(r"\[[^\]]+\]", own.split("\n\n")[0]))
    assert not unsaid or in_order >= len(arrays), f"no shape of {', '.join(unsaid)}"


def _stem(name):
    """Give "labels" for "source_labels", and either without the "s"."""
    return name.split("_")[-1].removesuffix("s")


def _is_array(parameter):
    if parameter.annotation is parameter.empty:
        kinds = ("source", "target", "weights", "codes", "latents", "labels", "images", "x", "y")
        return parameter.name.split("_")[-1] in kinds
    annotation = str(parameter.annotation)
    return (
        bool(re.search(r"\bArray(Like)?\b|ndarray", annotation))
        and "Callable" not in annotation
        and "key" not in parameter.name
    )


def test_reference_is_built(tmp_path):
    REFERENCE["write"](tmp_path)
    for page in PAGES:
        text = (tmp_path / f"{page.replace('.', '/')}.html").read_text()
        assert not [name for name in members(page) if f'id="{name}"' not in text]


# Every example


@pytest.mark.parametrize(("page", "some"), [("guide", 30), ("files", 10), ("switching", 10)])
def test_examples_of_a_page(page, some, folder):
    text = "\n".join(blocks((ROOT / f"docs/{page}.md").read_text(), "python"))
    examples = doctest.DocTestParser().get_doctest(text, {}, page, f"docs/{page}.md", 0)
    assert len(examples.examples) >= some
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples).failed == 0


def test_readme(folder):
    (text,) = blocks((ROOT / "README.md").read_text(), "python")
    exec(compile(text, "README.md", "exec"), folder)
    assert Path("map.safetensors").is_file()
    assert float(folder["fitted"].residual) < 1e-3


@pytest.mark.parametrize("page", PAGES)
def test_docstrings(page, folder):
    module = importlib.import_module(page)
    assert doctest.testmod(module).failed == 0
    indented = re.findall(r"(?:^ {4}.*\n?)+", inspect.getdoc(module) or "", re.MULTILINE)
    for example in map(textwrap.dedent, indented):
        if "import" in example:
            exec(compile(example, page, "exec"), folder)
            assert float(folder["fitted"].residual) < 1e-3


# Every figure


@pytest.fixture(scope="module")
def found():
    """The tables of the pages, from the published rows."""
    return GUIDE_TABLES["tables"](GUIDE_TABLES["RESULTS"])


def test_figures_of_the_pages(found):
    """What stands on a page is what the rows say; rows that have come since may be missing from it."""
    places = [(page, name) for page, names in GUIDE_TABLES["PAGES"].items() for name in names]
    assert {name for _, name in places} == found.keys()
    for page, name in places:
        text, expected = (ROOT / "docs" / page).read_text(), found[name]
        table = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)[1]
        if not expected:
            assert table.strip() == GUIDE_TABLES["NO_ROWS"]
            continue
        header, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        printed = {(line[0], column): cell for line in lines for column, cell in zip(header[1:], line[1:], strict=True)}
        printed = {place: cell for place, cell in printed.items() if cell}
        assert printed, "run: python docs/guide_tables.py"
        assert printed.items() <= expected.items(), "the rows have changed; run: python docs/guide_tables.py"
        assert GUIDE_TABLES["layout"](expected).count("\n") == 1 + len({line for line, _ in expected})


def test_figures_of_the_promises():
    text = (ROOT / "docs/solvers.md").read_text()
    memory = json.loads((ROOT / "experiments/results/rows/memory.jsonl").read_text().splitlines()[-1])
    pairs, dimensions = memory["rows"], memory["dimensions"]
    cost = f"{memory['allocated_more'] / 2**20:.0f} MiB, {memory['seconds']:.0f} s"
    assert f"{pairs:,} pairs of {dimensions} dimensions, {memory['bytes'] / 1e9:.0f} GB: {cost}" in text
    rows = results.read(ROOT / "experiments/results/rows/embedding_switch.jsonl")
    for asking in ("words", "documents"):
        at = {"old": "paraphrase-minilm-l3-v2", "asking": asking}
        rows_here = [row for row in rows if row.items() >= at.items()]
        recall = {row["method"]: [] for row in rows_here}
        for row in rows_here:
            if row["method"] == "old encoder" or (row["anchors"], row["direction"]) == (1000, "index"):
                recall[row["method"]].append(100 * row["recall"])
        mean = {method: f"{fmean(each):.1f}" for method, each in recall.items() if each}
        best = max(mean.keys() - {"old encoder"}, key=lambda method: float(mean[method]))
        others = f"(`rigid` {mean['rigid']}, `linear` {mean['linear']}; the old encoder itself {mean['old encoder']})"
        assert re.search(rf"{mean[best]} %[^|(]* by `{best}` {re.escape(others)}", text)


def test_pages_without_rows_keep_their_text(found, tmp_path):
    nothing = GUIDE_TABLES["tables"](tmp_path)
    assert nothing.keys() == found.keys() and not any(nothing.values())
    outside = re.compile(r"(<!-- (\w+) -->).*?(<!-- /\2 -->)", re.DOTALL)
    for page, names in GUIDE_TABLES["PAGES"].items():
        text = (ROOT / "docs" / page).read_text()
        fill = functools.partial(GUIDE_TABLES["fill"], names=names)
        emptied = fill(text, found=nothing)
        assert emptied != text and outside.sub("", emptied) == outside.sub("", text)
        assert fill(emptied, found=found) == fill(text, found=found)
