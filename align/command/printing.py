"""What a command prints: one JSON object, or a table."""

import json


def show(arguments, result: dict) -> None:
    """Print a result, of which nested parts become tables of their own."""
    if arguments.json:
        print(json.dumps(result))
        return
    from rich.console import Console

    console = Console()
    for table in _tables(arguments.name, result):
        console.print(table)


def _tables(title, result):
    from rich.table import Table

    unmapped = result.get("unmapped", {})
    table = Table("", title, *(["without a map"] if unmapped else []), box=None)
    nested = []
    for name, value in result.items():
        if isinstance(value, dict):
            nested += [] if name == "unmapped" else _tables(name, value)
        else:
            table.add_row(name, _text(value), *([_text(unmapped.get(name, ""))] if unmapped else []))
    return [table, *nested]


def _text(value):
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
