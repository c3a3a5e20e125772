"""Which networks are alike: distances between their codes, and whether these foretell how well maps carry codes."""

import time
from collections.abc import Callable, Sequence
from itertools import combinations, permutations

import jax.numpy as jnp
import numpy as np

from align import evaluation, metrics, models, solvers
from align_lab.many.agreements import gathered
from align_lab.many.many_plans import ALIKE, Likeness, columns
from align_lab.store import Store

SECONDS = 1.5  # of an ordered pair on two cores, to weigh a progress bar


def rows(likeness: Likeness) -> list[dict]:
    """List the rows that are asked for, one a network, without what is measured."""
    known = {"table": ALIKE, **columns(likeness.spaces)}
    return [{**known, "network": f"{space.model} {seed}"} for space in likeness.spaces for seed in space.seeds]


def cost(likeness: Likeness, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    asked = rows(likeness)
    return SECONDS * len(asked) * (len(asked) - 1) if store.missing(asked) else 0.0


def work(likeness: Likeness, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows that are not there yet, all at once.

    own: error of a network by itself; procrustes, cka: its mean distance to the others, on the test images; into,
    out_of: mean errors of rigid maps of all training images, from the others to its decoder and from it to theirs.
    """
    asked = rows(likeness)
    if not store.missing(asked):
        return
    began = time.perf_counter()
    ends, images = gathered(likeness, store), jnp.asarray(store.data(likeness.spaces[0].dataset).test.images)
    decoders = [models.decoder_of(end.model, end.params) for end in ends]

    def error(place, codes):
        return float(evaluation.reconstruction_error(*decoders[place], codes, images))

    tests, errors = [jnp.asarray(end.test) for end in ends], np.full((len(ends), len(ends)), np.nan)
    for i, j in permutations(range(len(ends)), 2):
        errors[i, j] = error(j, solvers.rigid(ends[i].train, ends[j].train)(tests[i]))
        advance(1 / (errors.size - len(ends)))
    apart = {name: matrix.sum(1) / (len(ends) - 1) for name, matrix in distances(tests).items()}
    seconds = round((time.perf_counter() - began) / len(ends), 2)
    found = [
        {
            **row,
            "own": error(place, tests[place]),
            "procrustes": float(apart["Procrustes"][place]),
            "cka": float(apart["CKA"][place]),
            "into": float(np.nanmean(errors[:, place])),
            "out_of": float(np.nanmean(errors[place])),
            "seconds": seconds,
        }
        for place, row in enumerate(asked)
    ]
    missing = {row["network"] for row in store.missing(asked)}
    store.add([row for row in found if row["network"] in missing])


def distances(codes: Sequence) -> dict[str, np.ndarray]:
    """Give distances `[networks, networks]` between codes `[n, d]` of the same images, by two measures.

    Procrustes: what the similarity from one to the other leaves, over the spread; √(1 − R²) is the same both ways. CKA:
    the angle whose cosine it is, over a right one.
    """
    found = {"Procrustes": np.zeros((len(codes), len(codes))), "CKA": np.zeros((len(codes), len(codes)))}
    for i, j in combinations(range(len(codes)), 2):
        found["Procrustes"][i, j] = float(solvers.similarity(codes[i], codes[j]).residual)
        cka = min(1.0, float(metrics.linear_cka(codes[i], codes[j])))
        found["CKA"][i, j] = float(np.arccos(cka) / (np.pi / 2))
    return {name: each + each.T for name, each in found.items()}
