"""Names of what crosses between encoders, and of what takes the place of a cloud; known before anything is imported."""

# Of methods, those that know the pairs alone.
PAIRED = ("procrustes", "ridge")
METHODS = ("unpaired", *PAIRED)
CONTROLS = ("gaussian", "shuffled", "independent", "images")
