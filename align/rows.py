"""Result rows on disk, a JSON object a line: two are the same where their identity columns and settings are.

A row is what one method did on one problem: the columns that identify it, the settings it was made with, finite
measures, and where it came from. Rows are the only results: tables and pictures are made from them.
"""

import json
import math
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from align.arrays.locks import wait_for_turn


class Schema(NamedTuple):
    """What rows of a kind must have: the columns that identify one, with its settings, and the measures it gives."""

    identity: tuple[str, ...]
    measures: tuple[str, ...]


# One ordered pair of networks, or one network with itself, and its test reconstruction error.
NETWORKS = Schema(
    (
        "table",
        "dataset",
        "method",
        "source_model",
        "target_model",
        "latent",
        "anchors",
        "source_seed",
        "target_seed",
    ),
    ("test_error",),
)
# Rows of tables that are about something else, by the name of the table.
SCHEMAS = {
    "embedding_switch": Schema(
        ("table", "dataset", "method", "old", "new", "asking", "direction", "anchors", "seed", "documents", "queries"),
        ("recall", "hit"),
    ),
    "encoder_switch": Schema(
        ("table", "dataset", "method", "old", "new", "direction", "anchors", "seed", "documents", "queries"),
        ("recall", "of_50", "of_200", "seconds"),
    ),
    "database_switch": Schema(
        ("table", "dataset", "method", "old", "new", "share", "anchors", "documents", "queries", "kills"),
        ("recall", "milliseconds"),
    ),
    "encoders": Schema(
        ("table", "dataset", "method", "source", "target", "control", "texts", "pairs", "held_out", "key"),
        ("top1", "top10", "mean_rank", "cosine", "seconds"),
    ),
    "consensus": Schema(
        ("table", "dataset", "method", "group", "latent", "anchors", "pool", "draw"),
        ("residual", "test_error", "around", "by_way"),
    ),
    "alike": Schema(("table", "dataset", "group", "latent", "network"), ("own", "procrustes", "cka", "into", "out_of")),
    "classify": Schema(NETWORKS.identity, ("accuracy", "agreement", "own")),
    "rigidity": Schema(
        ("table", "dataset", "variant", "method", "latent", "anchors", "source_seed", "target_seed"), ("test_error",)
    ),
    "intervals": Schema(
        ("table", "dataset", "method", "figure", "documents", "queries", "draws"),
        ("truth", "coverage", "below", "width"),
    ),
    "verdicts": Schema(("table", "dataset", "kind", "rows", "dimensions", "seed"), ("seconds",)),
    "search": Schema(("table", "dataset", "latent", "seeds", "encoder", "decoder"), ("autoencoder",)),
}


class RowError(ValueError):
    """A row that is no result, or a file that holds one."""


def schema_of(row: dict) -> Schema:
    """Give the schema of a row, by its table."""
    return SCHEMAS.get(row.get("table", ""), NETWORKS)


def check_row(row: dict) -> dict:
    """Return the row; RowError where a column is missing or a measure is not a finite number."""
    if not isinstance(row, dict):
        raise RowError(f"a row is an object; it is {row!r}")
    schema = schema_of(row)
    if missing := [name for name in (*schema.identity, *schema.measures) if name not in row]:
        raise RowError(f"a row lacks {', '.join(missing)}: {row}")
    for name in schema.measures:
        value = row[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise RowError(f"{name} must be a finite number; it is {value!r} in the row {identity(row)}")
    return row


def identity(row: dict) -> tuple:
    """Give what makes a row unique: its identity columns and the settings it was made with."""
    columns = (row[name] for name in schema_of(row).identity)
    return (
        *(json.dumps(x) if isinstance(x, list) else x for x in columns),
        json.dumps(row.get("settings"), sort_keys=True),
    )


def append(path: Path, rows: Iterable[dict]) -> None:
    """Append rows to a JSON Lines file, as `append_lines` does; RowError for a row that is no result, before that."""
    append_lines(path, [check_row(row) for row in rows])


def append_lines(path: Path, objects: Iterable[dict]) -> None:
    """Append objects to a JSON Lines file, all of them or none, each on a line of its own.

    OSError where the disk is full, after what came of it is taken back. A last line without an end, left by a process
    that was killed while it wrote, is cut off first; processes that append at the same time take turns, so that none
    cuts off what another is writing.
    """
    text = "".join(json.dumps(one) + "\n" for one in objects).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        wait_for_turn(file.fileno())
        file.seek(0)
        whole = file.readall().rfind(b"\n") + 1
        file.truncate(whole)
        try:
            while text:
                text = text[file.write(text) :]
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(whole)
            raise OSError(error.errno, f"no row was appended: {error.strerror}", str(path)) from error


def read(path: Path, *, copies: bool = False) -> list[dict]:
    """Read the rows of a JSON Lines file, none where there is no file; an unfinished last line is left out.

    Of rows with one identity, which runs side by side may both have made, the first stands, unless `copies` asks for
    all.

    RowError names the file and the line of anything else that is no row.
    """
    rows, others = sorted_out(path)
    if others:
        raise RowError(others[0])
    if copies:
        return rows
    return once(rows)


def once(rows: Iterable[dict]) -> list[dict]:
    """Give the first of the rows of each identity."""
    first: dict[tuple, dict] = {}
    for row in rows:
        first.setdefault(identity(row), row)
    return list(first.values())


def sorted_out(path: Path) -> tuple[list[dict], list[str]]:
    """Read all rows of a file as `read` does, copies too, and say of each line that is no row its number and why."""
    rows, others = [], []
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            rows.append(check_row(json.loads(line)))
        except (ValueError, TypeError) as error:
            others.append(f"{path}, line {number} is no result row: {error}")
    return rows, others


def whole_lines(path: Path) -> list[bytes]:
    """Read the lines of a file, none where there is no file; an unfinished last line is left out."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def revision(folder: Path) -> str | None:
    """Give the git revision of a folder, marked where the repository's Python has changed since; None outside one."""

    def git(*words):
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        changed = git("diff", "--name-only", "HEAD", "--", ":/*.py")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
