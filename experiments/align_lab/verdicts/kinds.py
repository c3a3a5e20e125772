"""Kinds of clouds, by name; `shapes` draws them."""

# The one kind that can be solved; nothing determines a map between the others.
SOLVABLE = "arms"
# A kind's place seeds its draws: a new one goes last.
KINDS = (
    "Gaussian",
    "Gaussian, uneven",
    "cube",
    "sphere",
    "four equal clusters",
    "unrelated clusters",
    "mirrored",
    "constant",
    "duplicates",
    SOLVABLE,
    "Gaussian, decaying",
    "Gaussian, few directions",
)
