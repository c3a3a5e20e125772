"""Every solver against every property that it promises.

The problems share their shapes so that each solver is compiled only a few times.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from families import FAMILIES, ROWS, WITHOUT_PAIRS, D, pairs

from align import solvers
from align.linalg import lapack

MANY = 20_000
every_family = pytest.mark.parametrize("name", FAMILIES)


@functools.cache
def every_pair(name):
    """One compiled call for every source `[k, rows, d]` and every target `[l, rows, d]` with weights `[l, rows]`."""

    def solve(x, y, weights):
        return FAMILIES[name].solve(x, y, weights=weights)

    return jax.jit(jax.vmap(jax.vmap(solve, (None, 0, 0)), (0, None, None)))


def planted(name, dtype, rows=ROWS):
    rng = np.random.default_rng(1)
    weight, bias = FAMILIES[name].planted(rng, D)
    x = rng.normal(size=(rows, D)) + rng.normal(size=D)
    fitted = FAMILIES[name].solve(x.astype(dtype), (x @ weight + bias).astype(dtype))
    return max(np.abs(fitted.weight - weight).max(), np.abs(fitted.bias - bias).max()), fitted


@every_family
def test_recovers_a_planted_map(name, double_precision):
    error, fitted = planted(name, np.float64)
    assert error < 1e-10
    assert fitted.converged
    if name != "ridge":  # whose planted map is constant, so that its target has no spread
        assert fitted.residual < 1e-10


@every_family
def test_recovers_a_planted_map_in_float32(name):
    assert planted(name, np.float32)[0] < 5e-5


@pytest.mark.parametrize("name", ["rigid", "affine", "ridge_auto"])
def test_recovers_a_planted_map_from_many_rows_in_float32(name):
    error, fitted = planted(name, np.float32, rows=MANY)
    assert error < 5e-5
    assert fitted.residual < 1e-5


def assert_rank_and_condition(name, fitted, x, y, tolerance):
    values = np.linalg.svd(FAMILIES[name].decomposed(x, y), compute_uv=False)
    values = values[values > 1e-6 * values[0]]
    assert fitted.rank == min(len(values), FAMILIES[name].rank)
    np.testing.assert_allclose(fitted.condition, values[0] / values[-1], rtol=tolerance)


@every_family
def test_agrees_with_numpy_and_scipy(name, double_precision):
    x, y = pairs()
    weight, bias = FAMILIES[name].reference(x, y)
    unexplained = np.linalg.norm(y - x @ weight - bias) / np.linalg.norm(y - y.mean(0))
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 5e-5)):
        fitted = FAMILIES[name].solve(x.astype(dtype), y.astype(dtype))
        assert fitted.weight.dtype == fitted.bias.dtype == fitted.residual.dtype == dtype
        np.testing.assert_allclose(fitted.weight, weight, rtol=0, atol=tolerance)
        np.testing.assert_allclose(fitted.bias, bias, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(fitted.residual, unexplained, rtol=tolerance)
        assert_rank_and_condition(name, fitted, x, y, tolerance)


# One of each way in which the solvers compute.
@pytest.mark.parametrize(
    "name", ["orthogonal", "rigid", "scaling", "affine", "reduced_rank", "ridge_origin", "ridge_auto"]
)
def test_agrees_from_many_rows_in_float32_as_from_few(name, double_precision):
    x, y = pairs(rows=MANY)
    # Leaving out each row in a loop is for the 24 rows above.
    exact = FAMILIES[name].solve(x, y) if name.startswith("ridge") else None
    weight, bias = (exact.weight, exact.bias) if exact else FAMILIES[name].reference(x, y)
    fitted = FAMILIES[name].solve(x.astype(np.float32), y.astype(np.float32))
    np.testing.assert_allclose(fitted.weight, weight, rtol=0, atol=5e-5)
    np.testing.assert_allclose(fitted.bias, bias, rtol=5e-5, atol=5e-5)


@every_family
def test_one_compiled_call_for_all_pairs_of_networks_equals_the_loop(name, double_precision):
    x, y = pairs()
    codes = np.stack([x, y, y * np.linspace(1, 3, D) + 0.3 * np.random.default_rng(1).normal(size=y.shape)])
    weights = np.random.default_rng(2).uniform(1, 2, (3, ROWS))
    together = every_pair(name)(codes, codes, weights)
    for k, l in itertools.permutations(range(3), 2):
        alone = FAMILIES[name].solve(codes[k], codes[l], weights=weights[l])
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
            np.testing.assert_allclose(a, b[k, l], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(together(codes[:, None])[k, l], alone(codes[k]), atol=1e-9)


@every_family
def test_is_equivariant(name, double_precision):
    x, y = pairs()
    solve, rng = FAMILIES[name].solve, np.random.default_rng(2)
    plain = solve(x, y)
    order = rng.permutation(ROWS)
    reordered = solve(x[order], y[order])
    np.testing.assert_allclose(reordered.weight, plain.weight, atol=1e-9)
    np.testing.assert_allclose(reordered.bias, plain.bias, atol=1e-9)
    before, after = (np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(2))
    before[:, 0] *= np.linalg.det(before)  # rotations, so that a fit without reflections may follow
    after[:, 0] *= np.linalg.det(after)
    if not FAMILIES[name].turns:
        before = after = np.eye(D)[[2, 0, 3, 1]] * [1, -1, -1, 1]
    turned = solve(x @ before, y @ after)
    np.testing.assert_allclose(turned.weight, before.T @ plain.weight @ after, atol=1e-9)
    np.testing.assert_allclose(turned.bias, plain.bias @ after, atol=1e-9)


@every_family
def test_weights_repeat_rows(name, double_precision):
    x, y = pairs()
    weights = np.random.default_rng(3).multinomial(ROWS, np.ones(ROWS) / ROWS)
    weighted = FAMILIES[name].solve(x, y, weights=weights)
    repeated = FAMILIES[name].solve(np.repeat(x, weights, axis=0), np.repeat(y, weights, axis=0))
    for a, b in zip(jax.tree.leaves(weighted), jax.tree.leaves(repeated), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@every_family
def test_rank_deficient_rows_are_fitted_as_well_as_any_map_can(name, double_precision):
    x, y = pairs()
    x[:, 3] = x[:, 0]
    fitted = FAMILIES[name].solve(x, y)
    assert fitted.converged
    assert np.isfinite(fitted.weight).all()
    weight, bias = FAMILIES[name].reference(x, y)
    np.testing.assert_allclose(np.linalg.norm(y - fitted(x)), np.linalg.norm(y - x @ weight - bias), rtol=1e-9)
    assert_rank_and_condition(name, fitted, x, y, 1e-9)
    if name in ("linear", "affine"):
        assert fitted.rank == 3
        np.testing.assert_allclose(fitted.weight, weight, atol=1e-8)


@pytest.mark.parametrize(("name", "rows"), [*((name, 3) for name in FAMILIES), ("rigid", 1), ("affine", 1)])
def test_few_rows_give_a_finite_map(name, rows):
    x, y = (a.astype(np.float32) for a in pairs(rows=rows))
    fitted = FAMILIES[name].solve(x, y)
    assert fitted.converged
    assert np.isfinite(fitted(x)).all()
    if name in ("linear", "affine"):
        np.testing.assert_allclose(fitted(x), y, atol=1e-3)  # enough freedom to pass through every pair


@every_family
def test_integers_and_half_precision_are_computed_in_float32(name):
    x, y = np.random.default_rng(4).integers(-9, 9, (2, ROWS, D))
    from_integers = FAMILIES[name].solve(x, y)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        other = FAMILIES[name].solve(jnp.asarray(x, dtype), jnp.asarray(y, dtype))
        assert other.weight.dtype == jnp.float32
        np.testing.assert_array_equal(other.weight, from_integers.weight)


@every_family
def test_dtypes_where_float64_is_on(name, double_precision):
    for given, kept in (("float32", "float32"), ("bfloat16", "float32"), ("int32", "float64")):
        rows = jax.ShapeDtypeStruct((ROWS, D), given)
        fitted = jax.eval_shape(FAMILIES[name].solve, rows, rows)
        assert {a.dtype for a in (fitted.weight, fitted.bias, fitted.condition, fitted.residual)} == {np.dtype(kept)}
    mixed = jax.eval_shape(FAMILIES[name].solve, rows.update(dtype="float32"), rows.update(dtype="float64"))
    assert mixed.weight.dtype == np.float64


def products(jaxpr):
    """Every dot_general of a jaxpr and of the jaxprs inside it."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(inner, "eqns"):
                yield from products(inner)


