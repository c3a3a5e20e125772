"""What docs/data.md says: its examples run, and its figures are those of the rows."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

from align import data, paper
from align import rows as results

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "data.md").read_text()
USING, MAKING = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
ROWS = results.read(ROOT / "experiments" / "results" / "other_images" / "rows" / "table3.jsonl")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the two sets as the page does."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(MAKING, "docs/data.md", "exec"), {})
    return folder


def test_examples(made, monkeypatch):
    monkeypatch.chdir(made)
    examples = doctest.DocTestParser().get_doctest(USING, {}, "data", "docs/data.md", 0)
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_commands(made, monkeypatch, call):
    monkeypatch.chdir(made)
    found = re.findall(r"^    python experiments/(\w+)\.py (.*)$", TEXT, re.MULTILINE)
    assert len(found) == 2
    for script, flags in found:
        done = call(script, *flags.split(), "--dry_run")
        assert done.code == 0, done.err


def test_real_colours(made):
    patches = data.load(str(made / "patches.npz"))
    assert patches.shape == (32, 32, 3) and (len(patches.train.labels), len(patches.test.labels)) == (5700, 450)
    with np.load(made / "patches.npz") as arrays:
        np.testing.assert_allclose(patches.mean, arrays["x_train"].mean((0, 1, 2)) / 255)
        pixels = patches.test.images * patches.std + patches.mean
        np.testing.assert_allclose(pixels * 255, arrays["x_test"], atol=1e-3)


def test_names_are_those_of_the_rows(made):
    names = {data.load(str(path)).name for path in made.glob("*.npz")}
    assert names == {row["dataset"] for row in ROWS} == set(re.findall(r"\w+-[0-9a-f]{8}\b", TEXT))


def test_figures(made):
    for key, summary in paper.summarise(ROWS).items():
        known = "" if key.anchors is None else str(key.anchors)
        line = f"| {key.dataset} | {key.latent} | {known} | {key.method} | {summary.mean:.4f} ± {summary.std:.4f} |"
        assert line in TEXT, line
