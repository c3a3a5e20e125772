"""Whether to believe a map that no pairs determine, and why."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

REASONS = (
    "searches that started apart lead to the same map, and no other fits as well",
    "too few rows to tell",
    "the clouds look the same however they are turned",
    "the clouds are less alike under the map than under a right one",
    "several maps fit equally well: the clouds are symmetric, or nearly",
    "searches that started apart lead to different maps",
    "the map does not foretell the known pairs",
    "the map is no number",
    "the known pairs are foretold where they are left out, and stand for what the clouds do not say",
)
_FORETOLD = len(REASONS) - 1  # of the reasons, beside the first, to trust a map
# Rows of either side below which nothing is said.
FEWEST_ROWS = 32
# A score counts as better only by this many of its standard deviations.
DEVIATIONS = 4.0
# Differences of scores below this are those of samples of one distribution.
_RESOLVED = 0.05
# A map is another one where the cosine of its images with the chosen one's is below this. It fits as well where it
# lacks less than this share of what one that differs as much should: a random turn, of cosine 0, lacks all that the
# chosen one gains over chance, and six centres can nearly be laid over any other six.
SAME, _AS_WELL = 0.8, 1 / 3
# Known pairs from which their left-out error judges: above the one share of their spread against a map, below the
# other, where it explains half of the variance, for it whatever else is found.
PAIRS_THAT_JUDGE, LEFT_OUT, FORETOLD = 20, 0.9, 0.7
# The confidence in maps that are trusted, and in those that are not.
SURE, DOUBTFUL = 0.99, 0.05


class UnpairedFit(NamedTuple):
    """What was tried, and what speaks for and against the result.

    scores: `[candidates]` of the coarse search: third moments laid over each other where there are many dimensions
    (greater is better), else `discrepancy`. final: `[finalists]`, the `discrepancy` of what the best of them became.
    unrelated: `[turns]`, that of random rotations. contrast: the least of `final` over the median of `unrelated`, 1
    where chance cannot tell them apart. agreement: the greatest cosine between the images of the source under the map
    and under one from another start, on other rows where there are enough. alternatives: how many different maps fit
    equally well. left_out: error of known pairs left out of what corrects the map, over their spread, a little
    optimistic, for pairs help to find the map too; NaN without pairs.
    confidence: that the map is right: 0.99 where trusted, and 0.05 where not, though of maps that are refused for few
    rows or few dimensions more are right; beyond 128 dimensions, the odds of the contrast, between these.
    reason: an index into `verdict.REASONS`, of which the first and the last speak for the map.
    """

    scores: jax.Array
    final: jax.Array
    unrelated: jax.Array
    contrast: jax.Array
    agreement: jax.Array
    alternatives: jax.Array
    left_out: jax.Array
    confidence: jax.Array
    reason: jax.Array

    @property
    def explanation(self) -> str:
        """Say in words what the verdict rests on."""
        told = [REASONS[int(self.reason)]]
        if jnp.isfinite(self.agreement):
            told.append(f"agreement of independent searches {float(self.agreement):.2f}")
        if jnp.isfinite(self.contrast):
            told.append(f"discrepancy {max(float(self.contrast), 0):.2f} of chance")  # of few rows it may be below 0
        if int(self.alternatives):
            told.append(f"{int(self.alternatives)} other maps fit equally well")
        if jnp.isfinite(self.left_out):
            told.append(f"left-out error of the known pairs {float(self.left_out):.2f}")
        return "; ".join(told)

    def summary(self) -> dict[str, float | int | str | None]:
        """Give the evidence as plain values, None where there is none."""
        names = ("confidence", "agreement", "contrast", "left_out")
        values = {name: round(float(getattr(self, name)), 4) for name in names}
        plain = {name: value if math.isfinite(value) else None for name, value in values.items()}
        return {"verdict": self.explanation, **plain, "alternatives": int(self.alternatives)}


def unjudged(**evidence: jax.Array) -> UnpairedFit:
    """Return the evidence without a verdict."""
    nothing = jnp.full((), jnp.nan)
    return UnpairedFit(**evidence, left_out=nothing, confidence=nothing, reason=jnp.zeros((), jnp.int32))


@functools.partial(jax.jit, static_argnames="odds_scale")
def judged(
    fit: UnpairedFit,
    *,
    rows: int,
    resolved: jax.Array,
    finite: jax.Array,
    most_contrast: float | jax.Array,
    least_agreement: float,
    fewest: int = FEWEST_ROWS,
    pairs: int = 0,
    enough_pairs: int = PAIRS_THAT_JUDGE,
    odds_scale: float | None = None,
    foretold: jax.Array | None = None,
) -> tuple[UnpairedFit, jax.Array]:
    """Return the details with reason and confidence, and whether to trust the map.

    rows: of the smaller side; resolved: whether the map's discrepancy is below chance beyond sampling; finite: whether
    the map is of numbers; fewest: rows of the smaller side below which nothing is said; enough_pairs: from
    how many on what they say stands for the contrast too; odds_scale: how far below `most_contrast` a map is right
    e times as often as not, where the contrast tells, or None; foretold: the error of pairs left out of all that led
    to a map, where `left_out` is not that.
    """
    few = jnp.asarray(rows < fewest)
    foretold = fit.left_out if foretold is None else foretold
    speak = (pairs >= PAIRS_THAT_JUDGE) & (foretold < FORETOLD)  # pairs that the map foretells stand for the rest
    unsaid = [  # by the clouds, and where pairs stand for it
        (1, few | (~resolved & (rows < 10 * FEWEST_ROWS)), speak),
        (2, ~resolved, speak),
        (3, ~(fit.contrast < most_contrast), speak & (pairs >= enough_pairs)),
        (4, fit.alternatives > 0, speak),
        (5, ~(fit.agreement >= least_agreement), speak),
    ]
    against = [(7, ~finite), *((code, holds & ~stands) for code, holds, stands in unsaid)]
    against.append((6, (pairs >= PAIRS_THAT_JUDGE) & ~(fit.left_out < LEFT_OUT)))
    reason = jnp.where(jnp.stack([holds for _, holds, _ in unsaid]).any(), jnp.int32(_FORETOLD), jnp.int32(0))
    for code, holds in reversed(against):
        reason = jnp.where(holds, code, reason)
    trusted = (reason == 0) | (reason == _FORETOLD)
    confidence = jnp.where(trusted, SURE, DOUBTFUL)
    if odds_scale is not None:
        odds = jax.nn.sigmoid((most_contrast - fit.contrast) / odds_scale)
        confidence = jnp.where(trusted & ~(speak & (pairs >= enough_pairs)), jnp.clip(odds, 0.5, SURE), confidence)
        nearly = (reason == 3) & (fit.agreement >= least_agreement)
        confidence = jnp.where(nearly, jnp.clip(odds, DOUBTFUL, 0.5), confidence)
    return fit._replace(reason=reason, confidence=confidence), trusted


def contrast(score: jax.Array, chance: jax.Array) -> jax.Array:
    """Return a discrepancy over that of random turns, as far as these tell two distributions apart."""
    return 1 - (chance - score) / jnp.maximum(chance, _RESOLVED)


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return the cosine between two clouds of images `[..., n, d]` in correspondence, each about its mean."""
    a, b = (x - x.mean(-2, keepdims=True) for x in (a, b))
    # In units of the largest entry: neither squares nor their product leave the range of the numbers.
    a, b = (x / jnp.maximum(jnp.abs(x).max((-2, -1), keepdims=True), jnp.finfo(x.dtype).tiny) for x in (a, b))
    products = (a * b).sum((-2, -1)) / jnp.sqrt((a**2).sum((-2, -1)) * (b**2).sum((-2, -1)))
    return jnp.clip(products, -1, 1)  # rounding may lead beyond