def assert_exact_products(function, *arguments, least=10):
    found = list(products(jax.make_jaxpr(function)(*arguments)))
    assert len(found) > least
    highest = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
    assert [each for each in found if each.params["precision"] != highest] == []


@pytest.mark.parametrize(
    ("name", "rows"), [*((name, ROWS) for name in FAMILIES), ("rigid", 3000), ("affine", 3000), ("ridge", 3000)]
)
def test_every_product_has_the_highest_precision(name, rows):
    def loss(x, y, w):
        fitted = FAMILIES[name].solve(x, y, weights=w)
        return fitted(x).sum() + fitted.inverse().weight.sum()

    def second(x, y, w):
        return jax.jvp(jax.grad(loss, argnums=(0, 1, 2)), (x, y, w), (x, y, w))

    abstract = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((rows, D), (rows, D), (rows,))]
    assert_exact_products(second, *abstract, least=10 if FAMILIES[name].decomposes else 5)


@pytest.mark.parametrize("name", WITHOUT_PAIRS)
def test_every_product_without_pairs_has_the_highest_precision(name):
    assert_exact_products(WITHOUT_PAIRS[name], *(a.astype(np.float32) for a in pairs()), least=5)


def test_every_solver_has_its_precision_tested():
    public = {name for name in solvers.__all__ if name.islower()}
    assert public == {*FAMILIES, *WITHOUT_PAIRS} - {"rotation", "ridge_origin", "ridge_auto"} | {*solvers.SEVERAL}


