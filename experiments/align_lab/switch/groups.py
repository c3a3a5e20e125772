"""Names of what is compared when an encoder is swapped; known before anything is imported."""

TABLE, TABLE_OF_TEXTS = "encoder_switch", "embedding_switch"
TOP = 10  # documents that a query is to find
OLD, NO_MAP = "old encoder", "no map"
# What is compared, in the order in which it is done: families and the choice among them, then what takes longer.
GROUPS = {
    "bars": (OLD, NO_MAP),
    "families": (
        "rotation",
        "similarity",
        "ridge",
        "ridge, reversed",
        "reweighted",
        "graded ridge",
    ),
    "auto": ("auto",),
    "solvers": ("rigid",),
    "unpaired": ("unpaired",),
    "clouds": ("auto, clouds",),
    "peers": ("low-rank affine", "residual network", "isotrieve"),
}
# What is left out unless a package is there, by the module of it.
NEEDS = {"isotrieve": "isotrieve"}
