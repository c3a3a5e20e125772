"""The command `align`, on files of embeddings: fit a map, apply it, score it, look at it."""