@every_family
@pytest.mark.parametrize("where", ["source", "target", "weights"])
def test_input_that_is_not_finite(name, where, double_precision):
    given = dict(zip(("source", "target"), pairs(), strict=True), weights=np.ones(ROWS))
    sound = FAMILIES[name].solve(**given)
    for value in (np.nan, np.inf):
        bad = {key: array.copy() for key, array in given.items()}
        bad[where].flat[5] = value
        with pytest.raises(ValueError, match=f"{where} holds NaN or infinity"):
            FAMILIES[name].solve(**bad)
        # Inside a transformation there is a status, and the other members of a batch are not affected.
        assert_status(name, given, bad, where, sound)


def assert_status(name, given, bad, where, sound):
    several = (np.stack([bad[key], given[key], given[key]]) for key in ("source", "target", "weights"))
    fitted = every_pair(name)(*several)
    if where != "source":
        fitted = jax.tree.map(lambda a: a.swapaxes(0, 1), fitted)
    np.testing.assert_array_equal(fitted.converged, [[False] * 3, [True] * 3, [True] * 3])
    for field in (fitted.weight, fitted.bias, fitted.residual):
        assert np.isnan(field[0]).all() and np.isfinite(field[1:]).all()
    np.testing.assert_allclose(fitted.weight[1, 1], sound.weight, atol=1e-9)


@every_family
@pytest.mark.parametrize("where", ["source", "target"])
def test_squares_beyond_the_numbers_are_a_status_or_not_needed(name, where, double_precision):
    given = dict(zip(("source", "target"), pairs(), strict=True), weights=np.ones(ROWS))
    bad, sound = given | {where: 1e200 * given[where]}, FAMILIES[name].solve(**given)
    if where == "source" and name in ("linear", "affine"):  # the QR of the rows, which they turn to, squares nothing
        fitted = jax.jit(FAMILIES[name].solve)(**bad)
        np.testing.assert_allclose(1e200 * fitted.weight, sound.weight, atol=1e-9)
        assert fitted.converged
    else:
        assert_status(name, given, bad, where, sound)


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].decomposes])
def test_a_decomposition_that_fails_is_a_status(name, monkeypatch):
    def failing(decompose):  # as JAX reports that LAPACK or cuSOLVER did not converge
        return lambda matrix: jax.tree.map(lambda a: jnp.full_like(a, jnp.nan), decompose(matrix))

    for each in ("eigh", "svd", "triangle", "inverse_cholesky"):
        monkeypatch.setattr(lapack, each, failing(getattr(lapack, each)))
    x, y = pairs(rows=ROWS + 1, d=D - 1)  # a shape that no other test has compiled
    fitted = FAMILIES[name].solve(x.astype(np.float32), y.astype(np.float32))
    assert not fitted.converged
    assert np.isnan(fitted.weight).all() and np.isnan(fitted.bias).all() and np.isnan(fitted.residual)


@every_family
def test_unequal_dimensions(name):
    x, y = (a.astype(np.float32) for a in pairs())
    solve = FAMILIES[name].solve
    if FAMILIES[name].equal:
        with pytest.raises(ValueError, match=r"share their dimensions.*\(24, 3\).*\(24, 4\)"):
            solve(x[:, :3], y)
        return
    up = solve(x[:, :3], y)
    assert up.weight.shape == (3, 4)
    if name in ("orthogonal", "rigid", "rotation", "similarity"):
        length = np.linalg.norm(up.weight[0])
        np.testing.assert_allclose(up.weight @ up.weight.T, length**2 * np.eye(3), atol=1e-5)
        # The best embedding is where every other one, such as the best with two axes exchanged, fits worse.
        assert np.linalg.norm(y - up(x[:, :3])) < np.linalg.norm(y - x[:, [1, 0, 2]] @ up.weight - up.bias)
        with pytest.raises(ValueError, match=r"source must not have more dimensions.*\(24, 4\).*\(24, 3\)"):
            solve(x, y[:, :3])
    else:
        np.testing.assert_allclose(up.weight, FAMILIES[name].reference(x[:, :3], y)[0], atol=5e-5)
        assert solve(x, y[:, :3]).weight.shape == (4, 3)
