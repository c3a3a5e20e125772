"""Classifiers: halves, the residual network, the loss, and the errors of wrong names."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from align import models, networks, training
from align.models.residual import Block


@functools.cache
def built(name, seed=0):
    model = models.classifier(name, 7)
    return model, jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, 28, 28, 1)))


@pytest.mark.parametrize("name", models.ENCODERS)
def test_head_of_codes_is_the_whole(name, sample):
    model, params = built(name)
    images = jnp.asarray(sample.test.images[:5])
    codes = models.encode(model, params, images)
    head, share = models.head_of(model, params)
    assert codes.shape == (5, 7)
    np.testing.assert_allclose(head.apply(share, codes), jax.jit(model.apply)(params, images), atol=1e-5)
    expected = np.asarray(codes) @ np.asarray(share["params"]["kernel"]) + np.asarray(share["params"]["bias"])
    np.testing.assert_array_equal(models.predicted(head, share, codes), expected.argmax(-1))


def test_a_block_starts_as_its_short_cut():
    x = jax.random.normal(jax.random.key(0), (3, 6, 6, 2))
    params = Block(3).init(jax.random.key(1), x)
    np.testing.assert_array_equal(Block(3).apply(params, x), jax.nn.relu(x))
    moved = jax.tree_util.tree_map_with_path(lambda path, p: p + (path[-1].key == "weight"), params)
    assert float(jnp.abs(Block(3).apply(moved, x) - jax.nn.relu(x)).max()) > 0.1
    half = Block(5, 2)
    assert half.apply(half.init(jax.random.key(1), x), x).shape == (5, 3, 3, 2)


def test_cross_entropy_by_hand():
    logits, labels = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])), jnp.array([0, 2])
    expected = -(np.log(0.5) + np.log(0.7)) / 2
    np.testing.assert_allclose(training.cross_entropy(logits, labels), expected, rtol=1e-6)


def test_a_network_learns_to_classify_and_is_found_again(tmp_path):
    inputs = jax.random.normal(jax.random.key(0), (256, 2))
    labels = (inputs[:, 0] > inputs[:, 1]).astype(jnp.int32)
    settings = training.Settings(epochs=4, batch=32, learning_rate=3e-2)
    model, ask = models.Classifier(models.MLPEncoder(3, (8,)), models.classifier("mlp", 3, 2).head), []
    for _ in range(2):
        (params,) = networks.obtain(
            model,
            [{"kind": "classifier", "seed": 0}],
            inputs,
            labels,
            settings,
            tmp_path,
            loss=training.cross_entropy,
            context="cross-entropy",
            after_round=lambda epochs, loss: ask.append(loss),
        )
    assert np.mean(models.predicted(model, params, inputs) == labels) > 0.95
    assert len(ask) == 5 and ask[3] < ask[0] and np.isnan(ask[4]), "the second time nothing is trained"


def test_seeds_give_different_networks(sample):
    images = jnp.asarray(sample.test.images[:5])
    codes = [models.encode(*built("residual", seed), images) for seed in (0, 1)]
    assert float(jnp.abs(codes[0] - codes[1]).max()) > 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tree", 5), "model must be one of conv, mlp, residual; it is 'tree'"),
        (("conv", 0), "latent must be a whole number, at least 1; it is 0"),
        (("conv", 5, 0), "classes must be a whole number, at least 1; it is 0"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.classifier(*arguments)
