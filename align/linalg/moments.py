"""Centred second moments of corresponding rows, in one pass and as accurate at 10 million rows as at a thousand."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.linalg.care import with_care

# Long enough for the product to run at full speed, short enough that its float32 sums stay accurate and in cache.
_BLOCK = 1024


class Moments(NamedTuple):
    """Sums over rows, about the means.

    total: sum of the weights; cross: `[d_source, d_target]`.
    source: `[d_source, d_source]`, or None where it was not asked for.
    source_squares: `[d_source]` and target_squares: `[d_target]`, the sums of squares per dimension.
    The means are kept as a shift and what is left of the mean after it, so that `centred` rows carry the rounding of
    their spread and not that of their mean.
    """

    total: jax.Array
    source_shift: jax.Array
    source_offset: jax.Array
    target_shift: jax.Array
    target_offset: jax.Array
    cross: jax.Array
    source_squares: jax.Array
    target_squares: jax.Array
    source: Any = None  # one that asked for it knows that it is there

    @property
    def source_mean(self) -> jax.Array:
        return self.source_shift + self.source_offset

    @property
    def target_mean(self) -> jax.Array:
        return self.target_shift + self.target_offset

    def centred(self, source: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return rows of source and target about the means."""
        source, target = source - self.source_shift[None], target - self.target_shift[None]
        return source - self.source_offset[None], target - self.target_offset[None]


def moments(source: jax.Array, target: jax.Array, weights: jax.Array | None = None, *, gram: bool = True) -> Moments:
    """Sum the centred second moments of source `[n, d_source]` and target `[n, d_target]`, weights `[n]` or None.

    `gram=False` leaves out the product source' source, the costlier half for solvers that need only the cross term.
    """
    return _moments(source, target, weights, gram)


def about_origin(m: Moments) -> Moments:
    """Return the moments about the origin, with means of zero."""
    x, y = m.source_mean, m.target_mean
    zeros = {name: jnp.zeros_like(getattr(m, name)) for name in m._fields if name.endswith(("shift", "offset"))}
    return m._replace(
        cross=m.cross + m.total * jnp.outer(x, y),
        source_squares=m.source_squares + m.total * x**2,
        target_squares=m.target_squares + m.total * y**2,
        source=None if m.source is None else m.source + m.total * jnp.outer(x, x),
        **zeros,
    )


def within_range(m: Moments, source: jax.Array, target: jax.Array, *, source_may_overflow: bool = False) -> jax.Array:
    """Say whether the squares of rows that the moments `m` sum stay in the range of the numbers; without a gradient.

    Where they overflow, or vanish although the rows differ, what is computed from them may look like a fit. Those of
    the source may overflow where the rows themselves are decomposed then.
    """
    m, source, target = lax.stop_gradient((m, source, target))
    info = jnp.finfo(source.dtype)
    least = info.tiny / info.eps  # of a square whose digits are all there
    sums = jnp.stack([m.source_squares.sum(), m.target_squares.sum()])

    def look(source, target, *shifts):
        furthest = [jnp.abs(rows - shift[None]).max() for rows, shift in zip((source, target), shifts, strict=True)]
        constant = [f <= 4 * info.eps * jnp.abs(shift).max() for f, shift in zip(furthest, shifts, strict=True)]
        return jnp.stack([c | (f**2 > least) for c, f in zip(constant, furthest, strict=True)]).all()

    vanishing = (sums <= least * m.total).any()
    shifts = m.source_mean, m.target_mean
    cases = [lambda *_: jnp.asarray(True), look]
    finite = jnp.isfinite(sums[1] if source_may_overflow else sums).all()
    return finite & with_care(jnp.where(vanishing, 1, 0), cases, source, target, *shifts)


