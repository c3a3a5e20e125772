"""Every notebook runs from its first cell to its last with a tiny setting, and is kept with its outputs."""

import base64
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from align import markdown, paper, rows
from align.data.texts import encoder_sample

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TRAINING = "training.Settings(epochs=1, batch=500)"
# What to set in place of each notebook's own settings, as Python; equal shapes are compiled once.
TINY = {
    "00_align_two_latent_spaces": {"LATENT": "4", "ANCHORS": "20", "SETTINGS": TRAINING},
    "10_your_own_embeddings": {"ANCHORS": "40", "COUNTS": "(40,)", "TRAINING": TRAINING},
    "20_what_must_be_known": {
        "LATENT": "4",
        "TRAINING": TRAINING,
        "PAIRS": "(20,)",
        "LABELS": "dict(whitenings=(0.0,), restarts=2, iterations=1, subset=100)",
        "UNPAIRED": "dict(forms=((0.0, None),), restarts=2, clusters=20, sample=500, subset=200)",
    },
    "30_reading_the_results": {},
    "40_switch_an_encoder": {"DOCUMENTS": "400", "QUERIES": "40", "PAIRS": "(20, 60)"},
}


def read(name):
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]


def code(name):
    return [cell for cell in read(name) if cell["cell_type"] == "code"]


def run(name, settings):
    """Run the cells in a namespace of their own, and change the settings right after they are made."""
    namespace = {}
    for cell in code(name):
        exec(compile("".join(cell["source"]), f"{name}, {cell['id']}", "exec"), namespace)
        if "parameters" in cell["metadata"].get("tags", ()):
            assert settings.keys() <= namespace.keys(), "the notebook has no such setting"
            for setting, value in settings.items():
                namespace[setting] = eval(value, namespace)
    return namespace


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Run in the folder of the notebooks, as Jupyter does, with temporary files that the test removes."""
    from matplotlib import pyplot

    monkeypatch.chdir(NOTEBOOKS)
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOKS.parent))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(pyplot, "show", lambda: None)
    yield tmp_path
    pyplot.close("all")


def test_all_are_run():
    assert sorted(TINY) == sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def test_align_two_latent_spaces(elsewhere):
    found = run("00_align_two_latent_spaces", TINY["00_align_two_latent_spaces"])
    assert set(found["maps"]) == {"rigid", "linear", "ridge"}


def test_your_own_embeddings(elsewhere, capsys):
    found = run("10_your_own_embeddings", TINY["10_your_own_embeddings"])
    assert found["source"].shape == (6000, 20) and found["target"].shape == (6000, 30)
    assert len(set(found["held"]) & set(found["anchors"])) == 0
    assert "leave_one_out" in capsys.readouterr().out  # of the command


def test_your_own_arrays_are_read_and_may_be_few_and_lose_dimensions(elsewhere, capsys):
    source = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    np.save(elsewhere / "x.npy", source)
    np.save(elsewhere / "y.npy", source[:, :4] + 1)
    settings = {name: repr(str(elsewhere / file)) for name, file in (("SOURCE", "x.npy"), ("TARGET", "y.npy"))}
    found = run("10_your_own_embeddings", settings | {"COUNTS": "(96, 200)"})  # 96 are not held out
    assert set(found["maps"]) == {"linear", "affine", "ridge"}
    assert found["maps"]["affine"].residual < 1e-3
    assert found["counts"] == [96] and " rows                96 " in capsys.readouterr().out


def test_what_must_be_known(elsewhere):
    found = run("20_what_must_be_known", TINY["20_what_must_be_known"])
    assert set(found["ladder"]) == {"rigid", "linear", "ridge"}
    assert not set(found["here"]) & set(found["there"])
    assert found["from_nothing"].trusted is not None


def test_reading_the_results(elsewhere):
    found = run("30_reading_the_results", {})
    assert found["ours"] and sum(map(len, found["rows"].values())) > 60


def test_the_tables_that_are_kept_are_those_of_the_rows():
    kept = [o["data"] for cell in code("30_reading_the_results") for o in cell["outputs"] if "data" in o]
    tables = ["".join(data["text/markdown"]).partition("\n\n")[2] for data in kept if "text/markdown" in data]
    folder = NOTEBOOKS.parent / "experiments" / "results" / "rows"
    found = [rows.read(folder / f"table{number}.jsonl") for number in range(1, 7)]
    assert tables == [markdown.records(paper.comparison(table)) for table in found]


def test_reading_no_results(elsewhere):
    assert not run("30_reading_the_results", {"RESULTS": f"Path({str(elsewhere)!r})"})["ours"]


@pytest.mark.parametrize(("own", "queries"), [(False, 40), (True, 32)])
def test_switch_an_encoder(elsewhere, capsys, own, queries):
    settings = dict(TINY["40_switch_an_encoder"])
    if own:  # so few that they are divided
        for name, rows_of_one in zip(("old", "new"), encoder_sample(), strict=True):
            np.save(elsewhere / f"{name}.npy", rows_of_one[:560])
        settings = {name.upper(): repr(str(elsewhere / f"{name}.npy")) for name in ("old", "new")}
        settings["PAIRS"] = "(20, 60, 800)"
    found = run("40_switch_an_encoder", settings)
    assert (found["DOCUMENTS"], found["QUERIES"], found["PAIRS"]) == (400, queries, [20, 60])
    assert found["curves"]["auto"][0] < found["curves"]["auto"][1] < 1
    out = capsys.readouterr().out
    assert found["fitted"].details.explanation in out and "100% moved: recall@10 1.000" in out


@pytest.mark.parametrize("name", TINY)
def test_outputs_are_kept(name):
    cells = code(name)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    images = [base64.b64decode(o["data"]["image/png"]) for o in outputs if "image/png" in o.get("data", {})]
    assert images and all(image.startswith(b"\x89PNG") for image in images)


@pytest.mark.parametrize("name", TINY)
def test_ready_for_colab(name):
    set_up, imports, *_ = code(name)
    assert "(https://colab.research.google.com/github/)" in "".join("".join(cell["source"]) for cell in read(name))
    # What is installed of JAX and NumPy is pinned, so that pip leaves it alone.
    assert 'find_spec("align") is None' in "".join(set_up["source"])
    assert '("jax", "jaxlib", "numpy")' in "".join(set_up["source"])
    assert "jax.devices()" in "".join(imports["source"])
