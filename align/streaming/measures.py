"""How alike two spaces are, from a record alone."""

import numpy as np

from align.arrays import checks
from align.streaming.record import Statistics, check_statistics, checked, target_squares


def canonical_correlations(statistics: Statistics) -> np.ndarray:
    """Return the canonical correlations, descending, `[min(d_source, d_target)]`, those of unused dimensions zero."""
    statistics = _with_target_moments(statistics)
    halves = []
    for moment in (statistics.source, statistics.target):
        values, vectors = np.linalg.eigh(moment)
        keep = values > len(values) * np.finfo(values.dtype).eps * values[-1]
        halves.append(vectors * np.where(keep, 1 / np.sqrt(np.where(keep, values, 1)), 0))
    return np.clip(np.linalg.svd(halves[0].T @ statistics.cross @ halves[1], compute_uv=False), 0, 1)


@np.errstate(invalid="ignore", divide="ignore")  # a constant set has no alignment: NaN
def linear_cka(statistics: Statistics) -> float:
    """Return the linear centred kernel alignment (Kornblith et al. 2019), biased, in [0, 1]; NaN of a constant set."""
    statistics = _with_target_moments(statistics)
    largest = [np.abs(moment).max() for moment in (statistics.source, statistics.target)]  # whose squares may overflow
    source, target = statistics.source / largest[0], statistics.target / largest[1]
    cross = statistics.cross / np.sqrt(largest[0]) / np.sqrt(largest[1])
    return float(np.minimum(np.sum(cross**2) / (np.linalg.norm(source) * np.linalg.norm(target)), 1))


@np.errstate(invalid="ignore", divide="ignore")
def procrustes_distance(statistics: Statistics, *, normalise: bool = True) -> float:
    """Return the least ‖source Q − target‖ over orthogonal Q after centring and, unless told not to, unit norms.

    As a difference of moments it resolves distances down to about 1e-8 of the norms. NaN of a constant set, unless told
    not to.
    """
    checks.check_flags(normalise=normalise)
    statistics = checked(statistics)
    aligned = np.linalg.svd(statistics.cross, compute_uv=False).sum()
    squares = np.trace(statistics.source), target_squares(statistics).sum()
    if normalise:
        return float(np.sqrt(max(2 - 2 * aligned / np.sqrt(squares[0]) / np.sqrt(squares[1]), 0)))
    return float(np.sqrt(max(sum(squares) - 2 * aligned, 0)))


def _with_target_moments(statistics):
    check_statistics(statistics)
    if statistics.target.ndim != 2:
        raise ValueError("statistics must have the target's second moments; they were made with target_moments=False")
    return checked(statistics)
