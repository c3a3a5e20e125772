"""Markdown: tables, paragraphs by their headings, and what stands between markers."""

from align import markdown


def test_a_table_has_a_line_per_record():
    assert markdown.table(["a", "b"], [["1", "x"], ["2", ""]]) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 |  |"
    assert markdown.table(["a"], []) == "| a |\n| --- |"


def test_records_are_a_column_per_name():
    assert markdown.records([{"a": "1", "b": "x"}, {"a": "2", "b": ""}]).endswith("\n| 1 | x |\n| 2 |  |")
    assert markdown.records([]) == "(no rows)"


def test_sections_by_heading(tmp_path):
    assert markdown.sections(tmp_path / "notes.md")["table 3"] == ""
    (tmp_path / "notes.md").write_text("# table 3\nOne cell.\n\n# table 4\n\nTwo\nlines.\n")
    found = markdown.sections(tmp_path / "notes.md")
    assert dict(found) == {"table 3": "One cell.\n\n", "table 4": "\nTwo\nlines.\n"}


def test_a_page_is_written_whole_into_a_folder_that_may_be_missing(tmp_path):
    for text in ("one\n", "two\n"):
        assert markdown.write(tmp_path / "tables" / "page.md", text).read_text() == text
    assert [each.name for each in (tmp_path / "tables").iterdir()] == ["page.md"]


def test_what_stands_between_markers_is_replaced():
    page = "before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
    filled = markdown.fill(page, "results", "new")
    assert filled == "before\n<!-- results -->\nnew\n<!-- /results -->\nafter\n"
    assert markdown.fill(filled, "results", "new") == filled
