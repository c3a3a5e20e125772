"""A word on pages that take together what was trained in different ways."""

import json
from collections import defaultdict
from collections.abc import Iterable

from align.rows import schema_of


def warning(rows: Iterable[dict]) -> list[str]:
    """Give a paragraph where rows differ in nothing but the settings they were made with, nothing where none do.

    Runs of one method, which have their number among the settings, are no different settings.
    """
    settings = defaultdict(set)
    for row in rows:
        cell = json.dumps([row[name] for name in schema_of(row).identity])
        settings[cell].add(json.dumps({**row["settings"], "run": None}, sort_keys=True))
    mixed = sum(len(different) > 1 for different in settings.values())
    if not mixed:
        return []
    words = "have been made with different settings, and are taken together below; results of one training need a"
    return [f"**{mixed:,} of {len(settings):,} results {words} folder of their own (`--results`).**", ""]
