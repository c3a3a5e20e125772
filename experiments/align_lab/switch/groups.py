"""Names of what is compared when an encoder is swapped; known before anything is imported."""

TABLE = "encoder_switch"
# What is compared, in the order in which it is done: families and the choice among them, then what takes longer.
GROUPS = {
    "bars": ("old encoder", "no map"),
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
