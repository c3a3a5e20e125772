"""Align the latent spaces of independently trained networks by closed-form maps.

    from align import solvers
    fitted = solvers.rigid(source, target)  # rows of the two arrays correspond
    fitted(x)                               # codes of the source network, in the target's space

Everything is loaded on first use: `import align` costs nothing, and `align.solvers` needs jax and numpy alone.
"""

import importlib

__all__ = [
    "AffineMap",
    "anchors",
    "checkpoints",
    "data",
    "metrics",
    "models",
    "paper",
    "relative",
    "rows",
    "search",
    "solvers",
    "stitching",
    "streaming",
    "training",
]
# Not for `from align import *`: they need more packages, or serve the others.
_FURTHER = ("drawing", "evaluation", "files", "maps", "networks", "sklearn")


def __getattr__(name):
    if name == "AffineMap":
        return importlib.import_module("align.maps").AffineMap
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("align-latents")
    if name in (*__all__, *_FURTHER):
        return importlib.import_module(f"align.{name}")
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__, *_FURTHER, "__version__"])
