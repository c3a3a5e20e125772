"""Rows apart by what must not be taken together."""

from collections.abc import Iterable


def parted(rows: Iterable[dict], *names: str) -> dict[tuple, list[dict]]:
    """Part rows by the values of some columns, in the order in which these first come."""
    parts: dict[tuple, list[dict]] = {}
    for row in rows:
        parts.setdefault(tuple(row[name] for name in names), []).append(row)
    return parts
