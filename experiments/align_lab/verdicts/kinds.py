"""Kinds of clouds, by name; `shapes` draws them."""

# Those that nothing determines a map between, and one that can be solved.
UNSOLVABLE = (
    "Gaussian",
    "Gaussian, uneven",
    "cube",
    "sphere",
    "four equal clusters",
    "unrelated clusters",
    "mirrored",
    "constant",
    "duplicates",
)
SOLVABLE = "arms"
KINDS = (*UNSOLVABLE, SOLVABLE)