@jax.jit
def doubts(
    score: jax.Array,
    image: jax.Array,
    unrelated: jax.Array,
    spread: jax.Array,
    others: tuple[jax.Array, jax.Array],
    mirrors: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the contrast of a score with chance, how many other maps fit as well, and whether it is below chance.

    image `[n, d]`: where the map sends some rows; unrelated `[turns]`: scores of random turns; spread: by how much
    scores scatter; others, mirrors: the scores `[maps]` and images `[maps, n, d]` of other maps, those that need not be
    symmetries of the cloud and those that are where it has some. The latter fit as well only where scatter could be why
    they do not quite: components that differ a little are to be told apart.
    """
    chance = jnp.median(unrelated)
    scores, images = (jnp.concatenate(both) for both in zip(others, mirrors, strict=True))
    alike = cosine(images, image)
    share = jnp.where(jnp.arange(len(scores)) < len(others[0]), _AS_WELL, 0)
    lacking = jnp.maximum(DEVIATIONS * spread, share * (1 - alike) * (chance - score))
    as_good = (scores < score + lacking) & (alike < SAME)
    return contrast(score, chance), _different(as_good, images), chance - score > DEVIATIONS * spread


def _different(chosen, images):
    """Count the chosen maps that differ from each other, by their images `[maps, n, d]`."""
    alike = jax.vmap(lambda image: cosine(images, image))(images) > SAME
    earlier = jnp.tril(jnp.ones(alike.shape, bool), -1)
    return (chosen & ~(alike & earlier & chosen).any(1)).sum()
