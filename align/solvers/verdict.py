"""Whether to believe a map that no pairs determine, and why."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from align.arrays.products import matmul
from align.clouds import coordinates
from align.linalg.components import independent, nearest_orthogonal
from align.linalg.third_moments import third_moments
from align.maps import AffineMap

REASONS = (
    "searches that started apart lead to the same map, and no other fits as well",
    "too few rows to tell",
    "the clouds look the same however they are turned",
    "the clouds are less alike under the map than under a right one",
    "several maps fit equally well: the clouds are symmetric, or nearly",
    "searches that started apart lead to different maps",
    "the map does not foretell the known pairs",
    "the map is no number",
)
# Rows of either side below which nothing is said.
FEWEST_ROWS = 32
# A score counts as better only by this many of its standard deviations.
DEVIATIONS = 4.0
# Differences of scores below this are those of samples of one distribution.
_RESOLVED = 0.05
# A map is another one where the cosine of its images with the chosen one's is below this. It fits as well where it
# lacks less than this share of what one that differs as much should: a random turn, of cosine 0, lacks all that the
# chosen one gains over chance, and six centres can nearly be laid over any other six.
_SAME, _AS_WELL = 0.8, 1 / 3
# Other maps that might fit as well: turns at random, and the map after a mirror, a half and a quarter turn of leading
# axes, which are the symmetries of boxes and of regular figures.
_TURNED, _MIRRORED, _TURNED_BY_QUARTERS = 6, 4, 2
# Where variances are equal, principal axes are any, and mirrors are told by independent components: of so many leading
# coordinates, from up to so many rows, so many of them. (As many as finalists, so that what is compiled serves both.)
_COMPONENTS, _ROWS, _MIRRORS = 8, 10_000, 3
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
    reason: an index into `verdict.REASONS`.
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
        told.append(f"agreement of independent searches {float(self.agreement):.2f}")
        told.append(f"discrepancy {float(self.contrast):.2f} of chance")
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
    against = [
        (7, ~finite),
        (1, (few | (~resolved & (rows < 10 * FEWEST_ROWS))) & ~speak),
        (2, ~resolved & ~speak),
        (3, ~(fit.contrast < most_contrast) & ~(speak & (pairs >= enough_pairs))),
        (4, (fit.alternatives > 0) & ~speak),
        (5, ~(fit.agreement >= least_agreement) & ~speak),
        (6, (pairs >= PAIRS_THAT_JUDGE) & ~(fit.left_out < LEFT_OUT)),
    ]
    reason = jnp.zeros((), jnp.int32)
    for code, holds in reversed(against):
        reason = jnp.where(holds, code, reason)
    trusted = reason == 0
    confidence = jnp.where(trusted, SURE, DOUBTFUL)
    if odds_scale is not None:
        odds = jax.nn.sigmoid((most_contrast - fit.contrast) / odds_scale)
        confidence = jnp.where(trusted & ~(speak & (pairs >= enough_pairs)), jnp.clip(odds, 0.5, SURE), confidence)
        nearly = (reason == 3) & (fit.agreement >= least_agreement)
        confidence = jnp.where(nearly, jnp.clip(odds, DOUBTFUL, 0.5), confidence)
    return fit._replace(reason=reason, confidence=confidence), trusted


def cosine(a: jax.Array, b: jax.Array) -> jax.Array:
    """Return the cosine between two clouds of images `[..., n, d]` in correspondence, each about its mean."""
    a, b = (x - x.mean(-2, keepdims=True) for x in (a, b))
    return (a * b).sum((-2, -1)) / jnp.sqrt((a**2).sum((-2, -1)) * (b**2).sum((-2, -1)))


@functools.partial(jax.jit, static_argnames="whitening")
def turned(key: jax.Array, source: jax.Array, target: jax.Array, fitted: AffineMap, *, whitening: float) -> AffineMap:
    """Return maps that a symmetric cloud would fit as well, `[symmetries + turns, d_source, d_target]`."""
    a, b = coordinates.principal_of_both(source, target, whitening=whitening)
    weight = coordinates.express(a, fitted, b).weight
    width, count = len(weight), min(_MIRRORED, source.shape[1])
    identity = jnp.eye(width, dtype=weight.dtype)
    symmetries = [identity.at[i, i].set(-1) for i in range(count)]
    for i in range(min(count - 1, _TURNED_BY_QUARTERS)):
        symmetries.append(matmul(symmetries[i], symmetries[i + 1]))
        symmetries.append(symmetries[i][:, jnp.arange(width).at[jnp.array([i, i + 1])].set(jnp.array([i + 1, i]))])
    turns = nearest_orthogonal(jax.random.normal(key, (_TURNED, width, width), weight.dtype))
    weights = jnp.concatenate([matmul(jnp.stack(symmetries), weight), matmul(turns, weight)])
    return jax.vmap(lambda w: coordinates.conjugate(a, w, b))(weights)


@functools.partial(jax.jit, static_argnames="whitening")
def mirrored(key: jax.Array, source: jax.Array, target: jax.Array, fitted: AffineMap, *, whitening: float) -> AffineMap:
    """Return the map after the mirrors that are closest to symmetries of the source, `[mirrors, d_source, d_target]`.

    They turn an independent component of the leading coordinates, or swap two, with their signs or without. Of those
    that make another map, the ones that second and third moments speak least against.
    """
    white, _ = coordinates.principal_of_both(source, target, whitening=1.0)
    count = min(_COMPONENTS, source.shape[1])
    row_key, start_key = jax.random.split(key)
    rows = white.spread * white(source[jax.random.permutation(row_key, len(source))[:_ROWS]])[:, :count]
    axes = independent(start_key[None], rows)[0]
    first, second = (axes[i] for i in jnp.triu_indices(count, 1))
    normals = jnp.concatenate([axes, (first - second) / math.sqrt(2), (first + second) / math.sqrt(2)])

    # Of a symmetric cloud all moments vanish that are odd along the normal u: T(u, u, u), and T(u, v, w) with v, w ⊥ u.
    once = matmul(normals, third_moments(rows).reshape(count, -1)).reshape(-1, count, count)
    twice = matmul(once, normals[..., None])[..., 0]
    cube = (twice * normals).sum(1) ** 2
    odd = cube + 3 * ((once**2).sum((1, 2)) - 2 * (twice**2).sum(1) + cube)
    variances = (white.up**2).sum(1)
    along = matmul(normals**2, variances[:count])
    uneven = matmul(normals**2, variances[:count] ** 2) / along**2 - 1  # how far from a principal axis of its own
    another = 2 * along / variances.sum() > 1 - _SAME
    chosen = normals[jnp.argsort(jnp.where(another, odd + uneven, jnp.inf))[:_MIRRORS]]

    # The rigid map that comes closest, between coordinates in which spreads count.
    a, b = coordinates.principal_of_both(source, target, whitening=whitening)
    chosen = jnp.pad(chosen, ((0, 0), (0, len(a.up) - count)))
    across, back = (matmul(chosen, matmul(*m)) for m in ((white.down.T, a.up.T), (white.up, a.down)))
    mirrors = nearest_orthogonal(jnp.eye(len(a.up), dtype=a.up.dtype) - 2 * across[:, :, None] * back[:, None])
    weight = coordinates.express(a, fitted, b).weight
    return jax.vmap(lambda m: coordinates.conjugate(a, matmul(m, weight), b))(mirrors)


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
    as_good = (scores < score + lacking) & (alike < _SAME)
    contrast = 1 - (chance - score) / jnp.maximum(chance, _RESOLVED)
    return contrast, _different(as_good, images), chance - score > DEVIATIONS * spread


def _different(chosen, images):
    """Count the chosen maps that differ from each other, by their images `[maps, n, d]`."""
    alike = jax.vmap(lambda image: cosine(images, image))(images) > _SAME
    earlier = jnp.tril(jnp.ones(alike.shape, bool), -1)
    return (chosen & ~(alike & earlier & chosen).any(1)).sum()
