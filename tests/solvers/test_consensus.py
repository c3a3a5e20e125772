"""Maps of several spaces into one: what NumPy finds in float64, circles that close, rows that are missing."""

import functools

import jax
import numpy as np
import pytest

from align import solvers

ROWS, SIZE, COUNT = 40, 4, 3


@functools.cache
def drawn():
    """Three spaces of one latent space, turned, moved, of different scales, with noise; and weights, some zero."""
    random = np.random.default_rng(0)
    latent = random.gamma(1, size=(ROWS, SIZE)) * np.arange(1, SIZE + 1)
    turns = [np.linalg.qr(random.normal(size=(SIZE, SIZE)))[0] for _ in range(COUNT)]
    spaces = [2.0**i * (latent @ turn + 0.3 * random.normal(size=latent.shape) + i) for i, turn in enumerate(turns)]
    weights = np.where(random.uniform(size=(COUNT, ROWS)) < 0.3, 0, random.uniform(0.5, 2, size=(COUNT, ROWS)))
    return spaces, weights


def fit(**options):
    return solvers.consensus(drawn()[0], scaled=False, **options)


def procrustes(spaces, weights):
    """Turn and move one space after the other onto the mean of all, until nothing moves; the first lies as it is."""
    turns, shifts = [np.eye(s.shape[1]) for s in spaces], [np.zeros(s.shape[1]) for s in spaces]
    for _ in range(3000):
        said = [s @ q + t for s, q, t in zip(spaces, turns, shifts, strict=True)]
        mean = sum(w[:, None] * one for w, one in zip(weights, said, strict=True)) / weights.sum(0)[:, None]
        for i, (space, w) in enumerate(zip(spaces, weights, strict=True)):
            centre, there = (np.average(a, axis=0, weights=w) for a in (space, mean))
            u, _, vt = np.linalg.svd((w[:, None] * (space - centre)).T @ (mean - there))
            turns[i], shifts[i] = u @ vt, there - centre @ u @ vt
    return [first_frame(q, turns[0]) for q in turns], [t @ turns[0].T for t in shifts]


def first_frame(turn, first):
    return turn @ first.T


def left(maps, spaces, weights):
    """Give what maps leave between the spaces: the weighted squares about their mean."""
    said = np.stack([s @ np.asarray(m[0]) + np.asarray(m[1]) for s, m in zip(spaces, maps, strict=True)])
    mean = (weights[..., None] * said).sum(0) / weights.sum(0)[:, None]
    return (weights[..., None] * (said - mean) ** 2).sum()


def test_no_map_is_charged_for_dimensions_that_its_space_lacks():
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 3))
    y = np.c_[x, 2 * random.normal(size=400)] @ np.linalg.qr(random.normal(size=(4, 4)))[0]
    fitted = solvers.consensus([x, y], scaled=False, strengths=[np.inf, np.inf])
    squares = sum(((fitted.between(i, j)(a) - b) ** 2).sum() for i, j, a, b in ((0, 1, x, y), (1, 0, y, x)))
    expected = np.sqrt(float(squares) / sum(((a - a.mean(0)) ** 2).sum() for a in (x, y)))
    np.testing.assert_allclose(fitted.left_out, expected, rtol=0.03)
    assert 0.6 < expected < 0.66


def test_weights_may_be_closed_over_by_jit():
    spaces, weights = drawn()
    weights = jax.numpy.asarray(weights, jax.numpy.float32)
    inside = jax.jit(lambda first: solvers.consensus([first, *spaces[1:]], weights=weights).maps[0].weight)(spaces[0])
    np.testing.assert_allclose(inside, solvers.consensus(spaces, weights=weights).maps[0].weight, atol=1e-5)
    none = weights.at[1].set(0)
    with pytest.raises(ValueError, match="weights must leave every space a row"):
        jax.jit(lambda first: solvers.consensus([first, *spaces[1:]], weights=none).maps[0].weight)(spaces[0])


