"""Every documented command can be given: those of `align` are run, and experiments say what they would do."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from documents import ROOT, blocks

from align.__main__ import main

# Commands that are not run here, by how they begin, and why.
EXEMPT = {
    "python3 -m venv": "makes an environment",
    ".venv/bin/pip install": "installs from the network",
    "pip install": "installs from the network",
    ".venv/bin/python -m pytest": "is this suite itself",
    "python -m pytest": "is a part of this suite; test_commands_of_the_promises_choose_tests",
    "python -m coverage": "runs this suite",
    "python tests/": "takes minutes; the tests beside it run what it runs",
    ".venv/bin/jupyter lab": "waits in a browser until it is stopped; test_notebooks runs what it opens",
    "python docs/reference.py": "test_reference_is_built runs what it runs",
    "python docs/guide_tables.py": "rewrites pages; test_figures_of_the_pages compares what it would write",
    "python experiments/benchmarks.py": "takes minutes; test_benchmarks runs it in small",
    "python experiments/report.py": "rewrites the report; test_pictures compares what it would write",
}
# Experiments on texts, and what stands for the corpus that they read where no vectors are named.
OF_TEXTS = {
    "between_encoders": ["--corpus=corpus"],
    "database_switch": [],
    "embedding_switch": ["--pairs=corpus"],
    "intervals": [],
    "trust": [],
}


def commands(page):
    """List the commands of a page: the lines of its shell blocks, and of what stands inline all that has arguments.

    Of a script, those of its docstring.
    """
    text = (ROOT / page).read_text()
    if page.endswith(".py"):
        return re.findall(r"^ *(python experiments/.*)", ast.get_docstring(ast.parse(text), clean=False), re.MULTILINE)
    lines = [line for block in blocks(text, "bash") for line in block.splitlines()]
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    begins = r"(\.venv/bin/\w+|pip|python3?(?! -m align$)|align \w+) \S"
    lines += [span for span in (" ".join(span.split()) for span in inline) if re.match(begins, span)]
    return [command.strip() for line in lines for command in line.split(" && ") if command.strip()]


DOCUMENTS = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
SCRIPTS = [f"experiments/{path.name}" for path in sorted((ROOT / "experiments").glob("*.py"))]
COMMANDS = {page: commands(page) for page in (*DOCUMENTS, *SCRIPTS)}


@pytest.fixture
def texts(folder):
    """Add vectors of texts, and a corpus of as many as an experiment draws."""
    random = np.random.default_rng(0)
    vectors = {name: random.normal(size=(14_000, 4)) for name in ("minilm_l6", "minilm_l3", "mpnet")}
    for name in ("wordnet.npz", "vectors.npz"):
        np.savez(name, **vectors)
    Path("corpus").write_text("".join(f"query {row}\tdocument {row}\n" for row in range(33_000)))


@pytest.mark.parametrize("page", [page for page, found in COMMANDS.items() if found])
def test_commands(page, texts, call, capsys):
    for command in COMMANDS[page]:
        if any(command.startswith(begin) for begin in EXEMPT):
            continue
        program, *arguments = shlex.split(command, comments=True)
        if program == "align":
            assert main([*arguments, "--quiet"]) == 0, (command, capsys.readouterr().err)
        elif "python" in program and arguments[0].startswith("experiments/"):
            script, *flags = arguments
            done = call(Path(script).stem, *on_what_is_here(Path(script).stem, flags), "--dry_run", "--workdir=workdir")
            assert done.code == 0, (command, done.err)
        else:
            pytest.fail(f"{page} has a command that no test runs and none exempts: {command}")


def on_what_is_here(script, flags):
    """Give the flags of an experiment with samples in the place of data that are not shipped."""
    if script in OF_TEXTS:
        return [*flags, *(() if any(flag.startswith("--vectors") for flag in flags) else OF_TEXTS[script])]
    fewer = [flag.replace("--held_out=10000", "--held_out=1000") for flag in flags]
    return [*fewer, "--dataset=mnist_sample"]


def test_every_script_says_its_command():
    for script in SCRIPTS:
        assert any(command.startswith(f"python {script}") for command in COMMANDS[script]), script


def test_exempt_commands_exist():
    everything = [command for found in COMMANDS.values() for command in found]
    assert not [begin for begin in EXEMPT if not any(command.startswith(begin) for command in everything)]


def test_commands_of_the_promises_choose_tests():
    found = COMMANDS["docs/solvers.md"]
    assert len(found) > 15
    for command in found:
        _, *words = shlex.split(command)
        if words[:2] != ["-m", "pytest"]:
            assert (ROOT / words[0]).is_file(), command
            continue
        path = ROOT / words[2]
        files = [path] if path.is_file() else [*path.glob("test_*.py")]
        names = [name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())]
        for either in " ".join(words[4:]).split(" or "):
            every = re.findall(r"\w+", either.replace(" and ", " "))
            assert any(all(word in name for word in every) for name in names), f"{command}: {either} chooses no test"
