"""The solver that is asked for, and its options from NAME=VALUE."""

import argparse
import json

from align import search
from align.solvers import SOLVERS, Solver
from align.solvers.catalogue import from_pairs

# All that --solver takes: `auto` chooses among families, and stands in no table of them.
_NAMED = SOLVERS | {"auto": from_pairs(search.auto, "purpose", "top")}


def choose(arguments: argparse.Namespace) -> Solver:
    """Return the row of the table for --solver; ValueError where there is none, or what it needs is not given."""
    if arguments.solver not in _NAMED:
        raise ValueError(f"unknown solver {arguments.solver!r}; expected one of {', '.join(sorted(_NAMED))}")
    if arguments.solver != "auto":
        for name, given in (("for", arguments.purpose), ("among", arguments.among), ("clouds", arguments.clouds)):
            if given is not None:
                raise ValueError(f"--{name} is for --solver auto, which chooses by it; --solver is {arguments.solver}")
    elif arguments.weights is not None:
        raise ValueError(f"--weights {arguments.weights}: --solver auto takes all pairs for equally good")
    solver = _NAMED[arguments.solver]
    labels = (arguments.source_labels, arguments.target_labels)
    if solver.needs == "labels" and None in labels:
        raise ValueError(f"{arguments.solver} needs --source-labels and --target-labels")
    if solver.needs == "pairs" and any(labels):
        raise ValueError(f"{arguments.solver} takes rows in correspondence, and no labels")
    if arguments.pairs and "pairs" not in solver.helps:
        takers = ", ".join(name for name, each in SOLVERS.items() if "pairs" in each.helps)
        raise ValueError(f"--pairs beside two clouds helps {takers}; --solver is {arguments.solver}")
    return solver


def read(name: str, settings: list[str]) -> dict:
    """Return the options of a solver from NAME=VALUE, values as JSON or else as text; ValueError for others."""
    solver, options = _NAMED[name], {}
    for setting in settings:
        option, _, value = setting.partition("=")
        if option not in solver.options or not value:
            possible = ", ".join(solver.options) or "no options"
            raise ValueError(f"--set {setting}: {name} takes {possible}, as NAME=VALUE")
        if option in options:
            raise ValueError(f"--set {setting}: {option} is set twice")
        try:
            options[option] = json.loads(value)
        except json.JSONDecodeError:
            options[option] = value
    if missing := [option for option in solver.required if option not in options]:
        raise ValueError(f"{name} needs --set {missing[0]}=VALUE")
    return options
