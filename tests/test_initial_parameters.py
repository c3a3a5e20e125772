"""Initial parameters as other frameworks draw them: bounds, variances, singular values; what has no kernel is left."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from align import models
from align.models import initial


@pytest.fixture(scope="module")
def params():
    model = models.Autoencoder(models.ConvEncoder(6, (4,), (3,), (8,)), models.ConvDecoder((4,), (3,), (8,)))
    return model.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


def layers(params):
    """Give (kernel, bias) by the name of a layer."""
    return {
        f"{half} {name}": (np.asarray(layer["kernel"]), np.asarray(layer["bias"]))
        for half, parts in params["params"].items()
        for name, layer in parts.items()
    }


def test_uniform_is_as_pytorch_draws(params):
    drawn = layers(initial.uniform(jax.random.key(1), params))
    # The values that a sum is over; of a transposed convolution its outputs, times 3 x 3.
    fans = {"encoder Conv_0": 9, "encoder Dense_0": 784, "encoder Dense_1": 8}
    fans |= {"decoder Dense_0": 6, "decoder Dense_1": 8, "decoder ConvTranspose_0": 9}
    assert drawn.keys() == fans.keys()
    for name, fan in fans.items():
        kernel, bias = drawn[name]
        assert kernel.shape == layers(params)[name][0].shape
        assert max(np.abs(kernel).max(), np.abs(bias).max()) <= 1 / np.sqrt(fan) < 1.2 * np.abs(kernel).max()
        assert np.abs(bias).max() > 0
    # A third of 1 / fan.
    np.testing.assert_allclose(drawn["encoder Dense_0"][0].var() * 784, 1 / 3, rtol=0.05)


def test_orthogonal_kernels_have_one_singular_value(params):
    for kernel, bias in layers(initial.orthogonal(jax.random.key(1), params)).values():
        matrix = kernel.reshape(-1, kernel.shape[-1])
        values = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(values, np.sqrt(max(1, matrix.shape[1] / len(matrix))), rtol=1e-4)
        np.testing.assert_array_equal(bias, 0)


@pytest.mark.parametrize("draw", initial.DRAWS.values())
def test_every_leaf_has_a_key_of_its_own_and_others_are_left(draw, params):
    weight = {"params": {"weight": jnp.ones(3), "list": [jnp.ones(2)], **params["params"]}}
    one, two = (draw(jax.random.key(seed), weight)["params"] for seed in (0, 1))
    np.testing.assert_array_equal(np.r_[one["weight"], one["list"][0]], 1)
    assert float(jnp.abs(one["encoder"]["Dense_1"]["kernel"] - two["encoder"]["Dense_1"]["kernel"]).max()) > 0.1
