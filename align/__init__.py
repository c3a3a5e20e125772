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


def __getattr__(name):
    if name == "AffineMap":
        return importlib.import_module("align.maps").AffineMap
    if name in __all__:
        return importlib.import_module(f"align.{name}")
    raise AttributeError(f"module 'align' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