def test_a_space_that_does_not_vary_is_refused_and_says_so_when_compiled():
    spaces, weights = drawn()
    constant = np.full((ROWS, SIZE), 0.1)
    for place in range(COUNT):
        with pytest.raises(ValueError, match=rf"spaces\[{place}\] must vary over the rows that count; all 40 of them"):
            solvers.consensus([*spaces[:place], constant, *spaces[place + 1 :]])
        within = jax.jit(solvers.consensus)([*spaces[:place], constant, *spaces[place + 1 :]])
        assert not any(fitted.converged for fitted in within.maps)
    one_row = np.ones_like(weights)
    one_row[1, 1:] = 0
    with pytest.raises(ValueError, match=r"spaces\[1\] must vary over the rows that count; all 1 of them"):
        solvers.consensus(spaces, weights=one_row)


@pytest.mark.parametrize("scaled", [False, True])
def test_strengths_are_numbers_where_rows_link_in_a_point_alone(scaled):
    (one, other, _), once = drawn()[0], np.ones((2, ROWS))
    once[0, ROWS // 2 + 1 :], once[1, : ROWS // 2] = 0, 0
    fitted = solvers.consensus([one, other], weights=once, scaled=scaled)
    assert (fitted.strengths > 0).all() and np.isposinf(fitted.strengths[-1])
    assert all(np.isfinite(found.residual) or not found.converged for found in fitted.maps)


@pytest.mark.parametrize("missing", [False, True])
def test_generalised_procrustes_is_what_alternating_finds(missing, double_precision):
    spaces, weights = drawn()
    weights = weights if missing else np.ones_like(weights)
    weights = np.where(weights.sum(0) > 0, weights, 1)
    fitted = fit(weights=weights, strengths=[np.inf])
    turns, _ = procrustes(spaces, weights)
    for i, found in enumerate(fitted.maps):
        np.testing.assert_allclose(found.weight, turns[i], atol=1e-6)
        assert found.converged
    maps = [(m.weight, m.bias) for m in fitted.maps]
    turned = [(q, t) for q, t in zip(*procrustes(spaces, weights), strict=True)]
    np.testing.assert_allclose(left(maps, spaces, weights), left(turned, spaces, weights), rtol=1e-9)


def test_the_ridge_form_is_the_solution_of_its_own_equations(double_precision):
    spaces, weights = drawn()
    weights, strength = np.where(weights.sum(0) > 0, weights, 1), 30.0
    turns = [np.asarray(m.weight) for m in fit(weights=weights, strengths=[np.inf]).maps]
    # Unknowns (A_1, t_1, A_2, …); a row of the design says of a sample in a space how far it is from the mean of all.
    width = SIZE + 1
    design, goals = [], []
    for r in range(ROWS):
        ahead = np.zeros((COUNT, COUNT * width))
        for i in range(COUNT):
            ahead[i, i * width : (i + 1) * width] = [*spaces[i][r], 1]
        mean = weights[:, r] @ ahead / weights[:, r].sum()
        design.append(np.sqrt(weights[:, r])[:, None] * (ahead - mean))
        goals.append(np.zeros((COUNT, SIZE)))
    for i in range(COUNT):
        penalty = np.zeros((SIZE, COUNT * width))
        penalty[:, i * width : i * width + SIZE] = np.sqrt(strength) * np.eye(SIZE)
        design.append(penalty)
        goals.append(np.sqrt(strength) * turns[i])
    solution = np.linalg.lstsq(np.concatenate(design), np.concatenate(goals))[0].reshape(COUNT, width, SIZE)
    fitted = fit(weights=weights, strengths=[strength])
    for found, right in zip(fitted.maps, solution, strict=True):
        np.testing.assert_allclose(found.weight, right[:SIZE], atol=1e-8)
    maps = [(m.weight, m.bias) for m in fitted.maps]
    expected = left([(a[:SIZE], a[SIZE]) for a in solution], spaces, weights)
    np.testing.assert_allclose(left(maps, spaces, weights), expected, rtol=1e-8)


def test_circles_close_and_the_strength_is_chosen_by_rows_left_out():
    spaces = [s.astype(np.float32) for s in drawn()[0]]
    fitted = solvers.consensus(spaces)
    around = fitted.between(0, 1).then(fitted.between(1, 2)).then(fitted.between(2, 0))
    np.testing.assert_allclose(around.weight, np.eye(SIZE), atol=1e-4)
    np.testing.assert_allclose(around.bias, 0, atol=1e-3)
    assert fitted.left_out.shape == fitted.strengths.shape == (7,)
    assert fitted.strength == fitted.strengths[np.argmin(fitted.left_out)]
    error = np.linalg.norm(fitted.between(0, 2)(spaces[0]) - spaces[2]) / np.linalg.norm(spaces[2] - spaces[2].mean(0))
    assert error < float(fitted.left_out.min()) < 1.5 * error


def test_what_stands_where_a_row_is_missing_is_no_matter():
    spaces, weights = drawn()
    weights = weights.astype(np.float32)
    spaces = [s.astype(np.float32) for s in spaces]
    one = solvers.consensus(spaces, weights=weights)
    for number in (7e3, 1e20, np.nan):
        other = [np.where(w[:, None] > 0, s, np.float32(number)) for s, w in zip(spaces, weights, strict=True)]
        for a, b in zip(one.maps, solvers.consensus(other, weights=weights).maps, strict=True):
            np.testing.assert_array_equal(a.weight, b.weight)
            np.testing.assert_array_equal(a.residual, b.residual)


def test_scales_are_found_where_rows_are_missing():
    random = np.random.default_rng(2)
    latent, weights = random.normal(size=(ROWS, SIZE)), drawn()[1].astype(np.float32)
    turns = [np.linalg.qr(random.normal(size=(SIZE, SIZE)))[0] * 3.0**i for i in range(COUNT)]
    spaces = [(latent @ turn - i).astype(np.float32) for i, turn in enumerate(turns)]
    fitted = solvers.consensus(spaces, weights=weights)
    np.testing.assert_allclose(fitted.between(0, 2).weight, turns[0].T @ turns[2], atol=1e-3)
    assert max(float(m.residual) for m in fitted.maps) < 1e-3


def test_two_spaces_are_one_rigid_map_into_more_dimensions_too():
    random = np.random.default_rng(1)
    x, y = (random.normal(size=(ROWS, d)).astype(np.float32) for d in (SIZE - 1, SIZE))
    fitted, rigid = solvers.consensus([x, y], strengths=[np.inf], scaled=False), solvers.rigid(x, y)
    np.testing.assert_allclose(fitted.between(0, 1).weight, rigid.weight, atol=1e-5)
    np.testing.assert_allclose(fitted.between(0, 1).bias, rigid.bias, atol=1e-5)
    assert [m.weight.shape for m in fitted.maps] == [(SIZE - 1, SIZE), (SIZE, SIZE)]


@pytest.mark.parametrize("scales", [(1e-15, 1e10), (1e16, 1e-15)])
def test_spaces_many_orders_of_magnitude_apart_are_mapped(scales):
    """The quotient of their spreads is beyond float32."""
    x, y, _ = (scale * space.astype(np.float32) for scale, space in zip((*scales, 1), drawn()[0], strict=True))
    expected = solvers.consensus([x / scales[0], y / scales[1]])
    fitted = solvers.consensus([x, y])
    assert all(bool(m.converged) for m in fitted.maps)
    carried = fitted.between(0, 1)(x) / scales[1]
    np.testing.assert_allclose(carried, expected.between(0, 1)(x / scales[0]), atol=1e-3)


def test_it_maps_over_a_batch(strict_promotion):
    batch = np.stack([np.stack(drawn()[0]), np.stack(drawn()[0])[::-1]]).astype(np.float32)
    together = jax.vmap(lambda spaces: solvers.consensus(list(spaces)))(batch)
    for i, spaces in enumerate(batch):
        for a, b in zip(together.maps, solvers.consensus(list(spaces)).maps, strict=True):
            np.testing.assert_allclose(a.weight[i], b.weight, atol=1e-4)


def test_spaces_that_no_row_links_have_not_converged():
    """Of traced weights no error can be made: the verdict says it. By way of a third space is a link as well."""
    spaces = [np.asarray(s, np.float32) for s in drawn()[0]]
    rest = np.arange(ROWS) * COUNT // ROWS
    chain = np.stack([(rest == i) | (rest == i + 1) for i in range(COUNT)]).astype(np.float32)
    apart = chain.copy()
    apart[-1, rest == COUNT - 1] = 1
    apart[:-1, rest == COUNT - 1] = 0

    @jax.jit
    def rested(weights):
        return solvers.consensus(spaces, weights=weights, strengths=[np.inf]).maps[0].converged

    assert rested(chain) and not rested(apart)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spaces": [np.ones((3, 2))]}, "spaces must be two or more for a consensus; they are 1"),
        (
            {"spaces": [np.ones((3, 2)), np.ones((4, 2))]},
            r"as many rows as the first, \(3, 2\); spaces\[1\] is \(4, 2\)",
        ),
        ({"spaces": [np.eye(3), np.full((3, 2), np.nan)]}, r"spaces\[1\] holds NaN or infinity"),
        ({"spaces": [np.eye(3), 1e-19 * np.eye(3)]}, r"spaces\[1\] .* vanish in float32; expected a larger scale"),
        ({"spaces": [np.eye(3), 1e20 * np.eye(3)]}, r"spaces\[1\] .* exceed float32; expected a smaller scale"),
        ({"weights": np.ones(3)}, r"weights must be \[2, 3\], a row for each space; it is \(3,\)"),
        ({"weights": [[1, 1, 1], [0, 0, 0]]}, "weights must leave every space a row; one of them has none"),
        ({"weights": [[1, 1, 0], [0, 0, 1]]}, r"rows that link all spaces to the first; none link spaces\[1\]"),
        ({"spaces": (np.eye(3) for _ in range(2))}, "spaces must be a sequence of arrays; it is generator"),
        ({"strengths": [-1.0]}, "strengths must not be negative"),
        ({"strengths": [-np.inf]}, "strengths holds NaN or infinity"),
        ({"strengths": 1.0}, r"strengths must be \[k\], at least one, .*; it is \(\)"),
        ({"scaled": "no"}, "scaled must be True or False; it is 'no'"),
    ],
)
def test_bad_input_is_named(changes, message):
    given = {"spaces": [np.eye(3), np.eye(3)]} | changes
    with pytest.raises(ValueError, match=message):
        solvers.consensus(given.pop("spaces"), **given)


def test_weights_count_one_beside_another_whatever_their_units():
    random = np.random.default_rng(3)
    x = random.normal(size=(300, 5))
    turns = [np.linalg.qr(random.normal(size=(5, 5)))[0] for _ in range(2)]
    spaces = [each.astype(np.float32) for each in (x, 3 * x @ turns[0] + 7, x @ turns[1] + 1)]
    weights = np.ones((3, 300), np.float32)
    weights[1] = 1e-6
    weights[1, :150] = 0
    there = solvers.consensus(spaces, weights=weights, strengths=[np.inf]).between(0, 1)
    assert np.linalg.norm(there(spaces[0]) - spaces[1]) < 1e-3 * np.linalg.norm(spaces[1] - spaces[1].mean(0))
    for factor in (1e-20, 1e20):
        scaled = solvers.consensus(spaces, weights=np.full((3, 300), factor, np.float32))
        assert np.isfinite(scaled.left_out).all()
