"""Alignment from class labels alone: no pair of samples, source and target codes may come from different images."""

from align.maps import AffineMap
from align.solvers import clouds
from align.solvers.icp import STEPS


def class_means(source, source_labels, target, target_labels, *, step="rigid") -> AffineMap:
    """Fit a step to the means of the classes that both sides have.

    source `[n, d_source]`, target `[m, d_target]`; labels `[n]`, `[m]` are concrete integers; step: "rigid", "linear",
    "affine" or a callable `(source, target)`. With fewer classes than dimensions the linear step is the map of minimum
    norm, and the rigid one is arbitrary outside the span of the means. Section 4.2.3 and Table 4 of the paper.
    ValueError for input that does not fit.
    """
    source, target = clouds.floats(source, target)
    if not callable(step) and step not in STEPS:
        raise ValueError(f"step must be callable or one of {', '.join(STEPS)}; it is {step!r}")
    *positions, count = clouds.shared(source, source_labels, target, target_labels)
    means = [clouds.means(a, p, count) for a, p in zip((source, target), positions, strict=True)]
    return STEPS.get(step, step)(*means)
