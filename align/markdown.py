"""Markdown as the reports need it: tables, paragraphs by their headings, and what stands between two markers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from align.arrays import atomic


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table, a text per column in every line; the last line ends without a line break."""
    first = f"| {' | '.join(header).lstrip()} |"  # an empty corner is a single space
    return "\n".join([first, "|" + " --- |" * len(header), *map(_line, lines)])


def records(found: Sequence[Mapping[str, str]]) -> str:
    """Lay records out, a column for each of their names; "(no rows)" where there is none."""
    return table(list(found[0]), (list(one.values()) for one in found)) if found else "(no rows)"


def _line(texts):
    return f"| {' | '.join(texts)} |"


def sections(path: Path) -> dict[str, str]:
    """Read a file's text by its headings, such as "# table 3"; "" for a heading that is not there, or no file."""
    found: dict[str, str] = defaultdict(str)
    heading = ""
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("# "):
            heading = line[2:].strip()
        else:
            found[heading] += line + "\n"
    return found


def write(path: Path, text: str) -> Path:
    """Write a page, whole or not at all, into a folder that is made where it is not there; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_text(text)
    return path


def fill(page: str, name: str, text: str) -> str:
    """Put a text between the markers `<!-- name -->` and `<!-- /name -->` of a page."""
    before, rest = page.split(f"<!-- {name} -->\n")
    _, after = rest.split(f"<!-- /{name} -->")
    return f"{before}<!-- {name} -->\n{text}\n<!-- /{name} -->{after}"
