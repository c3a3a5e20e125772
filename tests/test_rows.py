"""Rows are written whole or not at all, read with every doubt named, and averaged as a hand would do it."""

import json
import math
import subprocess

import pytest
from result_rows import ROW, SETTINGS, row

from align import rows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results" / "table3.jsonl"


def test_rows_come_back_as_they_were_written(path):
    first, second = [row(), row(target_seed=2)], [row(anchors=None)]
    rows.append(path, first)
    rows.append(path, second)
    assert rows.read(path) == first + second
    assert [json.loads(line) for line in path.read_text().splitlines()] == first + second


def test_no_file_has_no_rows(path):
    assert rows.read(path) == []


@pytest.mark.parametrize("error", [math.nan, math.inf, -math.inf, "0.5", None, True])
def test_an_error_that_is_no_finite_number_is_refused_and_nothing_is_written(path, error):
    rows.append(path, [row()])
    before = path.read_bytes()
    with pytest.raises(rows.RowError, match=r"test_error must be a finite number; it is .* in the row \(3, 'mnist'"):
        rows.append(path, [row(target_seed=2), row(test_error=error)])
    assert path.read_bytes() == before


def test_a_row_without_a_column_is_refused_before_there_is_a_file(path):
    incomplete = {name: value for name, value in ROW.items() if name not in ("latent", "test_error")}
    with pytest.raises(rows.RowError, match="a row lacks latent, test_error"):
        rows.append(path, [row(), incomplete])
    assert not path.exists()


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_half_written_last_line_is_left_out_and_then_cut_off(path, kept):
    rows.append(path, [row(), row(target_seed=2)])
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:kept])
    assert rows.read(path) == [row()]
    rows.append(path, [row(source_seed=2)])
    assert path.read_bytes().startswith(first)
    assert rows.read(path) == [row(), row(source_seed=2)]


@pytest.mark.parametrize(
    "foreign",
    [b"", b"latent,error", b"{}", b"[1, 2]", b"7", b'{"table": 3, "da', b"\xff\xfe", json.dumps(ROW).encode()[:-4]],
)
def test_a_foreign_line_is_named_with_file_and_number(path, foreign):
    rows.append(path, [row()])
    with path.open("ab") as file:
        file.write(foreign + b"\n" + json.dumps(ROW).encode() + b"\n")
    with pytest.raises(rows.RowError, match=r"table3.jsonl, line 2 is no result row: "):
        rows.read(path)


def test_a_stored_error_that_is_not_finite_is_named(path):
    path.parent.mkdir()
    path.write_text(json.dumps(row(test_error=math.nan)) + "\n")
    with pytest.raises(rows.RowError, match="line 1 is no result row: test_error must be a finite number; it is nan"):
        rows.read(path)


def test_what_two_runs_made_at_once_counts_once(path):
    rows.append(path, [row(test_error=0.5), row(target_seed=2)])
    rows.append(path, [row(test_error=0.6)])
    assert [each["test_error"] for each in rows.read(path)] == [0.5, ROW["test_error"]]
    assert len(rows.read(path, copies=True)) == 3


def test_identity_is_columns_and_settings_and_nothing_else():
    assert rows.identity(row()) == rows.identity(row(test_error=0.7, seconds=3.0, device="1 x gpu"))
    assert rows.identity(row()) == rows.identity(row(settings=dict(reversed(SETTINGS.items()))))
    others = [row(settings={**SETTINGS, "epochs": 11}), row(settings=None)]
    others += [row(**{name: "other"}) for name in rows.NETWORKS.identity]
    assert len({rows.identity(other) for other in [row(), *others]}) == 1 + len(others)


def test_a_revision_is_marked_where_code_has_changed(tmp_path):
    assert rows.revision(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "rows.jsonl").write_text("{}")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    clean = rows.revision(tmp_path)
    assert len(clean) >= 7 and "dirty" not in clean
    (tmp_path / "folder" / "rows.jsonl").write_text("{}\n{}")
    assert rows.revision(tmp_path / "folder") == clean
    (tmp_path / "code.py").write_text("2")
    assert rows.revision(tmp_path / "folder") == f"{clean}-dirty"
