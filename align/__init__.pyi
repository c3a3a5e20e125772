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
from align import drawing as drawing
from align import evaluation as evaluation
from align import files as files
from align import maps as maps
from align import networks as networks
from align import sklearn as sklearn
from align.maps import AffineMap

__version__: str

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
