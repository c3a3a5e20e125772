"""The page of a table, made from its rows, in a folder of results."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from align import markdown


def write(results: Path, table: str, text: str, rows: Iterable[dict]) -> Path:
    """Write a text as the page of a table, and below it of which revisions the rows are that it is made of."""
    return markdown.write(results / "tables" / f"{table}.md", f"{text.rstrip()}\n{revisions(rows)}")


def revisions(rows: Iterable[dict]) -> str:
    """Say of which revisions of the code rows are, those of most rows first; nothing of rows that do not say it."""
    counts = Counter(row["revision"] for row in rows if "revision" in row)
    told = ", ".join(f"{revision} ({count:,})" for revision, count in counts.most_common())
    return f"\nRows by revision of the code: {told}.\n" if told else ""
