"""Names of what crosses between encoders, and of what takes the place of a cloud; known before anything is imported."""

TABLE = "encoders"
# Of methods, those that know the pairs alone.
PAIRED = ("procrustes", "ridge")
# Of methods, those that can know no pairs.
UNAIDED = ("mini-vec2vec",)
METHODS = ("unpaired", *PAIRED, *UNAIDED, "centroids", "self-learning")
# What is left out unless a package is there, by the module of it.
NEEDS = {"mini-vec2vec": "sklearn", "centroids": "sklearn"}
CONTROLS = ("gaussian", "shuffled", "independent", "images")
# Texts of another kind by the target's encoder: a map that is found all the same may be right. Which they are follows.
OTHERS = "others"
