"""Similarities by hand, what each is invariant to and what it is not, and the module that is trained end to end."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from align import models, relative
from align.arrays.double import enable_x64
from align.relative import SIMILARITIES, RelativeAutoencoder, represent

pytestmark = pytest.mark.usefixtures("strict_promotion")

CODES, ANCHORS = np.random.default_rng(0).normal(size=(30, 4)), np.random.default_rng(1).normal(size=(9, 4))

BY_HAND = [
    ("euclidean", [[0, 0], [3, 0]], [[3, 4], [0, 0]], [[5, 0], [4, 3]]),
    # Among the anchors the distances are 0 and 4: mean 2, standard deviation 2.
    ("scaled", [[1, 0], [4, 3]], [[0, 0], [4, 0]], [[-0.5, 0.5], [1.5, 0.5]]),
    ("scaled", [[3, 4]], [[0, 0]], [[5]]),
    # Anchors at 0, 3 and 9: their distances' means are 4, 3 and 5, their variance about the mean of all, 4, is 12.
    ("scaled", [[0, 0]], [[0, 0], [3, 0], [9, 0]], [[-4 / 12**0.5, 0, 4 / 12**0.5]]),
    ("cosine", [[2, 0], [0, 0]], [[5, 0], [-1, 0], [0, 3], [1, 1]], [[1, -1, 0, 0.5**0.5], [0, 0, 0, 0]]),
    # Around the anchors' mean (2, 0) the codes are (0, 5) and (3, 0), the anchors (-1, 0) and (1, 0).
    ("centred", [[2, 5], [5, 0]], [[1, 0], [3, 0]], [[0, 0], [-1, 1]]),
    # The anchors' variances are 2 and 1/2, their covariance 0.
    ("whitened", [[2, 0]], [[2, 0], [-2, 0], [0, 1], [0, -1]], [[0, 8**0.5, 2, 2]]),
]


@pytest.mark.parametrize(("name", "codes", "anchors", "expected"), BY_HAND)
def test_by_hand(name, codes, anchors, expected):
    result = represent(jnp.array(codes, jnp.float32), jnp.array(anchors, jnp.float32), name)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def transforms():
    rng = np.random.default_rng(2)
    reflection = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    reflection[0] *= -np.sign(np.linalg.det(reflection))
    shift, matrix = rng.normal(size=4), rng.normal(size=(4, 4)) + 2 * np.eye(4)
    return {
        "rotation and reflection": lambda x: x @ reflection,
        "translation": lambda x: x + shift,
        "scale": lambda x: 3 * x,
        "affine": lambda x: x @ matrix + shift,
    }


UNCHANGED_BY = {
    "euclidean": {"rotation and reflection", "translation"},
    "scaled": {"rotation and reflection", "translation", "scale"},
    "cosine": {"rotation and reflection", "scale"},
    "centred": {"rotation and reflection", "translation", "scale"},
    "whitened": {"rotation and reflection", "translation", "scale", "affine"},
}


@pytest.mark.parametrize("transform", transforms())
@pytest.mark.parametrize("name", SIMILARITIES)
def test_invariances_hold_where_they_are_stated_and_nowhere_else(name, transform, double_precision):
    function = transforms()[transform]
    before = represent(jnp.asarray(CODES), jnp.asarray(ANCHORS), name)
    after = represent(jnp.asarray(function(CODES)), jnp.asarray(function(ANCHORS)), name)
    change = float(jnp.abs(after - before).max())
    if transform in UNCHANGED_BY[name]:
        assert change < 1e-12
    else:
        assert change > 0.1


def test_whitened_distances_have_derivatives_where_anchors_are_alike():
    random = np.random.default_rng(0)
    weights, anchors, direction = (random.normal(size=(n, d)) for n, d in ((len(CODES), 12), (12, 4), (12, 4)))
    codes = random.normal(size=(len(CODES), 4))

    def total(anchors):
        parts = (jnp.asarray(part, anchors.dtype) for part in (weights, codes))
        return (next(parts) * relative.whitened(next(parts), anchors)).sum()

    for alike in (np.c_[np.ones(12), 2 * np.ones(12), anchors[:, 2:]], np.ones((12, 4)), np.eye(12, 4)):
        assert jnp.isfinite(jax.grad(total)(jnp.asarray(alike, jnp.float32))).all()
    with enable_x64(True):
        found = (jax.grad(total)(jnp.asarray(anchors)) * direction).sum()
        high, low = (float(total(jnp.asarray(anchors + step * direction))) for step in (1e-5, -1e-5))
        assert float(found) == pytest.approx((high - low) / 2e-5, rel=1e-4)
        slope = jax.grad(lambda anchors: (jax.grad(total)(anchors) * direction).sum())
        twice = (slope(jnp.asarray(anchors)) * direction).sum()
        ends = [(jax.grad(total)(jnp.asarray(anchors + step * direction)) * direction).sum() for step in (1e-5, -1e-5)]
        assert float(twice) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_whitening_with_too_few_anchors_leaves_unknown_directions_out():
    anchors = jnp.array([[1.0, 0, 0], [-1, 0, 0]])
    codes = jnp.array([[1.0, 0, 0], [1, 9, -7]])  # differ only where the anchors say nothing
    np.testing.assert_allclose(represent(codes, anchors, "whitened"), [[0, 2], [0, 2]], atol=1e-6)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_no_codes_have_no_similarities(name):
    assert represent(CODES[:0], ANCHORS, name).shape == (0, 9)


def test_distances_far_from_the_origin_are_exact():
    codes, anchors = CODES + 1000, ANCHORS + 1000
    expected = np.linalg.norm(codes[:, None] - anchors, axis=-1)
    np.testing.assert_allclose(represent(codes.astype(np.float32), anchors.astype(np.float32)), expected, atol=1e-3)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_gradient_is_finite_at_a_code_that_is_an_anchor(name):
    anchors = jnp.asarray(ANCHORS, jnp.float32).at[0].set(0)
    gradients = jax.grad(lambda codes, anchors: represent(codes, anchors, name).sum(), argnums=(0, 1))(anchors, anchors)
    assert all(bool(jnp.isfinite(gradient).all()) for gradient in gradients)


def test_standards_by_hand():
    representation = jnp.array([[1.0, 3.0], [2.0, 8.0], [4.0, 4.0]])
    np.testing.assert_allclose(relative.layer_normalised(representation), [[-1, 1], [-1, 1], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(relative.layer_normalised(jnp.array([[3e38, -3e38]])), [[1, -1]], rtol=1e-6)
    reference = jnp.array([[0.0, 5.0], [4.0, 5.0]])  # means 2 and 5, standard deviations 2 and 0
    np.testing.assert_allclose(
        relative.standardised(representation, reference), [[-0.5, -2], [0, 3], [1, -1]], atol=1e-6
    )


@pytest.mark.parametrize("value", [0.1, 0.3, 1e-20, 1e20])
def test_what_does_not_vary_has_a_deviation_of_1(value):
    constant = np.full((3, 5), value, np.float32)  # whose mean rounds
    varying = constant * np.float32(1 + np.arange(15).reshape(3, 5))
    np.testing.assert_array_equal(relative.layer_normalised(constant), 0)
    assert relative.layer_normalised(constant[:0]).shape == (0, constant.shape[1])
    np.testing.assert_allclose(relative.standardised(varying, constant), varying - constant, rtol=1e-6)
    params = {"params": {"Dense_0": {"kernel": np.ones((5, 2), np.float32), "bias": np.zeros(2, np.float32)}}}
    np.testing.assert_array_equal(relative.absorb_standard(params, constant)["params"]["Dense_0"]["kernel"], 1)


@pytest.mark.parametrize("power", [-90, 90])
def test_standards_are_those_of_any_scale(power):
    representation, scale = ANCHORS.astype(np.float32), np.float32(2.0**power)
    for standard in (relative.layer_normalised, lambda x: relative.standardised(x, x)):
        np.testing.assert_allclose(standard(scale * representation), standard(representation), rtol=1e-6)


@pytest.mark.parametrize("name", models.MODELS)
def test_a_decoder_absorbs_the_standard_that_it_was_trained_on(name):
    representation = represent(jnp.asarray(CODES, jnp.float32), jnp.asarray(ANCHORS, jnp.float32))
    reference = representation[:20].at[:, 3].set(2.0)  # an anchor that nothing is told apart by
    decoder = models.autoencoder(name, 4, "mnist").decoder
    params = decoder.init(jax.random.key(0), representation)
    expected = decoder.apply(params, relative.standardised(representation, reference))
    found = decoder.apply(relative.absorb_standard(params, reference), representation)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(decoder.apply(params, representation) - expected).max() > 0.01


class _Decoder(nn.Module):
    @nn.compact
    def __call__(self, codes):
        return nn.Dense(6)(codes)


def test_end2end_decodes_the_codes_similarities_to_the_anchors_codes():
    model = RelativeAutoencoder(nn.Dense(4), _Decoder())
    keys = jax.random.split(jax.random.key(0), 3)
    images, anchors = jax.random.normal(keys[0], (8, 6)), jax.random.normal(keys[1], (5, 6))
    params = model.init(keys[2], images, anchors)
    codes, anchor_codes = (model.apply(params, x, method="encode") for x in (images, anchors))
    assert codes.shape == (8, 4)
    decoder, share = models.decoder_of(model, params)
    expected = decoder.apply(share, represent(codes, anchor_codes))
    np.testing.assert_allclose(model.apply(params, images, anchors), expected, atol=1e-5)


@pytest.mark.parametrize("far", [0, 100, 10_000])
def test_whitened_and_centred_keep_the_digits_of_anchors_that_lie_far(far):
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(50, 64)) + far).astype(np.float32)
    anchors = codes[:10]  # fewer than dimensions
    exact = codes.astype(float) - anchors.astype(float).mean(0)
    _, scales, axes = np.linalg.svd(exact[:10] / 10**0.5, full_matrices=False)
    white = exact @ (axes[:9].T / scales[:9])
    distances = np.linalg.norm(white[:, None] - white[:10], axis=2)
    np.testing.assert_allclose(represent(codes, anchors, "whitened"), distances, atol=5e-3)
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(represent(codes, anchors, "centred"), unit @ unit[:10].T, atol=1e-5)
    assert not np.any(represent(codes, np.repeat(anchors[:1], 3, 0), "whitened"))
