"""What a command prints: one JSON object, or a table; and its warnings."""

import argparse
import json
import math
import sys
from typing import Any


def show(arguments: argparse.Namespace, result: dict) -> None:
    """Print a result, of which nested parts become tables of their own; its "warnings" go to standard error as well."""
    for text in result.get("warnings", []):
        print(f"align {arguments.name}: warning: {text}", file=sys.stderr)
    if arguments.json:
        print(as_json(result))
        return
    from rich.console import Console

    console = Console(markup=False, emoji=False)  # names of files, of columns and of encoders are no markup
    in_words = ("warnings", "below", "verdict", "worth_it")
    for table in _tables(arguments.name, {name: value for name, value in result.items() if name not in in_words}):
        console.print(table)
    for text in (*result.get("below", ()), *([result["verdict"]] if "verdict" in result else ())):
        print(text)


def as_json(result: Any) -> str:
    """Return strict JSON: what is no number is null, and in an object "undefined" says which of the two it was."""
    undefined: dict[str, str] = {}
    clean = _without_nan(result, "", undefined)
    return json.dumps(
        clean | {"undefined": undefined} if undefined and isinstance(clean, dict) else clean, allow_nan=False
    )


def _without_nan(value, name, undefined):
    if isinstance(value, dict):
        return {key: _without_nan(each, f"{name}.{key}" if name else key, undefined) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each, f"{name}[{i}]", undefined) for i, each in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        undefined[name] = "not a number: there is nothing to divide by" if math.isnan(value) else "infinite"
        return None
    return value


def _tables(title, result):
    from rich.table import Column, Table

    unmapped = result.get("unmapped", {})
    headings = ["", title, *(["without a map"] if unmapped else [])]
    table = Table(*(Column(heading, overflow="fold") for heading in headings), box=None)  # a path is shown whole
    nested = []
    for name, value in result.items():
        if isinstance(value, dict):
            nested += _tables(name, value) if value and name != "unmapped" else []
        else:
            table.add_row(name, _text(value), *([_text(unmapped.get(name, ""))] if unmapped else []))
    return [table, *nested]


def _text(value):
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
