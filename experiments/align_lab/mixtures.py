"""Networks that were trained in different ways: told apart, and a word on pages that take them together."""

import json
from collections.abc import Iterable

# What stands among the settings of a row and is none of the training: the number of a run, the images of a cloud.
BESIDES = ("run", "cloud")


def trained(row: dict) -> dict[str, str]:
    """Say how the networks at the ends of a row were trained: the settings by architecture, source first, as JSON."""
    settings = _training(row)
    ends = (row["source_model"], row["target_model"])
    return {model: json.dumps(settings.get(model, settings), sort_keys=True) for model in ends}


def named(trainings: Iterable[str]) -> dict[str, str]:
    """Name trainings, as `trained` gives them, by the settings that they do not share; "" for a single one."""
    found = {text: json.loads(text) for text in trainings}
    names = dict.fromkeys(name for settings in found.values() for name in settings)
    apart = [name for name in names if len({repr(settings.get(name)) for settings in found.values()}) > 1]
    return {
        text: ", ".join(f"{name.replace('_', ' ')} {settings.get(name)}" for name in apart)
        for text, settings in found.items()
    }


def warning(rows: Iterable[dict]) -> list[str]:
    """Give a paragraph where rows were made with different settings, whichever cells they are of, nothing where none.

    Runs of one method, which have their number among the settings, are no different settings; nor are rows without a
    cloud and rows of one.
    """
    rows = list(rows)
    trainings = {json.dumps(_training(row), sort_keys=True) for row in rows}
    clouds = {row["settings"].get("cloud") for row in rows} - {None, 0}
    if max(len(trainings), len(clouds)) < 2:
        return []
    words = "have been made with different settings, and are taken together below; results of one training need a"
    return [f"**Some of these {len(rows):,} results {words} folder of their own (`--results`).**", ""]


def _training(row):
    return {name: value for name, value in row["settings"].items() if name not in BESIDES}
