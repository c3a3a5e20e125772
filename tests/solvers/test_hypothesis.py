"""Invariants of the solvers, of maps and of statistics over drawn problems: small integers, so that ties, repeated rows
and lost ranks come up, and in double precision.

The draws are the same every time, and of fixed shapes, so that each solver is compiled once.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from align import solvers, streaming
from align.maps import AffineMap

ROWS, D, STRENGTH = 8, 3, 0.5


def examples(count):
    # No clocks: on a busy machine every draw is slow. Filtered draws are those that leave more than one map.
    slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(derandomize=True, deadline=None, database=None, max_examples=count, suppress_health_check=slow)


@pytest.fixture(autouse=True, scope="module")
def in_double_precision():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def whole(*shape, low=-9, high=9):
    return arrays(np.int64, shape, elements=st.integers(low, high)).map(lambda a: a.astype(np.float64))


POINTS, MATRICES, SHIFTS = whole(ROWS, D), whole(D, D), whole(D, low=-99, high=99)
ROTATIONS = MATRICES.map(lambda a: np.linalg.qr(a)[0])


class Family(NamedTuple):
    """solve: the solver; member: a map of the family from a matrix, a rotation and a shift.

    translates, turns: whether the fit follows a translation or a rotation of either side; rank: of its weights.
    """

    solve: Callable
    member: Callable
    translates: bool = True
    turns: bool = True
    procrustes: bool = False
    rank: int = D
    penalty: float = 0


FAMILIES = {
    "orthogonal": Family(solvers.orthogonal, lambda m, q, b: (q, 0 * b), translates=False, procrustes=True),
    "rigid": Family(solvers.rigid, lambda m, q, b: (q, b), procrustes=True),
    "similarity": Family(solvers.similarity, lambda m, q, b: (abs(m[0, 0]) * q, b), procrustes=True),
    "scaling": Family(solvers.scaling, lambda m, q, b: (np.diag(m[0]), b), turns=False),
    "linear": Family(solvers.linear, lambda m, q, b: (m, 0 * b), translates=False),
    "affine": Family(solvers.affine, lambda m, q, b: (m, b)),
    "reduced_rank": Family(
        lambda x, y, weights: solvers.reduced_rank(x, y, rank=2, weights=weights),
        lambda m, q, b: (m[:, :2] @ m[:2], b),
        rank=2,
    ),
    "ridge": Family(
        lambda x, y, weights: solvers.ridge(x, y, strengths=[STRENGTH], towards="zero", weights=weights),
        lambda m, q, b: (m, b),
        penalty=STRENGTH,
    ),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def fit(family, x, y, weights=None):
    return family.solve(x, y, weights=np.ones(len(x)) if weights is None else weights)


def determined(family, x, y):
    """Whether the rows leave a single map, with room for rounding."""
    if family.translates:
        x, y = x - x.mean(0), y - y.mean(0)
    spreads = np.linalg.svd(x, compute_uv=False)
    if family.procrustes:
        spreads = np.linalg.svd(x.T @ y, compute_uv=False)
    elif not family.turns:
        spreads = np.linalg.norm(x, axis=0)
    if not spreads.min() > 1e-3 * spreads.max():
        return False
    kept = np.append(np.linalg.svd(x @ np.linalg.lstsq(x, y, rcond=None)[0], compute_uv=False), 0)
    return family.rank == D or kept[family.rank - 1] - kept[family.rank] > 1e-3 * kept[0]


def close(found, expected, scale):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * (1 + np.abs(scale).max()))


@every_family
@examples(30)
@given(POINTS, POINTS, ROTATIONS, ROTATIONS, SHIFTS, SHIFTS, st.permutations(range(ROWS)))
def test_a_fit_follows_its_spaces(name, x, y, before, after, here, there, order):
    family = FAMILIES[name]
    assume(determined(family, x, y))
    if not family.turns:
        before = after = np.eye(D)
    if not family.translates:
        here = there = np.zeros(D)
    moved_x, moved_y = x @ before + here, y @ after + there
    moved = fit(family, moved_x[order], moved_y[order])
    close(moved(moved_x), fit(family, x, y)(x) @ after + there, [*y, *moved_y])


@every_family
@examples(30)
@given(whole(6, D), whole(6, D), arrays(np.int64, 7, elements=st.integers(0, 5)))
def test_weights_count_rows(name, x, y, drawn):
    family = FAMILIES[name]
    drawn = np.append(range(5), drawn)  # the last row may be missing
    assume(determined(family, x[drawn], y[drawn]))
    assume(np.ptp(y[drawn], axis=0).any())  # without a spread of the target there is no relative residual
    weighted = fit(family, x, y, np.bincount(drawn, minlength=6).astype(float))
    repeated = fit(family, x[drawn], y[drawn])
    close(weighted(x), repeated(x), [*x, *y])
    np.testing.assert_allclose(weighted.residual, repeated.residual, rtol=1e-6, atol=1e-7)


@every_family
@examples(30)
@given(POINTS, POINTS, MATRICES, ROTATIONS, SHIFTS)
def test_no_other_map_of_the_family_does_better(name, x, y, matrix, rotation, shift):
    family = FAMILIES[name]

    def cost(weight, bias):
        return ((y - x @ weight - bias) ** 2).sum() + family.penalty * (weight**2).sum()

    fitted = fit(family, x, y)
    best = cost(np.asarray(fitted.weight), np.asarray(fitted.bias))
    weight, bias = family.member(matrix, rotation, shift)
    # The best shift for that weight is the one through the means: a rival closer than a drawn one.
    through_means = y.mean(0) - x.mean(0) @ weight if family.translates else bias
    for rival in (bias, through_means):
        assert best <= cost(weight, rival) * (1 + 1e-9) + 1e-9
    assert np.isfinite(best) and bool(fitted.converged)


# Maps


def affine(weight, bias):
    return AffineMap(*(jax.numpy.asarray(a) for a in (weight, bias)))


MAPS = st.builds(affine, MATRICES, SHIFTS)


@examples(60)
@given(MAPS, MAPS, MAPS, POINTS)
def test_maps_compose(a, b, c, x):
    close(a.then(b)(x), b(a(x)), b(a(x)))
    left, right = a.then(b).then(c), a.then(b.then(c))
    close(left.weight, right.weight, left.weight)
    close(left.bias, right.bias, left.bias)
    identity = affine(np.eye(D), np.zeros(D))
    for same in (identity.then(a), a.then(identity), a @ identity):
        np.testing.assert_array_equal(same.weight, a.weight)
        np.testing.assert_array_equal(same.bias, a.bias)


@examples(60)
@given(MAPS, MAPS, POINTS)
def test_maps_are_undone(a, b, x):
    assume(all(np.linalg.cond(np.asarray(each.weight)) < 1e3 for each in (a, b)))
    close(a.inverse()(a(x)), x, a(x))
    close(a(a.inverse()(x)), x, 1e3 * a(x))
    both, apart = a.then(b).inverse(), b.inverse().then(a.inverse())
    close(both.weight, apart.weight, 1e3 * np.asarray(apart.weight))
    close(both(x), apart(x), 1e3 * np.asarray(apart(x)))
    assert float(a.inverse().residual) < 1e-9


@examples(60)
@given(MATRICES, SHIFTS, POINTS)
def test_the_inverse_of_any_map_is_that_of_moore_and_penrose(weight, bias, x):
    assume(np.linalg.matrix_rank(weight) < D)
    fitted = affine(weight, bias)
    undone = fitted.inverse()
    close(fitted(undone(fitted(x))), fitted(x), 1e3 * np.asarray(fitted(x)))
    close(undone.weight, np.linalg.pinv(weight), 1e3)
    np.testing.assert_allclose(undone.residual, np.sqrt(1 - np.linalg.matrix_rank(weight) / D), atol=1e-7)


FINITE = {"allow_nan": False, "allow_infinity": False, "width": 32}


@examples(60)
@given(arrays(np.float32, (4, 2), elements=st.floats(**FINITE)), arrays(np.float32, 2, elements=st.floats(**FINITE)))
def test_a_saved_map_comes_back_bit_for_bit(weight, bias):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "map.safetensors")
        affine(weight, bias).save(path)
        found = AffineMap.load(path)
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    for one, other in ((found.weight, weight), (found.bias, bias)):
        assert np.asarray(one).dtype == np.float32 and np.asarray(one).tobytes() == other.tobytes()


# Statistics

SIZES = (5, 4, 3)


@examples(60)
@given(whole(12, D), whole(12, 2), arrays(np.int64, 12, elements=st.integers(1, 4)), st.permutations(range(12)))
def test_merging_is_commutative_and_associative(x, y, weights, order):
    rows = [a[list(order)] for a in (x, y, weights.astype(float))]
    parts = list(zip(*(np.split(a, np.cumsum(SIZES)[:-1]) for a in rows), strict=True))
    a, b, c = (streaming.from_arrays(one, other, weights=counts) for one, other, counts in parts)
    whole_record = streaming.from_arrays(x, y, weights=weights.astype(float))
    merge = streaming.merge
    for record in (merge(a, b, c), merge(a, merge(b, c)), merge(c, a, b), merge(merge(b, a), c)):
        for name, found, expected in zip(record._fields, record, whole_record, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * (1 + np.abs(expected).max()), err_msg=name)
    assert all(map(np.array_equal, merge(a), a))


# Labels


@examples(30)
@given(whole(9, D), whole(9, D), st.permutations(range(9)), st.permutations(range(9)), st.permutations([-4, 0, 17]))
def test_class_means_know_neither_the_order_of_rows_nor_the_names_of_classes(x, y, ours, theirs, names):
    labels = np.repeat([0, 1, 2], [2, 3, 4])
    renamed, ours, theirs = np.array(names)[labels], list(ours), list(theirs)
    plain = solvers.class_means(x, labels, y, labels, step="affine")
    other = solvers.class_means(x[ours], renamed[ours], y[theirs], renamed[theirs], step="affine")
    means = np.array([x[labels == k].mean(0) for k in range(3)])
    assume(np.linalg.svd(means - means.mean(0), compute_uv=False)[1] > 0.1)
    close(other.weight, plain.weight, 1e3)
    close(other(means), plain(means), 1e3)
