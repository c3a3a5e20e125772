"""Stitching networks: they learn what no affine map can, have the paper's shape, and do not depend on each other."""

import dataclasses

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from align import solvers, training
from align import stitching as module
from align.stitching import StitchingNetwork, stitch_pairs, stitching

SHORT = training.Settings(epochs=1, learning_rate=1e-3, schedule="constant")


@pytest.fixture
def short(monkeypatch):
    """A training of one pass."""
    monkeypatch.setattr(module, "MIN_STEPS", 1)
    return {"settings": SHORT}


def planted(seed=0, n=300, d_source=3, d_target=2):
    """A map that bends: half of the rows for the fit, the others to judge it by."""
    keys = jax.random.split(jax.random.key(seed))
    source = jax.random.normal(keys[0], (n, d_source))
    return source, jnp.abs(source @ jax.random.normal(keys[1], (d_source, d_target)))


def error(fitted, source, target):
    return float(jnp.mean((fitted(source) - target) ** 2) / jnp.var(target))


def test_a_planted_nonlinear_map_is_learned():
    source, target = planted()
    fit, judge = slice(0, 200), slice(200, None)
    stitched = stitching(jax.random.key(1), source[fit], target[fit], factor=4)
    affine = solvers.affine(source[fit], target[fit])
    assert error(affine, source[judge], target[judge]) > 0.5
    assert error(stitched, source[judge], target[judge]) < 0.05


@pytest.mark.parametrize("factor", [1, 3])
def test_shape_is_that_of_equation_3(factor, short):
    source, target = planted()
    fitted = stitching(jax.random.key(0), source, target, factor=factor, **short)
    kernels = [layer["kernel"].shape for _, layer in sorted(fitted.params["params"].items())]
    assert kernels == [(3, 3 * factor), (3 * factor, 3 * factor), (3 * factor, 2)]
    layers = [layer for _, layer in sorted(fitted.params["params"].items())]
    x = np.asarray(source[:5], np.float64)
    for i, layer in enumerate(layers):
        x = x @ np.asarray(layer["kernel"], np.float64) + layer["bias"]
        x = np.maximum(x, 0) if i < 2 else x
    np.testing.assert_allclose(fitted(source[:5]), x, atol=1e-5)


def test_pairs_side_by_side_are_pairs_alone(short):
    keys = [jax.random.key(seed) for seed in range(3)]
    pairs = [planted(seed, n=100) for seed in range(3)]
    together = stitch_pairs(keys, *zip(*pairs, strict=True), **short)
    alone = stitching(keys[2], *pairs[2], **short)
    np.testing.assert_allclose(together[2](pairs[2][0]), alone(pairs[2][0]), atol=1e-5)
    other_key = stitching(keys[0], *pairs[2], **short)
    assert float(jnp.abs(other_key(pairs[2][0]) - alone(pairs[2][0])).max()) > 0.01


def test_rows_without_weight_do_not_count():
    source, target = planted()
    fit, judge = slice(0, 200), slice(200, None)
    wrong = target[fit].at[::2].multiply(-9)
    stitched = stitching(jax.random.key(1), source[fit], wrong, weights=np.arange(200) % 2, factor=4)
    assert error(stitched, source[judge], target[judge]) < 0.05


def test_weights_relative_to_each_other(short):
    source, target = planted(n=100)
    plain = stitching(jax.random.key(0), source, target, **short)
    even = stitching(jax.random.key(0), source, target, weights=np.full(100, 3.0), **short)
    np.testing.assert_allclose(even(source), plain(source), atol=1e-5)
    uneven = stitching(jax.random.key(0), source, target, weights=np.arange(100), **short)
    assert float(jnp.abs(uneven(source) - plain(source)).max()) > 1e-3


def test_a_training_that_diverges_is_refused(short):
    short["settings"] = dataclasses.replace(SHORT, learning_rate=1e30)
    with pytest.raises(ValueError, match=r"diverged.*a smaller learning_rate"):
        stitching(jax.random.key(0), *planted(), **short)


def test_every_product_has_the_highest_precision():
    network = StitchingNetwork(2, 3)
    params = network.init(jax.random.key(0), jnp.ones((5, 4)))
    gradient = jax.make_jaxpr(jax.grad(lambda params, x: network.apply(params, x).sum()))
    text = str(gradient(params, jnp.ones((5, 4))))
    assert text.count("dot_general") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 5


@pytest.mark.parametrize(("rows", "passes"), [(10, 300), (640, 30), (64_000, 1)])
def test_few_anchors_are_passed_over_until_there_were_3000_steps(rows, passes, monkeypatch):
    seen = []

    def fit(network, states, keys, sources, targets, settings, **options):
        seen.append((settings.epochs, settings.passes))
        return states

    monkeypatch.setattr(training, "fit", fit)
    pair = jnp.ones((rows, 3)), jnp.ones((rows, 2))
    stitching(jax.random.key(0), *pair, settings=training.Settings(epochs=10, batch=64))
    assert seen == [(10, passes)]
