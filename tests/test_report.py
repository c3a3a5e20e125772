"""Rows are written whole or not at all, read with every doubt named, and averaged as a hand would do it."""

import json
import math
import subprocess

import pytest

from align import paper, report

SETTINGS = {"epochs": 10, "batch": 64}
ROW = {
    "table": 3,
    "dataset": "mnist",
    "method": "rigid",
    "source_model": "conv",
    "target_model": "conv",
    "latent": 50,
    "anchors": 100,
    "source_seed": 0,
    "target_seed": 1,
    "settings": SETTINGS,
    "test_error": 0.5,
}


def row(**changes):
    return {**ROW, **changes}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "table3.jsonl"


def test_rows_come_back_as_they_were_written(path):
    first, second = [row(), row(target_seed=2)], [row(anchors=None)]
    report.append(path, first)
    report.append(path, second)
    assert report.read(path) == first + second
    assert [json.loads(line) for line in path.read_text().splitlines()] == first + second


def test_no_file_has_no_rows(path):
    assert report.read(path) == []


@pytest.mark.parametrize("error", [math.nan, math.inf, -math.inf, "0.5", None, True])
def test_an_error_that_is_no_finite_number_is_refused_and_nothing_is_written(path, error):
    report.append(path, [row()])
    before = path.read_bytes()
    with pytest.raises(report.RowError, match=r"test_error must be a finite number; it is .* in the row \(3, 'mnist'"):
        report.append(path, [row(target_seed=2), row(test_error=error)])
    assert path.read_bytes() == before


def test_a_row_without_a_column_is_refused_before_there_is_a_file(path):
    incomplete = {name: value for name, value in ROW.items() if name not in ("latent", "test_error")}
    with pytest.raises(report.RowError, match="a row lacks latent, test_error"):
        report.append(path, [row(), incomplete])
    assert not path.exists()


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_half_written_last_line_is_left_out_and_then_cut_off(path, kept):
    report.append(path, [row(), row(target_seed=2)])
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert report.read(path) == [row()]
    report.append(path, [row(source_seed=2)])
    assert path.read_bytes().startswith(first)
    assert report.read(path) == [row(), row(source_seed=2)]


@pytest.mark.parametrize(
    "foreign",
    [b"", b"latent,error", b"{}", b"[1, 2]", b"7", b'{"table": 3, "da', b"\xff\xfe", json.dumps(ROW).encode()[:-4]],
)
def test_a_foreign_line_is_named_with_file_and_number(path, foreign):
    report.append(path, [row()])
    with path.open("ab") as file:
        file.write(foreign + b"\n" + json.dumps(ROW).encode() + b"\n")
    with pytest.raises(report.RowError, match=r"table3.jsonl, line 2 is no result row: "):
        report.read(path)


def test_a_stored_error_that_is_not_finite_is_named(path):
    path.parent.mkdir()
    path.write_text(json.dumps(row(test_error=math.nan)) + "\n")
    with pytest.raises(report.RowError, match="line 1 is no result row: test_error must be a finite number; it is nan"):
        report.read(path)


def test_identity_is_columns_and_settings_and_nothing_else():
    assert report.identity(row()) == report.identity(row(test_error=0.7, seconds=3.0, device="1 x gpu"))
    assert report.identity(row()) == report.identity(row(settings=dict(reversed(SETTINGS.items()))))
    others = [row(settings={**SETTINGS, "epochs": 11}), row(settings=None)]
    others += [row(**{name: "other"}) for name in report.IDENTITY]
    assert len({report.identity(other) for other in [row(), *others]}) == 1 + len(others)


def test_summary_by_hand():
    errors = [0.4, 0.5, 0.9]
    rows = [row(target_seed=seed, test_error=error) for seed, error in zip((1, 2, 3), errors, strict=True)]
    (summary,) = report.summarise(rows).values()
    # Deviations -0.2, -0.1, 0.3: squares sum to 0.14.
    assert summary.mean == pytest.approx(0.6, abs=1e-15)
    assert summary.std == pytest.approx(math.sqrt(0.14 / 3), abs=1e-15)
    assert summary.count == 3


def test_a_row_that_was_written_twice_counts_once():
    (summary,) = report.summarise([row(), row(test_error=0.5), row(target_seed=2, test_error=0.7)]).values()
    assert (summary.mean, summary.count) == (pytest.approx(0.6), 2)


def test_networks_with_themselves_are_a_cell_of_their_own():
    own = row(method="decoder_only", target_seed=0, test_error=0.1)
    between_architectures = row(method="decoder_only", target_seed=0, target_model="mlp", test_error=0.3)
    cells = report.summarise([own, between_architectures, row(method="decoder_only", test_error=0.2)])
    assert [(key.own, summary.mean) for key, summary in cells.items()] == [(True, 0.1), (False, 0.3), (False, 0.2)]


def test_comparison_puts_the_papers_cell_beside_ours():
    rows = [row(test_error=0.49), row(target_seed=2, test_error=0.51), row(latent=7, test_error=0.6)]
    known, unknown = report.comparison(rows)
    assert known == {
        "latent": "50",
        "anchors": "100",
        "method": "rigid",
        "networks": "conv → conv",
        "ours": "0.5000 ± 0.0100",
        "paper": "0.551 ± 0.0176",
        "ratio": "0.907",
        "rows": "2",
    }
    assert (unknown["ours"], unknown["paper"], unknown["ratio"]) == ("0.6000 ± 0.0000", "", "")


def test_every_cell_of_the_paper_is_found_by_the_rows_that_belong_to_it():
    for key in paper.CELLS:
        own = {"source_seed": 1, "target_seed": 1 if key.own else 2}
        assert report.cell({**key._asdict(), **own}) == key


def test_markdown():
    table = "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 |  |\n"
    assert report.markdown([{"a": "1", "b": "x"}, {"a": "2", "b": ""}]) == table
    assert report.markdown([]) == "(no rows)\n"


def test_notes_by_heading(tmp_path):
    assert report.notes(tmp_path)["table 3"] == ""
    (tmp_path / "notes.md").write_text("# table 3\nOne cell.\n\n# table 4\n\nTwo\nlines.\n")
    assert dict(report.notes(tmp_path)) == {"table 3": "One cell.\n\n", "table 4": "\nTwo\nlines.\n"}


def test_a_revision_is_marked_where_code_has_changed(tmp_path):
    assert report.revision(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "rows.jsonl").write_text("{}")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    clean = report.revision(tmp_path)
    assert len(clean) >= 7 and "dirty" not in clean
    (tmp_path / "folder" / "rows.jsonl").write_text("{}\n{}")
    assert report.revision(tmp_path / "folder") == clean
    (tmp_path / "code.py").write_text("2")
    assert report.revision(tmp_path / "folder") == f"{clean}-dirty"
