"""Every solver against every property that it promises.

The problems share their shapes so that each solver is compiled only a few times.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from families import FAMILIES

from align import solvers

ROWS, D, PROBES = 24, 4, 5
every_family = pytest.mark.parametrize("name", FAMILIES)


def pairs(seed=0, rows=ROWS, d=D):
    """Uncentred rows related by a rotation, a scale, a shift and noise: a problem that suits every family."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, d)) * np.linspace(1, 2, d) + 2 * rng.normal(size=d)
    y = x @ np.linalg.qr(rng.normal(size=(d, d)))[0] * 1.3 + rng.normal(size=d) + 0.3 * rng.normal(size=(rows, d))
    return x, y


@functools.cache
def batched(name):
    def solve(x, y, weights):
        return FAMILIES[name].solve(x, y, weights=weights)

    return jax.jit(jax.vmap(jax.vmap(solve)))


@functools.cache
def derivatives(name):
    """A smooth function of the fit, its gradient by rows, weights and probe, and the gradient's change along them."""

    def loss(x, y, weights, probe):
        return jnp.sin(FAMILIES[name].solve(x, y, weights=weights)(probe)).sum()

    @jax.jit
    def both(point, direction):
        return jax.jvp(jax.value_and_grad(lambda point: loss(*point)), (point,), (direction,))

    return both


def assert_derivatives(name, path):
    """First and second derivative along a path of arguments, at 0, against central differences.

    A deficient fit is determined along paths of one rank only, hence the second derivative of the value along the path
    (p' H p' + g p'') and not the change of a gradient seen from a fixed direction, which leaves them.
    """
    step = 1e-4
    behind, here, ahead = path(-step), path(0.0), path(step)
    velocity = [(a - b) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    (value, gradient), (along, change) = derivatives(name)(here, velocity)
    value_ahead, value_behind = (derivatives(name)(point, velocity)[0][0] for point in (ahead, behind))
    numeric = (value_ahead - value_behind) / (2 * step)
    np.testing.assert_allclose(along, numeric, rtol=1e-4, atol=1e-6)

    def dot(a, b):
        return sum(np.vdot(one, other) for one, other in zip(a, b, strict=True))

    np.testing.assert_allclose(dot(gradient, velocity), numeric, rtol=1e-4, atol=1e-6)
    acceleration = [(a - 2 * h + b) / step**2 for a, h, b in zip(ahead, here, behind, strict=True)]
    numeric = (value_ahead - 2 * value + value_behind) / step**2
    np.testing.assert_allclose(dot(change, velocity) + dot(gradient, acceleration), numeric, rtol=1e-3, atol=1e-4)


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
    error, fitted = planted(name, np.float32, rows=3000)
    assert error < 5e-5
    assert fitted.residual < 1e-5


@pytest.mark.parametrize("name", [name for name in FAMILIES if FAMILIES[name].reference])
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


@every_family
def test_jit_and_vmap_equal_the_loop(name, double_precision):
    x, y = (np.stack(each) for each in zip(*map(pairs, range(3)), strict=True))
    mapped = batched(name)(x[None], y[None], np.ones((1, 3, ROWS)))
    for k in range(3):
        alone = FAMILIES[name].solve(x[k], y[k])
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(mapped), strict=True):
            np.testing.assert_allclose(a, b[0, k], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mapped(x[None])[0, 2], alone(x[2]), atol=1e-9)


@every_family
def test_is_equivariant(name, double_precision):
    x, y = pairs()
    solve, rng = FAMILIES[name].solve, np.random.default_rng(2)
    plain = solve(x, y)
    order = rng.permutation(ROWS)
    reordered = solve(x[order], y[order])
    np.testing.assert_allclose(reordered.weight, plain.weight, atol=1e-9)
    np.testing.assert_allclose(reordered.bias, plain.bias, atol=1e-9)
    if FAMILIES[name].turns:
        before, after = (np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(2))
        before[:, 0] *= np.linalg.det(before)  # rotations, so that a fit without reflections may follow
        after[:, 0] *= np.linalg.det(after)
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
    if FAMILIES[name].reference:
        weight, bias = FAMILIES[name].reference(x, y)
        np.testing.assert_allclose(np.linalg.norm(y - fitted(x)), np.linalg.norm(y - x @ weight - bias), rtol=1e-9)
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


def smooth_path(seed, x, y):
    rng = np.random.default_rng(seed)
    start = [x, y, rng.uniform(1, 2, ROWS), rng.normal(size=(PROBES, D))]
    direction = [rng.normal(size=a.shape) for a in start]
    return lambda step: [a + step * d for a, d in zip(start, direction, strict=True)]


