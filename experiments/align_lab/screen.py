"""What an experiment prints: its help, a first line, the plan, progress, tables, and errors, on their own stream."""

import contextlib
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

# What --help lists under which heading; flags of the experiment itself come first.
GROUPS = {
    "what is compared": (
        "dataset",
        "pixel_mean",
        "pixel_std",
        "model",
        "last_layer",
        "latent",
        "anchors",
        "methods",
        "seeds",
    ),
    "training": (
        "epochs",
        "relative_epochs",
        "batch",
        "learning_rate",
        "weight_decay",
        "schedule",
        "memory",
        "initial",
    ),
    "places": ("data_dir", "workdir", "results"),
    "output": ("dry_run", "quiet", "json"),
}


def help_text(given: flags.FlagValues) -> str:
    """Lay out the script's docstring, which has its examples, and its flags in groups."""
    listed = [name for names in GROUPS.values() for name in names]
    defined = given.flags_by_module_dict().items()
    own = [flag.name for module, found in defined if module.startswith("align_lab.") for flag in found]
    lines = [(sys.modules["__main__"].__doc__ or "").strip()]
    for title, names in {"this experiment": [name for name in own if name not in listed], **GROUPS}.items():
        there = [given[name] for name in names if name in given]
        lines += ["", f"{title}:"] if there else []
        for flag in there:
            usual = flag.default is not None and flag.default is not False
            default = f" (default: {flag.default_as_str.strip(chr(39))})" if usual else ""
            text = f"--{'[no]' if flag.boolean else ''}{flag.name}: {flag.help}{default}"
            lines.append(flags.text_wrap(text, 100, "      ", "  "))
    return "\n".join(lines)


def helps(given: flags.FlagValues) -> bool:
    """Print the help where the command line asks for it, and say whether it does."""
    asked = bool({"--help", "-help", "-h"} & set(sys.argv[1:]))
    if asked:
        try:
            print(help_text(given), flush=True)
        except BrokenPipeError:  # `head` has seen enough; what is left is not tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return asked


def parsed(words: list[str]) -> list[str]:
    """Parse the flags, for `app.run`: where one is wrong, one line says so and the program ends with 1."""
    try:
        return flags.FLAGS(words)
    except flags.Error as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


class Progress(NamedTuple):
    """A bar over the cost of a plan; `of(name, cost)` gives what a task calls with the share of it just finished."""

    bar: object
    task: object

    def of(self, name: str, cost: float) -> Callable[[float], None]:
        self.bar.update(self.task, description=name)
        return lambda share: self.bar.advance(self.task, share * cost)


class Screen:
    """The terminal, or the file, that an experiment prints to."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False):
        from rich.console import Console

        self.as_json = as_json
        # What is printed may hold anything that a user has typed, [/] and :name: included.
        plain = {"highlight": False, "markup": False, "emoji": False, "soft_wrap": True}
        self.console = Console(quiet=quiet or as_json, **plain)
        self.console.width = self.console.width if self.console.is_terminal else max(self.console.width, 100)
        self.errors = Console(stderr=True, **plain)

    def say(self, text: str) -> None:
        self.console.print(text)

    def say_done(self, name: str) -> None:
        """Say that a task is done, where no bar shows it."""
        if not self.console.is_terminal:
            self.console.print(f"done: {name}")

    def complain(self, text: str, title: str = "") -> None:
        """Say on stderr why it ended."""
        self.errors.print(title, style="red", end="")
        self.errors.print(text)

    def introduce(self, described: Sequence[str], costs: Sequence[float]) -> None:
        """Say on what device and by which versions, from what data, and what will be computed."""
        import flax
        import jax
        from rich.text import Text

        devices = f"on {jax.local_device_count()} x {jax.devices()[0].device_kind}"
        versions = f"jax {jax.__version__}, flax {flax.__version__}, python {platform.python_version()}"
        left = sum(map(bool, costs))
        cost = f", {sum(costs) / 60:.1f} minutes on two cores" if left else ""
        text = f"{devices}, {versions}; {'; '.join(described)}; {left} of {len(costs)} tasks to do{cost}"
        self.console.print(Text.assemble((Path(sys.argv[0]).stem, "bold"), " ", text), soft_wrap=False)

    def list_plan(self, plan: Sequence, costs: Sequence[float]) -> None:
        """Print a plan and what is left of it."""
        from rich.table import Table

        if self.as_json:
            for record, cost in zip(plan, costs, strict=True):
                print(json.dumps({"task": record.name, "minutes": round(cost / 60, 2)}))
            return
        table = Table("task", "minutes on two cores", title="What would be done")
        for record, cost in zip(plan, costs, strict=True):
            table.add_row(record.name, f"{cost / 60:.1f}" if cost else "done")
        table.add_row("total", f"{sum(costs) / 60:.1f}", style="bold")
        self.console.print(table)

    @contextlib.contextmanager
    def progress(self, total: float) -> Iterator[Progress]:
        """Show a bar while a plan is carried out."""
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        remaining = (TextColumn("left"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn(), *remaining)
        with Bar(*columns, console=self.console, disable=self.console.quiet or not total) as bar:
            yield Progress(bar, bar.add_task("", total=total))

    def show_rows(self, number: int | str, found: Sequence[dict]) -> None:
        """Print rows, as JSON a line each, else those of a table of the paper beside it."""
        from rich import box
        from rich.table import Column, Table

        from align import paper

        for row in found if self.as_json else ():
            print(json.dumps(row))
        records = paper.comparison(found) if isinstance(number, int) and not self.as_json else []
        if not records:
            return
        title = f"Table {number}: test reconstruction error, mean ± standard deviation"
        columns = (Column(name, no_wrap=name != "method", overflow="fold") for name in records[0])
        table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title)
        for record in records:
            table.add_row(*record.values())
        self.console.print(table)
