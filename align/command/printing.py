"""What a command prints: one JSON object, or a table; and its warnings."""

import argparse
import contextlib
import json
import math
import os
import sys
from typing import Any

# Names that `show` has a meaning for, which `align fit` keeps in no file.
TAKEN = ("warnings", "below", "worth_it", "unmapped")


def show(arguments: argparse.Namespace, result: dict) -> None:
    """Print a result, of which nested parts become tables of their own; its "warnings" go to standard error as well.

    Who reads no further is no mistake. OSError where it cannot be printed, which says that an output is written.
    """
    for text in result.get("warnings", []):
        print(f"align {arguments.name}: warning: {text}", file=sys.stderr)
    try:
        print(f"{as_json(result)}\n" if arguments.json else _as_tables(arguments, result), end="", flush=True)
    except OSError as error:
        with contextlib.suppress(OSError):  # so that what is left is not tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            written = f"{result['output']} is written; " if "output" in result else ""
            raise OSError(f"{written}the summary could not be printed: {error.strerror}") from error


def _as_tables(arguments, result):
    from rich.console import Console

    console = Console(markup=False, emoji=False)  # names of files, of columns and of encoders are no markup
    in_words = ("warnings", "below", "verdict", "worth_it")
    with console.capture() as printed:
        for table in _tables(arguments.name, {name: value for name, value in result.items() if name not in in_words}):
            console.print(table)
    words = [*result.get("below", ()), *([result["verdict"]] if "verdict" in result else ())]
    return printed.get() + "".join(f"{text}\n" for text in words)


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

    unmapped = result.get("unmapped")
    unmapped = unmapped if isinstance(unmapped, dict) else {}
    headings = ["", title, *(["without a map"] if unmapped else [])]
    table = Table(*(Column(heading, overflow="fold") for heading in headings), box=None)  # a path is shown whole
    nested = []
    for name, value in result.items():
        if isinstance(value, dict):
            nested += _tables(name, value) if value and value is not unmapped else []
        else:
            table.add_row(name, _text(value), *([_text(unmapped.get(name, ""))] if unmapped else []))
    return [table, *nested]


def _text(value):
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
