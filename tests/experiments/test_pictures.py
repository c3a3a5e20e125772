"""What is drawn from rows: a picture per table, a report that shows them, and whether maps are rotations."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from running import EXPERIMENTS, TINY

from align import drawing, markdown
from align.rows import append, read
from align_lab import cells, charts, pictures, recipes, tables
from align_lab.asked import Asked
from align_lab.bench import bench_report
from align_lab.crossing import crossing_page
from align_lab.heads import classify_page
from align_lab.ladder import ladder_page
from align_lab.many import many_page
from align_lab.plans import Cell
from align_lab.report import paper_tables, published
from align_lab.rigidity import rigidity_page
from align_lab.store import Store, times_of_the_paper
from align_lab.switch import swap_page, switch_page
from align_lab.verdicts import trials

RESULTS = EXPERIMENTS / "results"
# Pages that are made of the rows of the same name.
OF_ROWS = {
    "classify": classify_page.write,
    "embedding_switch": switch_page.write,
    "encoder_switch": swap_page.write,
    "encoders": crossing_page.write,
    "rigidity": rigidity_page.write,
    "verdicts": trials.write,
}


@pytest.fixture
def committed(tmp_path):
    """The published results in a folder of their own."""
    folder = tmp_path / "results"
    shutil.copytree(RESULTS, folder)
    return folder


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def trained(experiment, few, kept, tmp_path_factory):
    """A workdir that has the networks of TINY on few images, trained once."""
    if "networks" in kept:
        shutil.copytree(kept["networks"], experiment.workdir / "networks")
    else:
        run = experiment("full", "--dataset=mnist_sample", *TINY, "--methods=autoencoder")
        assert run.code == 0, run.err
        kept["networks"] = tmp_path_factory.mktemp("kept") / "networks"
        shutil.copytree(experiment.workdir / "networks", kept["networks"])
        shutil.rmtree(experiment.results)
    return experiment


@pytest.mark.usefixtures("undrawn")
def test_every_page_is_what_its_rows_say(committed, call):
    (committed / "README.md").unlink()
    drawn = [path.name for path in (committed / "pictures").glob("table?.png")]
    pages = sorted((committed / "tables").glob("*.md"))
    assert {page.stem for page in pages} == {*OF_ROWS, "consensus", "knowledge", "benchmarks"}
    for page in pages:
        page.write_text("")
    for page, write in OF_ROWS.items():
        write(read(committed / "rows" / f"{page}.jsonl"), committed)
    for page in (many_page, ladder_page):
        page.write(committed)
    bench_report.write(committed)
    run = call("report", f"--results={committed}")
    assert run.code == 0, run.err
    for page in (committed / "README.md", *pages):
        assert page.read_text() == (RESULTS / page.relative_to(committed)).read_text(), page
    text = (committed / "README.md").read_text()
    assert len(drawn) == 5 and all(text.count(f"](pictures/{name})") == 1 for name in drawn)
    assert text.index("](pictures/table3.png)") < text.index("## Table 4")
    assert "Missing, duplicate or unreadable rows: 0" in text


def test_rows_of_another_training_are_not_under_the_papers(tmp_path):
    rows = [row for row in read(RESULTS / "rows" / "rigidity.jsonl") if row["variant"] == "narrow"]
    faster = [{**row, "settings": row["settings"] | {"learning_rate": 5e-3, "schedule": "onecycle"}} for row in rows]
    append(tmp_path / "rows" / "rigidity.jsonl", [*rows, *faster])
    found = published.under_the_papers_training(tmp_path)
    assert len(found[1]) + len(found[3]) == len(rows) > 0


def test_the_readme_shows_what_the_rows_say():
    readme = (EXPERIMENTS.parent / "README.md").read_text()
    assert markdown.fill(readme, "results", paper_tables.headline(published.read(RESULTS)[0])) == readme


def test_what_is_wrong_with_rows_is_said(committed, call):
    path = committed / "rows" / "table4.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]) * 2)
    (committed / "rows" / "table2.jsonl").write_text("no row\n")
    (committed / "pictures" / "table2.png").unlink()
    run = call("report", f"--results={committed}")
    assert run.code == 0, run.err
    text = (committed / "README.md").read_text()
    assert "table4.jsonl: 107 duplicate rows, counted once" in text
    assert "table2.jsonl, line 1 is no result row" in text and "](pictures/table2.png)" not in text


def test_a_line_that_is_no_row_hides_no_other(committed, call):
    path = committed / "rows" / "table4.jsonl"
    before = published.read(committed)[0][4]
    path.write_text("no row\n" + path.read_text() + "{}\n")
    rows, problems = published.read(committed)
    assert rows[4] == before and len(problems) == 2
    assert call("report", f"--results={committed}").code == 0
    text = (committed / "README.md").read_text()
    assert "](pictures/table4.png)" in text and "Missing, duplicate or unreadable rows: 2:" in text
    assert all(f"table4.jsonl, line {number} is no result row" in text for number in (1, len(before) + 2))


def test_the_readme_takes_no_trainings_together(committed, call, tmp_path):
    path, readme = committed / "rows" / "table3.jsonl", tmp_path / "README.md"
    first = json.loads(path.read_text().splitlines()[0])
    with path.open("a") as file:
        file.write(json.dumps({**first, "settings": {**first["settings"], "epochs": 1}}) + "\n")
    readme.write_text("<!-- results -->\n<!-- /results -->\n")
    run = call("report", f"--results={committed}", f"--readme={readme}")
    assert run.code == 1 and "has rows of 2 different settings, and one figure would be of both" in run.err
    assert readme.read_text() == "<!-- results -->\n<!-- /results -->\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--results={}/nowhere"], "--results must be a folder of results; "),
        (["--results={}/page.md"], "page.md is none"),
        (["--results={}", "--readme={}/none.md"], "No such file or directory: '{}/none.md'"),
        (["--results={}", "--readme={}/page.md"], "--readme must have <!-- results --> and <!-- /results -->, once"),
        (["--results={}", "all"], "arguments must be flags, such as --results=DIR; there is 'all'"),
        (["--results={}/rigidity"], "rigidity.jsonl, line 1 is no result row"),
        (["--results={}/timings"], "timings.jsonl, line 1 is no time of a task"),
    ],
)
def test_a_report_that_cannot_be_made_says_why_in_a_line(flags, words, tmp_path, call):
    (tmp_path / "page.md").write_text("<!-- results -->\n")
    for name in ("rigidity", "timings"):
        (tmp_path / name / "rows").mkdir(parents=True)
        (tmp_path / name / "rows" / f"{name}.jsonl").write_text('"seconds"\n')
    run = call("report", *(flag.format(tmp_path) for flag in flags))
    assert run.code == 1 and words.format(tmp_path) in run.err
    assert run.err.startswith("error: ") and run.err.count("\n") == 1


def test_a_picture_of_one_dimension_lies_on_a_line():
    points = np.arange(3.0)[:, None]
    np.testing.assert_array_equal(pictures.plane(points, points), np.c_[points, np.zeros(3)])


def test_a_report_without_rows(tmp_path, call):
    run = call("report", f"--results={tmp_path}")
    assert run.code == 0, run.err
    assert (tmp_path / "README.md").read_text().startswith("# Results\n\nNo rows yet")
    assert not list(tmp_path.rglob("*.png"))


def test_a_line_of_the_picture_is_the_mean_above_the_floor(committed):
    from align import paper
    from align import rows as results

    rows = results.read(committed / "rows" / "table3.jsonl")
    panels = charts._over_latents(paper.summarise(rows))
    fewer, more = panels.values()
    assert list(fewer.lines["rigid"]) == [2, 10, 30, 50, 100]
    ours = [row["test_error"] for row in rows if (row["method"], row["latent"], row["anchors"]) == ("linear", 50, 200)]
    assert more.lines["linear"][50] == pytest.approx(sum(ours) / len(ours) - paper.MNIST_FLOOR, rel=1e-9)
    assert fewer.beside["linear"][50] == pytest.approx(0.500 - paper.MNIST_FLOOR)


def test_a_picture_shows_the_rows_of_the_data_that_are_asked_for(experiment, few):
    picture = experiment.results / "pictures" / "table3.png"

    def drawn(dataset, *more):
        run = experiment("anchors", f"--dataset={dataset}", "--methods=linear", "--anchors=20", *TINY, *more)
        assert run.code == 0, run.err
        return f"Picture: {picture}\n" in run.out, picture.read_bytes()

    first, digits = drawn("mnist_sample")
    os.utime(experiment.results / "rows" / "table3.jsonl")
    assert first and drawn("mnist_sample") == (False, digits)  # nothing has changed but the time of the file
    other, clothes = drawn("fashion_mnist_sample")
    assert other and clothes != digits
    assert drawn("mnist_sample") == (True, digits)
    shorter, less = drawn("mnist_sample", "--epochs=1")
    assert shorter and less not in (digits, clothes)


def test_a_picture_over_latents_is_of_one_architecture_and_names_it(tmp_path, monkeypatch):
    drawn, store = [], Store(tmp_path)
    monkeypatch.setattr(drawing, "curves", lambda path, panels, x, y, **said: drawn.append((panels["mnist"], y)))
    conv = Asked("mnist", "conv", ((2, None), (50, None)), ("linear",), (0, 1), recipes.Overrides({}))
    for wanted in (conv, replace(conv, model="mlp"), replace(conv, last_layer="linear"), conv):
        plan = tables.FULL.plan(wanted, store)
        store.add([{**row, "test_error": 0.5} for one in plan if isinstance(one, Cell) for row in cells.rows(one)])
        list(charts.redraw(wanted, store, (1,)))
    names = [(list(panel.lines), list(panel.beside), label) for panel, label in drawn]
    first, mlp, linear, again = names
    assert first == again == (["autoencoder", "linear"], ["autoencoder", "linear"], charts.ABOVE)
    assert mlp == (["autoencoder, mlp", "linear, mlp"], [], charts.ABOVE)
    assert linear == (["autoencoder, conv-linear", "linear, conv-linear"], [], "test error")


def test_a_picture_of_other_methods_or_networks_is_another(trained):
    experiment, known = trained, ("--dataset=mnist_sample", *TINY)
    assert experiment("figures", *known, "--methods=autoencoder,linear").code == 0
    (picture,) = (experiment.results / "pictures").glob("latents_*.png")
    first = picture.read_bytes()
    assert experiment("figures", *known, "--methods=linear").code == 0 and picture.read_bytes() == first
    assert experiment("figures", *known, "--methods=linear,rigid").code == 0
    second = picture.read_bytes()
    assert experiment("figures", *known, "--methods=linear,rigid", "--epochs=1").code == 0
    assert len({first, second, picture.read_bytes()}) == 3


def test_latents_carried_by_the_means_of_classes(trained):
    run = trained("figures", "--dataset=mnist_sample", *TINY, "--methods=means_rigid")
    assert run.code == 0, run.err
    assert "latents_mlp_latent4.png" in run.out


def test_an_autoencoder_is_no_method_of_its_own_in_a_picture(trained, monkeypatch):
    drawn = []
    monkeypatch.setattr(drawing, "image_grid", lambda path, rows, **said: drawn.append(list(rows)) or path)
    known = ("--dataset=mnist_sample", *TINY, "--anchors=20", "--methods=autoencoder,rigid")
    assert trained("anchors", *known).code == 0
    assert drawn == [["test image", "own", "rigid"]]


def test_times_are_of_one_experiment(tmp_path):
    one, other = (Store(tmp_path, experiment=name) for name in ("paper", "full"))
    one.log_time("train", 60), other.log_time("train", 600)
    with one.file("timings").open("a") as file:
        file.write('{"task": "of before there were names", "seconds": 60}\n')
        file.write('{"experiment": "paper", "task": "of a process that was ki')
    assert [line["seconds"] for line in times_of_the_paper(one.results)] == [60, 60]
    one.log_time("draw", 6)
    assert [line["seconds"] for line in times_of_the_paper(one.results)] == [60, 60, 6]
    one.asked = "five networks"
    one.log_time("train", 90), one.log_time("draw", 9)
    assert [line["seconds"] for line in times_of_the_paper(one.results)] == [
        60,
        90,
        9,
    ]


def test_singular_values(experiment, few):
    run = experiment("rotation", "--dataset=mnist_sample", *TINY)
    assert run.code == 0, run.err
    assert "latent 4: singular values of the maps from all pairs, eight in ten " in run.out
    assert (experiment.results / "pictures" / "singular_values_mlp.png").stat().st_size > 10_000
    lines = (experiment.results / "rows" / "timings.jsonl").read_text().splitlines()
    assert [json.loads(line)["task"] for line in lines] == ["train mnist_sample mlp, latent 4", "pictures"]
