"""Which samples serve as anchors: each strategy chooses from the source latents alone.

Every one is called as `strategy(key, latents, count)`, latents `[n, d]`, and returns the indices of `count` different
rows, `[count]`; but `neighbourhoods` those of several rows for each anchor, `[count, size]`. Pure, and jit-able with
`count` static. ValueError for a count that is not between 1 and n, and for concrete latents that are not finite.
"""

from align.anchors.chance import class_balanced, random
from align.anchors.coverage import farthest_point, kmeans, neighbourhoods
from align.anchors.designs import d_optimal, leverage

__all__ = [
    "class_balanced",
    "d_optimal",
    "farthest_point",
    "kmeans",
    "leverage",
    "neighbourhoods",
    "random",
]