def _two_sum(a, b):
    """Return a + b rounded, and what the rounding lost, exactly (Knuth)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


def _block_sums(source, target, weights, gram):
    scaled = source if weights is None else source * weights[:, None]
    scaled_target = target if weights is None else target * weights[:, None]
    right = jnp.concatenate([source, target], axis=1) if gram else target
    return (
        jnp.asarray(source.shape[0], source.dtype) if weights is None else weights.sum(),
        scaled.sum(0),
        scaled_target.sum(0),
        (scaled * source).sum(0),
        (scaled_target * target).sum(0),
        matmul(scaled.T, right),
    )


def blocked_sum(term: Callable[..., Any], arrays: Sequence[jax.Array | None]) -> Any:
    """Sum `term(*rows)`, a pytree, over blocks of rows of `arrays` (None is passed through), with compensation.

    The float32 error is that of one block, whatever the number of rows: what each addition of a block rounds away is
    kept in a second accumulator (two-sum).
    """
    rows = next(a for a in arrays if a is not None).shape[0]
    blocks, rest = divmod(rows, _BLOCK)
    if blocks == 0:
        return term(*arrays)

    def take(start, size):
        return [None if a is None else lax.dynamic_slice_in_dim(a, start, size) for a in arrays]

    def add(sums, terms):
        pairs = jax.tree.map(_two_sum, sums[0], terms)
        high = jax.tree.map(lambda _, pair: pair[0], terms, pairs)
        return high, jax.tree.map(lambda low, _, pair: low + pair[1], sums[1], terms, pairs)

    def step(sums, block):
        return add(sums, term(*take(block * _BLOCK, _BLOCK))), None

    first = term(*take(0, _BLOCK))
    sums, _ = lax.scan(step, (first, jax.tree.map(jnp.zeros_like, first)), jnp.arange(1, blocks))
    if rest:
        sums = add(sums, term(*take(blocks * _BLOCK, rest)))
    return jax.tree.map(jnp.add, *sums)


def _near_mean(array, weights):
    # Any shift near the mean will do: the sums are moved to the exact mean afterwards. What does not count may be far,
    # and be all that every so-manieth row shows.
    array, weights = lax.stop_gradient((array, weights))
    plain = array[:: math.ceil(array.shape[0] / _BLOCK)].mean(0)
    if weights is None:
        return plain
    total = weights.sum()
    return jnp.where(total > 0, matmul(weights, array) / total, plain)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _moments(source, target, weights, gram):
    source_shift, target_shift = _near_mean(source, weights), _near_mean(target, weights)
    total, source_sum, target_sum, source_squares, target_squares, products = blocked_sum(
        lambda x, y, w: _block_sums(x - source_shift[None], y - target_shift[None], w, gram), (source, target, weights)
    )
    source_offset, target_offset = source_sum / total, target_sum / total
    offsets = jnp.concatenate([source_offset, target_offset]) if gram else target_offset
    products = products - total * jnp.outer(source_offset, offsets)
    d_source = source.shape[1]
    return Moments(
        total,
        source_shift,
        source_offset,
        target_shift,
        target_offset,
        products[:, d_source:] if gram else products,
        # Of a constant, rounding is all that is left, and may be negative.
        jnp.maximum(source_squares - total * source_offset**2, 0),
        jnp.maximum(target_squares - total * target_offset**2, 0),
        products[:, :d_source] if gram else None,
    )


@_moments.defjvp
def _moments_jvp(gram, primals, tangents):
    # The means' own derivatives drop out of every second moment, because the weighted centred rows sum to zero.
    (source, target, weights), (d_source, d_target, d_weights) = primals, tangents
    out = _moments(source, target, weights, gram)
    x, y = out.centred(source, target)
    wx, wy, dx, dy = x, y, d_source, d_target
    d_total = jnp.zeros_like(out.total)
    if weights is not None:
        wx, wy, dx, dy = (a * weights[:, None] for a in (wx, wy, dx, dy))
        d_total = d_weights.sum()

    def both(left, d_left, right, d_right, raw_left):
        change = matmul(d_left.T, right) + matmul(left.T, d_right)
        if weights is None:
            return change
        return change + matmul((raw_left * d_weights[:, None]).T, right)

    def squares(left, d_right, raw):
        change = 2 * (left * d_right).sum(0)
        return change if weights is None else change + (raw**2 * d_weights[:, None]).sum(0)

    def mean(d_weighted, raw):
        change = d_weighted.sum(0) if weights is None else (d_weighted + raw * d_weights[:, None]).sum(0)
        return change / out.total

    return out, Moments(
        d_total,
        jnp.zeros_like(out.source_shift),
        mean(dx, x),
        jnp.zeros_like(out.target_shift),
        mean(dy, y),
        both(wx, dx, y, d_target, x),
        squares(wx, d_source, x),
        squares(wy, d_target, y),
        both(wx, dx, x, d_source, x) if gram else None,
    )
