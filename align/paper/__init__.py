"""The paper's numbers, and ours beside them: Tables 1 to 6 as data, and the mean and deviation of rows cell by cell."""

from align.paper.beside import Summary, comparison, key_of, summarise
from align.paper.printed import (
    ANCHOR_SETTINGS,
    ARCHITECTURE_SETTINGS,
    CELLS,
    LATENTS,
    MNIST_FLOOR,
    Key,
    Printed,
)

__all__ = [
    "ANCHOR_SETTINGS",
    "ARCHITECTURE_SETTINGS",
    "CELLS",
    "LATENTS",
    "MNIST_FLOOR",
    "Key",
    "Printed",
    "Summary",
    "comparison",
    "key_of",
    "summarise",
]
