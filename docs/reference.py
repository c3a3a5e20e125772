"""Write the API reference from the docstrings, as web pages: `python docs/reference.py [folder]`, build/reference."""

import importlib
import sys
import warnings
from pathlib import Path

import pdoc

FOLDER = Path(__file__).parents[1] / "build" / "reference"
# What a reader may want to import; the rest serves these. With a package come the modules that its `__all__` names.
MODULES = (
    "align",
    "align.evaluation",
    "align.drawing",
    "align.files",
    "align.networks",
    "align.sklearn",
)


def write(folder: Path) -> None:
    """Write a page for every module and a search over all; whatever cannot be documented is an error."""
    for name in MODULES:
        module = importlib.import_module(name)
        for member in getattr(module, "__all__", ()):  # what is loaded on first use only
            vars(module)[member] = getattr(module, member)
    pdoc.render.configure(docformat="markdown", footer_text="align", show_source=False)
    with warnings.catch_warnings(action="error", category=UserWarning):  # pdoc's word for what it cannot find
        pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    write(target)
    print(f"wrote {target / 'index.html'}")
