# What `__init__.py` loads on first use, for type checkers.

from align import (
    anchors,
    checkpoints,
    data,
    metrics,
    models,
    paper,
    relative,
    rows,
    search,
    solvers,
    stitching,
    streaming,
    training,
)
from align.maps import AffineMap

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
