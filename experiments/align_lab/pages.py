"""The page of a table, made from its rows, in a folder of results."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from align import markdown


def write(results: Path, table: str, text: str, rows: Iterable[dict]) -> Path:
    """Write a text as the page of a table, and below it of which revisions the rows are that it is made of."""
    return markdown.write(results / "tables" / f"{table}.md", f"{text.rstrip()}\n{revisions(rows)}")


def revisions(rows: Iterable[dict]) -> str:
    """List the revisions of the code that made the rows, that of most rows first; "" where no row names one."""
    counts = Counter(row["revision"] for row in rows if "revision" in row)
    told = ", ".join(f"{revision} ({count:,})" for revision, count in counts.most_common())
    return f"\nRows by revision of the code: {told}.\n" if told else ""
