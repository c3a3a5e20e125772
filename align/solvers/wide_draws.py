"""Steps between two clouds of many dimensions on rows drawn anew for each: to grow a weight, and to average matches.

On all rows a weight that is right in part comes to rest at once: each row is sent where its neighbours are. Draws shake
it, and what is right outlasts them.
"""

import jax
import jax.numpy as jnp
from jax import lax

from align.solvers.wide_search import evenly, matched, semiorthogonal, usual_softness

# Growth: coordinates, softness, steps, and rows of either side drawn for each.
_GROWTH = (64, 0.1, 300, 750)
# Averages: steps, those before the mean is taken, and the softness against the usual one.
_STEPS, _BURNT, _HARDER = 30, 3, 0.55


@jax.jit
def grown(key: jax.Array, weight: jax.Array, source: jax.Array, target: jax.Array, anchors: jax.Array) -> jax.Array:
    """Take some 300 steps on a few rows in the leading coordinates, so that a weight that is right in part grows.

    Arguments as for `wide_search.refined`.
    """
    count, softness, steps, rows = _GROWTH
    full, (d, e) = weight, (min(count, z.shape[1]) for z in (source, target))
    source, target, anchors = source[:, :d], target[:, :e], anchors[:d, :e]

    def step(weight, rows):
        return semiorthogonal(matched(weight, *rows, anchors, softness)), None

    # An order drawn at random is as many draws as it has parts; sorting for each would take as long as the step.
    rows = min(rows, min(len(source), len(target)) // 2)
    parts = min(steps, min(len(source), len(target)) // rows)

    def through(weight, key):
        orders = zip(jax.random.split(key), (source, target), strict=True)
        drawn = [z[jax.random.permutation(k, len(z))[: parts * rows]].reshape(parts, rows, -1) for k, z in orders]
        return lax.scan(step, weight, drawn)

    weight = lax.scan(through, semiorthogonal(full[:d, :e]), jax.random.split(key, -(-steps // parts)))[0]
    return jnp.zeros_like(full).at[:d, :e].set(weight)


@jax.jit
def averaged(key: jax.Array, weight: jax.Array, source: jax.Array, target: jax.Array, anchors: jax.Array) -> jax.Array:
    """Return the weight that the mean of the matches between many draws leads to, of half of the smaller side's rows.

    Where rows are few, what a row is matched with depends on which others were drawn. Arguments as for
    `wide_search.refined`; all coordinates take part.
    """
    rows = min(len(source), len(target)) // 2
    even, softness = [evenly(z) for z in (source, target)], _HARDER * usual_softness(rows)

    def step(state, one):
        weight, mean = state
        i, key = one
        drawn = [
            z[jax.random.permutation(k, len(z))[:rows]]
            for k, z in zip(jax.random.split(key), (source, target), strict=True)
        ]
        moment = matched(weight, *drawn, anchors, softness)
        mean = mean + (moment - mean) / jnp.maximum(1, i - _BURNT + 1).astype(mean.dtype)
        return (semiorthogonal(even[0][:, None] * mean * even[1]), mean), None

    steps = jnp.arange(_STEPS), jax.random.split(key, _STEPS)
    return lax.scan(step, (weight, jnp.zeros_like(weight)), steps)[0][0]
