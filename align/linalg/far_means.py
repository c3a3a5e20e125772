"""Moments about an origin that lies far from the rows, whose means would bury how the rows differ.

They are those about the means, C, and a term of rank one, x y'. Added up, C is known to the digits of x y'. Where that
is by far the larger, its direction is found first and taken apart: orthogonal to it both terms are small. The same goes
for one direction of the rows about their mean that counts far more than the others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from align.arrays.products import matmul
from align.arrays.scales import unit
from align.linalg import decompositions
from align.linalg.decompositions import reciprocal
from align.linalg.moments import Moments, about_origin, blocked_sum

_FAR = 10.0  # times C, from where on the means give the leading direction beyond doubt
_STEPS = 8  # of the power method, each of which multiplies the error by less than 1 / (_FAR - 1)


def dominates(centred: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    """Say whether x y' is by far larger than `centred` `[d_x, d_y]`."""
    return _norm(x) * _norm(y) > _FAR * _norm(centred)


def polar(centred: jax.Array, x: jax.Array, y: jax.Array, reflection: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the polar factor of `centred` + x y', its singular values, and the share of the first that rounding has.

    Only what lies along the first direction has its rounding: the others have that of the second, and of the rows.
    """
    # Products of four of them are formed: about 1, these stay within the range of the numbers.
    (x, power_x), (y, power_y) = unit(x), unit(y)
    centred = centred / power_x / power_y

    def forth(v):
        return matmul(centred, v) + x * matmul(y, v)

    u, v, largest = _leading(forth, lambda u: matmul(u, centred) + matmul(u, x) * y, y)
    left, right = _normal(u), _normal(v)
    rest = _schur_complement(_on_both_sides(left, centred, right), reflect(left, x), reflect(right, y))
    weight, singular_values, rcond = _beside(u, v, largest, rest, reflection, _norm(centred))
    return weight, singular_values * power_x * power_y, rcond


def polar_of_rows(
    m: Moments, source: jax.Array, target: jax.Array, weights: jax.Array | None, reflection: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return what `polar` does of the cross term of moments `m` that one direction dominates, from the rows themselves.

    As where rows lie in two heaps far from each other, or one row or one axis is far larger than the others.
    """
    cross, power = unit(m.cross)
    start = cross[jnp.argmax((cross**2).sum(1))]
    u, v, largest = _leading(lambda v: matmul(cross, v), lambda u: matmul(u, cross), start)
    left, right = _normal(u), _normal(v)

    def products(x, y, w):
        x, y = (reflect(normal, z.T) for normal, z in zip((left, right), m.centred(x, y), strict=True))
        weighted = (x, y) if w is None else (x * w[None], y * w[None])
        return matmul(weighted[0], y.T), *((z * own).sum(1) for z, own in zip((x, y), weighted, strict=True))

    turned, *squares = blocked_sum(products, (source, target, weights))
    (along_x, beside_x), (along_y, beside_y) = (jnp.sqrt(jnp.stack([z[0], z[1:].sum()])) for z in squares)
    # Zero where what dominated was the rounding of a constant.
    down = turned[1:, 0] * reciprocal(turned[0, 0], turned[0, 0] != 0)
    rest = turned[1:, 1:] - jnp.outer(down, turned[0, 1:])
    # A row is turned with a rounding of its own length, which meets what the other side has beside the first axis.
    rounded = along_x * beside_y + beside_x * along_y
    return _beside(u, v, largest * power, rest, reflection, rounded)


def _leading(forth, back, start):
    """Return the first singular vectors, u and v, and value of a matrix whose second value is far smaller.

    forth, back: its products with v and u; start: of v.
    """

    def step(_, v):
        return _unit(back(_unit(forth(v))))

    v = lax.fori_loop(1, _STEPS, step, _unit(start))
    u = _unit(forth(v))
    v = back(u)
    return u, _unit(v), _norm(v)


def _beside(u, v, largest, rest, reflection, rounded):
    """Return what `polar` does of u v' `largest` and the rest beside it.

    rest `[d_x - 1, d_y - 1]`: between the axes after the first, as the reflections of u and v to that leave them.
    rounded: what the rest has the rounding of.
    """
    left, right = _normal(u), _normal(v)
    sign = jnp.where((u[0] < 0) == (v[0] < 0), 1, -1).astype(u.dtype)  # of the first entry, between the turned axes
    # Two reflections keep the determinant, so without a reflection the rest must have that of the first entry.
    turn = jnp.ones_like(rest[:, 0]).at[0].set(1 if reflection else sign)[:, None]
    factor, others = decompositions.polar(turn * rest, reflection=reflection)
    whole = jnp.zeros((len(u), len(v)), u.dtype).at[0, 0].set(sign).at[1:, 1:].set(turn * factor)
    eps = jnp.finfo(u.dtype).eps
    rcond = eps * jnp.maximum(max(whole.shape) * jnp.maximum(others[0] / largest, eps), rounded / largest)
    return _on_both_sides(left, whole, right), jnp.concatenate([largest[None], others]), rcond


class Turned(NamedTuple):
    """Rows turned so that their first axis is by itself in their second moments about the origin.

    far: whether their mean dominates; where not, they are as they were. normal `[d]`: of the reflection that turned
    them, zero for none. moments: about the origin. source: `[n, d]`.
    """

    far: jax.Array
    normal: jax.Array
    moments: Moments
    source: jax.Array


def turned(m: Moments, source: jax.Array) -> Turned:
    """Turn rows `[n, d]` of which `m` are the moments about the means."""
    x = m.source_mean
    gram, mean, total = jax.lax.stop_gradient((m.source, x, m.total))
    far = dominates(gram, mean, total * mean) & (len(mean) > 1)

    def step(_, axis):
        return _unit(matmul(gram, axis) + total * mean * matmul(mean, axis))

    axis = lax.fori_loop(0, _STEPS, step, _unit(mean))
    normal = jnp.where(far, _normal(axis), 0)

    plain = about_origin(m)
    centred = _on_both_sides(normal, m.source, normal)
    first = reflect(normal, x)[:1]
    # The first axis is an eigenvector, which says what the others have of the mean: nothing is left to cancel.
    scale = m.total * first[0]
    q = jnp.concatenate([first, -centred[1:, 0] * reciprocal(scale, far & (scale != 0))])
    apart = centred + m.total * jnp.outer(q, q)
    apart = apart.at[0, 1:].set(0).at[1:, 0].set(0)

    def accurate(value, of):
        return _known(of, jax.lax.stop_gradient(jnp.where(far, value, of)))

    gram = accurate(apart, _on_both_sides(normal, plain.source, normal))
    cross = accurate(reflect(normal, m.cross) + m.total * jnp.outer(q, m.target_mean), reflect(normal, plain.cross))
    rows = source - m.source_shift[None] - m.source_offset[None]
    rows = accurate(reflect(normal, rows.T).T + q[None], reflect(normal, source.T).T)
    moments = plain._replace(source=gram, cross=cross, source_squares=jnp.diagonal(gram))
    return Turned(far, normal, moments, rows)


def reflect(normal: jax.Array, array: jax.Array) -> jax.Array:
    """Return `[d, ...]` reflected in the plane through the origin of a unit normal `[d]`; as it is for zero."""
    return array - 2 * jnp.multiply.outer(normal, matmul(normal, array))


def _on_both_sides(left, array, right):
    return reflect(right, reflect(left, array).T).T


def _schur_complement(c, x, y):
    """Return that of the first entry of c + x y', where the product of what follows in x and y cancels out.

    So the rounding of the vectors that turned x and y to the first axis comes in with c alone, which is small.
    """
    left, right, p, q = c[1:, 0], c[0, 1:], x[1:], y[1:]
    crossed = jnp.outer(c[0, 0] * p - x[0] * left, q) - jnp.outer(y[0] * p + left, right)
    return c[1:, 1:] + crossed / (c[0, 0] + x[0] * y[0])


def _normal(unit):
    """Return the normal of the reflection that takes `unit` `[d]` to the first axis, or to minus that (Householder)."""
    return _unit(unit.at[0].add(jnp.where(unit[0] < 0, -1, 1).astype(unit.dtype)))


def _unit(vector):
    norm = _norm(vector)
    return vector * reciprocal(norm, norm > 0)


def _norm(array):
    """Return the Euclidean norm of all entries, whose squares may leave the range of the numbers."""
    largest = jnp.abs(array).max()
    return largest * jnp.linalg.norm((array * reciprocal(largest, largest > 0)).ravel())


@jax.custom_jvp
def _known(of, value):
    """Return `value`, which is `of` computed with more care, with the derivative of `of`."""
    return value


@_known.defjvp
def _known_jvp(primals, tangents):
    return _known(*primals), tangents[0]
