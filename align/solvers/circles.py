"""Several clouds at once: maps between all of them that agree around every circle, in what all of them hold.

Maps fitted pair by pair contradict each other: x → y → z need not be x → z. Were all right, each would be U_i U_jᵀ with
one orthogonal U_i from cloud i to a common space, so that the blocks W_ij of one symmetric matrix make up a matrix of
the rank of that space. Its leading eigenvectors, block by block, are the U_i that agree with all maps at once, in the
least-squares sense (synchronisation; Singer 2011). One failed map is outvoted by the ways round it: blocks are weighted
by how well they agree with the rest, and the eigenvectors taken again.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.products import matmul
from align.clouds import far_out
from align.linalg import lapack, threads
from align.linalg.decompositions import polar
from align.maps import AffineMap
from align.solvers.unpaired import unpaired

_ROUNDS = 10
# A link is no worse than three times what is typical, within these; two maps at random are 1 apart.
_LEAST_ALLOWED, _MOST = 0.05, 0.3


class Circles(NamedTuple):
    """Maps between several clouds, that compose to the identity around every circle.

    Through a cloud of fewer dimensions no more of a wider one comes back than its projection on what all share.

    hubs: one map per cloud into the common space, an isometry and a scale; means `[d_i]` of the clouds. pairs:
    `{(i, j): AffineMap}`, as fitted. disagreement `[clouds, clouds]`: 1 − cosine between a fitted map and the way
    through the common space, NaN on the diagonal: what is far above the rest has failed, and is repaired by the way
    round. trusted `[clouds]`: whether the cloud hangs together with the first by fitted maps that were trusted and that
    agree with the way through the common space; the first alone where trusted maps contradict each other so often that
    none is outvoted, as one that is wrong among three clouds is not.
    """

    hubs: tuple
    means: tuple
    pairs: dict
    disagreement: np.ndarray
    trusted: np.ndarray

    def between(self, i: int, j: int) -> AffineMap:
        """Return the map from cloud i to cloud j, by way of the common space."""
        return self.hubs[i].then(_back(self.hubs[j], self.means[j]))


def unpaired_many(key: jax.Array, clouds: Sequence[ArrayLike], **options: Any) -> Circles:
    """Fit maps between three or more clouds `[n_i, d_i]` of which nothing is known; options are those of `unpaired`.

    Every unordered pair is fitted once, the wider cloud as the target, and the maps are made to agree. Of the clouds'
    shapes only what all of them hold is used: the common space has the least of their dimensions. ValueError for fewer
    than three clouds, for those that `unpaired` does not take, and for one whose rows are all the same.
    """
    checks.check_key(key)
    if len(clouds) < 3:
        raise ValueError(f"clouds must be three or more for circles; they are {len(clouds)}")
    clouds = inputs.as_clouds(minimum_rows=2, **{f"clouds[{i}]": cloud for i, cloud in enumerate(clouds)})
    _check_vary(clouds)
    order = sorted(range(len(clouds)), key=lambda i: clouds[i].shape[1])
    pairs: dict[tuple[int, int], AffineMap] = {}
    for a, i in enumerate(order):
        for j in order[a + 1 :]:
            pairs[i, j] = unpaired(jax.random.fold_in(key, len(pairs)), clouds[i], clouds[j], **options)
    return agreed(clouds, pairs)


def agreed(clouds: Sequence[ArrayLike], pairs: dict[tuple[int, int], AffineMap]) -> Circles:
    """Make maps `{(i, j): AffineMap}` between clouds `[n_i, d_i]`, one of either direction of each pair, agree.

    A few rows that are far out are left out of scales and means, as `unpaired` does. ValueError for a cloud whose rows
    are all the same, which has no direction to map.
    """
    arrays = [jnp.asarray(c) for c in clouds]
    _check_vary(arrays)
    arrays = [far_out.without(array)[0] for array in arrays]
    # Whatever a caller's rules of promotion are.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"), threads.for_rows(*arrays):
        return jax.block_until_ready(_agreed(arrays, pairs))


def _check_vary(clouds):
    for i, cloud in enumerate(clouds):
        if not isinstance(cloud, jax.core.Tracer) and bool((cloud == cloud[:1]).all()):
            raise ValueError(f"clouds[{i}] must vary; all {len(cloud)} of its rows are the same")


def _agreed(clouds, pairs):
    sides = [_standard(cloud) for cloud in clouds]
    blocks = {(i, j): _block(sides[i], sides[j], fitted) for (i, j), fitted in pairs.items()}
    units, apart = _synchronised(blocks, [spreads for *_, spreads in sides])
    disagreement = np.full((len(clouds), len(clouds)), np.nan)
    for (i, j), value in apart.items():
        disagreement[i, j] = disagreement[j, i] = value
    hubs, means = tuple(map(_hub, clouds, sides, units)), tuple(cloud.mean(0) for cloud in clouds)
    return Circles(hubs, means, dict(pairs), disagreement, _hanging_together(pairs, apart, len(clouds)))


def _block(source, target, fitted):
    """Return a map between principal axes as an orthogonal one, axes weighted: what it does to noise is no matter."""
    (_, up, spreads), (_, up_there, _) = source, target
    weight = jnp.where(jnp.isfinite(fitted.weight).all(), fitted.weight, 0)  # what is no number, others outvote
    return _orthogonal(matmul(matmul(up.T, weight), up_there) * spreads[:, None])


def _synchronised(blocks, spreads):
    """Return a factor `[d, rank]` of each space, with products as near to the blocks as may be, and how far each is.

    blocks: `{(i, j): [d_i, d_j]}`. spreads: `[d_i]` of each space, which weigh. The factors are leading eigenvectors of
    the matrix of all blocks; the further a block was from the product of its factors, the less it counts in the next.
    """
    widths = [len(each) for each in spreads]
    first, rank = np.concatenate([[0], np.cumsum(widths)]), min(widths)
    weights, units, apart = dict.fromkeys(blocks, 1.0), [], {}
    for _ in range(_ROUNDS):
        whole = jnp.eye(first[-1], dtype=jnp.result_type(*blocks.values()))
        for (i, j), block in blocks.items():
            at = (slice(first[i], first[i + 1]), slice(first[j], first[j + 1]))
            whole = whole.at[at].set(weights[i, j] * block)
            whole = whole.at[at[::-1]].set(weights[i, j] * block.T)
        vectors = lapack.eigh(whole)[1][:, -rank:]
        units = [polar(vectors[first[i] : first[i + 1]].T)[0].T for i in range(len(spreads))]
        apart = {
            (i, j): float(1 - _cosine(spreads[i], block, matmul(units[i], units[j].T)))
            for (i, j), block in blocks.items()
        }
        typical = _typical(apart)
        weights = {pair: 1 / (1 + (value / (2 * typical)) ** 2) for pair, value in apart.items()}
    return units, apart


def _typical(apart):
    return max(float(np.median(list(apart.values()))), 1e-3)


def _hanging_together(pairs, apart, count):
    """Say which of the spaces `[N]` trusted maps link with the first, that agree with the others around circles."""
    most = min(max(3 * _typical(apart), _LEAST_ALLOWED), _MOST)
    believed, linked = np.eye(count, dtype=bool), np.eye(count, dtype=bool)
    for (i, j), value in apart.items():
        believed[i, j] = believed[j, i] = pairs[i, j].trusted is None or bool(pairs[i, j].trusted)
        linked[i, j] = linked[j, i] = believed[i, j] and value <= most
    trusted = linked[0]
    for _ in range(count):
        trusted = linked[trusted].any(0)
    # As many maps as make a tree agree whatever they are. Of those beyond, most must.
    tree = trusted.sum() - 1
    agreeing, beyond = (np.triu(links[np.ix_(trusted, trusted)], 1).sum() - tree for links in (linked, believed))
    if beyond and 2 * agreeing <= beyond:
        trusted = np.arange(count) == 0
    return trusted


def _standard(cloud):
    """Return the scale of a cloud `[n, d]`, its axes `[d, d]`, and the spreads `[d]` along them, of norm 1."""
    centred = cloud - cloud.mean(0)
    variances, axes = lapack.eigh(matmul(centred.T, centred) / len(cloud))
    scale = jnp.sqrt(variances.clip(0).sum())
    return scale, axes[:, ::-1], jnp.sqrt(variances[::-1].clip(0)) / scale


def _orthogonal(matrix):
    return polar(matrix)[0] if matrix.shape[0] <= matrix.shape[1] else polar(matrix.T)[0].T


def _cosine(spread, a, b):
    x, y = spread[:, None] * a, spread[:, None] * b
    return (x * y).sum() / jnp.sqrt((x**2).sum() * (y**2).sum())


def _hub(cloud, side, unit):
    scale, axes, spreads = side
    # The spread of what all spaces share: other dimensions of a wider cloud have no part in it.
    weight = matmul(axes, unit) / (scale * jnp.linalg.norm(spreads[:, None] * unit))
    return AffineMap(weight, -matmul(cloud.mean(0), weight))


def _back(hub, mean):
    """Return the map out of the common space, where the mean is zero: of an isometry and a scale, transposed."""
    squared = (hub.weight**2).sum() / hub.weight.shape[1]
    return AffineMap(hub.weight.T / squared, mean)
