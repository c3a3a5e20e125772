"""Which samples serve as anchors: each strategy chooses from the source latents alone.

Every one is called as `strategy(key, latents, count)`, latents `[n, d]`, and returns the indices of `count` different
rows, `[count]`; pure, and jit-able with `count` static. ValueError for a count that is not between 1 and n, and for
concrete latents that are not finite.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from align import checks
from align.solvers import inputs, lapack
from align.solvers.kmeans import kmeans as _cluster
from align.solvers.neighbours import nearest

_product = functools.partial(jnp.matmul, precision=lax.Precision.HIGHEST)


def random(key, latents, count):
    """Choose at random, every sample as likely: the paper's anchors."""
    latents = _checked(latents, count)
    return jax.random.choice(key, latents.shape[0], (count,), replace=False)


def class_balanced(key, latents, count, *, labels):
    """Choose at random, from every class as many as from any other as far as count and classes allow.

    labels: `[n]` integers.
    """
    latents, labels = _checked(latents, count), inputs.as_array("labels", labels)
    if labels.shape != latents.shape[:1]:
        raise ValueError(f"labels must be [{latents.shape[0]}], one per row of latents; they are {labels.shape}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers; their dtype is {labels.dtype}")
    # Shuffle each class and number its members: the first of every class come first, then the second, and so on.
    shuffle, tie = jax.random.uniform(key, (2, *labels.shape))
    by_class = jnp.lexsort((shuffle, labels))
    grouped = labels[by_class]
    number = jnp.arange(len(labels)) - jnp.searchsorted(grouped, grouped)
    return by_class[jnp.lexsort((tie, number))[:count]]


def farthest_point(key, latents, count):
    """Choose the sample farthest from those chosen before, the first at random (Gonzalez 1985).

    Covers the cloud to its rim, outliers first.
    """
    latents = _checked(latents, count)

    def choose(distances, _):
        index = jnp.argmax(distances)
        distances = jnp.minimum(distances, ((latents - latents[index]) ** 2).sum(1))
        return distances.at[index].set(-1), index  # below every distance: not even a duplicate brings it back

    first = jax.random.randint(key, (), 0, latents.shape[0])
    start = jnp.full(latents.shape[0], jnp.finfo(latents.dtype).max).at[first].set(jnp.inf)
    return lax.scan(choose, start, length=count)[1]


def kmeans(key, latents, count, *, iterations=20):
    """Choose the sample nearest to each centroid of k-means."""
    latents = _checked(latents, count)
    _check_iterations(iterations)

    def choose(taken, centroid):
        index = jnp.argmin(jnp.where(taken, jnp.inf, ((latents - centroid) ** 2).sum(1)))
        return taken.at[index].set(True), index

    centroids = _cluster(key, latents, count, iterations=iterations).centroids
    return lax.scan(choose, jnp.zeros(latents.shape[0], bool), centroids)[1]


def neighbourhoods(key, latents, count, *, size=50, iterations=20):
    """Choose the `size` samples nearest to each centroid of k-means: indices `[count, size]`.

    Their averages are anchors with less noise than single samples have; take them in both spaces:
    `source[indices].mean(1)` and `target[indices].mean(1)`. One sample may serve several anchors.
    """
    latents = _checked(latents, count)
    _check_iterations(iterations)
    if not checks.is_whole(size, most=latents.shape[0]):
        raise ValueError(f"size must lie between 1 and the {latents.shape[0]} latents; it is {size!r}")
    return nearest(_cluster(key, latents, count, iterations=iterations).centroids, latents, count=size)[0]


def leverage(key, latents, count):
    """Choose at random without replacement, with probabilities proportional to the leverage.

    The leverage of a sample is the diagonal of the hat matrix of the affine fit (Drineas et al. 2006).
    """
    design = _design(_checked(latents, count))
    # The largest of log-weights plus Gumbel noise are a weighted sample without replacement.
    return lax.top_k(jnp.log((design**2).sum(1)) + jax.random.gumbel(key, design.shape[:1], design.dtype), count)[1]


def d_optimal(key, latents, count, *, prior=1e-3):
    """Choose greedily what adds most to the determinant of the affine fit's information matrix.

    prior: information that is there at first, in samples' worth per dimension; it keeps the matrix invertible while
    there are fewer anchors than dimensions. Draws nothing: the key is there for the sake of the contract.
    """
    del key
    if not checks.is_positive(prior):
        raise ValueError(f"prior must be positive; it is {prior!r}")
    design = _design(_checked(latents, count))

    # Adding row x multiplies the determinant by 1 + x' M⁻¹ x, and M⁻¹ loses v v' / (1 + x' M⁻¹ x), v = M⁻¹ x.
    def choose(state, _):
        inverse, gains = state
        index = jnp.argmax(gains)
        direction = _product(inverse, design[index]) / jnp.sqrt(1 + gains[index])
        gains = gains - _product(design, direction) ** 2
        return (inverse - jnp.outer(direction, direction), gains.at[index].set(-jnp.inf)), index

    start = jnp.eye(design.shape[1], dtype=design.dtype) / prior
    return lax.scan(choose, (start, (design**2).sum(1) / prior), length=count)[1]


def _design(latents):
    """Return whitened latents and a column of ones `[n, d + 1]`: information I / n per sample on average."""
    centred = latents - latents.mean(0)
    covariance = _product(centred.T, centred) / latents.shape[0]
    values, vectors = lapack.eigh(covariance)
    keep = values > latents.shape[1] * jnp.finfo(latents.dtype).eps * values[-1]
    white = _product(centred, vectors * jnp.where(keep, lax.rsqrt(jnp.where(keep, values, 1)), 0))
    return jnp.concatenate([white, jnp.ones_like(white[:, :1])], axis=1)


def _checked(latents, count):
    latents = inputs.as_array("latents", latents)
    if latents.ndim != 2 or 0 in latents.shape:
        raise ValueError(f"latents must be [rows, dimensions], at least one of each; they are {latents.shape}")
    if not checks.is_whole(count, most=latents.shape[0]):
        raise ValueError(f"count must lie between 1 and the {latents.shape[0]} latents; it is {count!r}")
    latents = latents.astype(inputs.float_dtype(latents=latents))
    inputs.finite(latents=latents)
    return latents


def _check_iterations(iterations):
    if not checks.is_whole(iterations, least=0):
        raise ValueError(f"iterations must be a whole number from 0; it is {iterations!r}")