@every_family
def test_derivatives_at_generic_rows(name, double_precision):
    assert_derivatives(name, smooth_path(5, *pairs(7)))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in ("reduced_rank", "ridge_auto")])
def test_derivatives_at_equal_singular_values(name, double_precision):
    # Not for reduced_rank, whose map is not unique there, nor for the choice among equally good goals of ridge.
    rng = np.random.default_rng(6)
    x = np.linalg.qr(rng.normal(size=(ROWS, D)))[0]
    path = smooth_path(6, x, x @ np.linalg.qr(rng.normal(size=(D, D)))[0])

    def equally_weighted(step):
        x, y, _, probe = path(step)
        return [x, y, np.ones(ROWS), probe]

    assert_derivatives(name, equally_weighted)


@every_family
def test_derivatives_at_rank_deficient_rows(name, double_precision):
    # Along rows of rank two, seen on such rows: elsewhere a rigid map is not determined.
    rng = np.random.default_rng(8)
    shapes = (ROWS, 2), (2, D), (ROWS, D), (PROBES, 2)
    (left, right, y, inside), direction = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))

    def path(step):
        left_, right_, y_, inside_ = (a + step * d for a, d in zip((left, right, y, inside), direction, strict=True))
        left_, inside_ = left_ - left_.mean(0), inside_ - inside_.mean(0)
        return [left_ @ right_, y_, np.ones(ROWS), inside_ @ right_]

    assert_derivatives(name, path)


@every_family
def test_integers_and_half_precision_are_computed_in_float32(name):
    x, y = np.random.default_rng(4).integers(-9, 9, (2, ROWS, D))
    from_integers = FAMILIES[name].solve(x, y)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        other = FAMILIES[name].solve(jnp.asarray(x, dtype), jnp.asarray(y, dtype))
        assert other.weight.dtype == jnp.float32
        np.testing.assert_array_equal(other.weight, from_integers.weight)


def products(jaxpr):
    """Every dot_general of a jaxpr and of the jaxprs inside it."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(inner, "eqns"):
                yield from products(inner)


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
    found = list(products(jax.make_jaxpr(second)(*abstract)))
    assert len(found) > 10
    highest = (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)
    assert [each for each in found if each.params["precision"] != highest] == []


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
        both = (np.stack([bad[key], given[key], given[key]])[None] for key in ("source", "target", "weights"))
        fitted = jax.tree.map(lambda a: a[0], batched(name)(*both))
        np.testing.assert_array_equal(fitted.converged, [False, True, True])
        assert np.isnan(fitted.weight[0]).all()
        assert np.isnan(fitted.bias[0]).all()
        assert np.isnan(fitted.residual[0])
        np.testing.assert_allclose(fitted.weight[1], sound.weight, atol=1e-9)


@every_family
def test_shapes_that_do_not_fit(name):
    solve = FAMILIES[name].solve
    x, y = (a.astype(np.float32) for a in pairs())
    with pytest.raises(ValueError, match=r"source and target.*\(23, 4\).*\(24, 4\)"):
        solve(x[:-1], y)
    with pytest.raises(ValueError, match=r"source must be \[rows, dimensions\].*\(24,\)"):
        solve(x[:, 0], y)
    with pytest.raises(ValueError, match=r"weights must be \[24\].*\(24, 1\)"):
        solve(x, y, weights=np.ones((ROWS, 1)))
    with pytest.raises(ValueError, match=r"at least \d row.*\(0, 4\)"):
        jax.eval_shape(solve, x[:0], y[:0])
    with pytest.raises(ValueError, match=r"source must hold real numbers.*complex64"):
        solve(x.astype(np.complex64), y)


@every_family
def test_weights_that_count_nothing(name, double_precision):
    x, y = pairs()
    for weights in (-np.ones(ROWS), np.zeros(ROWS)):
        with pytest.raises(ValueError, match="weights must not be negative"):
            FAMILIES[name].solve(x, y, weights=weights)


@every_family
def test_unequal_dimensions(name):
    x, y = (a.astype(np.float32) for a in pairs())
    solve = FAMILIES[name].solve
    if name == "scaling":
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
    elif name != "ridge_auto":
        np.testing.assert_allclose(up.weight, FAMILIES[name].reference(x[:, :3], y)[0], atol=5e-5)
        assert solve(x, y[:, :3]).weight.shape == (4, 3)


@pytest.mark.parametrize("name", ["similarity", "scaling", "ridge"])
def test_squares_that_vanish_are_a_failure_and_no_map_of_zeros(name):
    target = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    fitted = getattr(solvers, name)(target * np.float32(1e-30), target)
    assert not bool(fitted.converged) and np.isnan(fitted.weight).all()
    constant = getattr(solvers, name)(np.zeros_like(target), target)
    assert bool(constant.converged) and not np.any(constant.weight)
