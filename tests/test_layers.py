"""Both forms of the convolutions are one function: forward, gradients, and what Flax computes."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from align.models import layers

FORMS = {
    "conv": (layers.conv_matrix, layers.conv_lax),
    "conv on a CPU": (layers.conv_cpu, layers.conv_lax),
    "conv_transpose": (layers.conv_transpose_matrix, layers.conv_transpose_lax),
}
SIZES, STRIDES, SHAPES = (1, 2, 3, 4, 5), (1, 2, 3), ((8, 8), (7, 7), (5, 9), (1, 4))
# Every size of a kernel with every shape of an image, each of both with every stride.
PAIRWISE = [
    (size, STRIDES[(i + j) % len(STRIDES)], shape) for i, size in enumerate(SIZES) for j, shape in enumerate(SHAPES)
]


def example(shape, size, channels=3, features=2):
    keys = jax.random.split(jax.random.key(0), 2)
    images = jax.random.normal(keys[0], (2, *shape, channels))
    return layers.images_last(images), jax.random.normal(keys[1], (size, size, channels, features))


@pytest.mark.parametrize("layer", FORMS)
@pytest.mark.parametrize(("size", "stride", "shape"), PAIRWISE)
def test_matrix_form_equals_lax(layer, size, stride, shape, double_precision):
    x, kernel = example(shape, size)
    matrix, convolution = (jax.jit(form, static_argnums=2)(x, kernel, stride) for form in FORMS[layer])
    np.testing.assert_allclose(matrix, convolution, atol=1e-12)


@pytest.mark.parametrize("layer", FORMS)
@pytest.mark.parametrize(("size", "stride", "shape"), [(3, 2, (7, 7)), (4, 2, (6, 5)), (5, 2, (8, 7)), (2, 3, (7, 4))])
def test_gradients_of_matrix_form_equal_lax(layer, size, stride, shape, double_precision):
    x, kernel = example(shape, size)

    def gradients(form):
        loss = lambda x, kernel: jnp.sum(jnp.sin(form(x, kernel, stride)))  # noqa: E731
        return jax.jit(jax.grad(loss, argnums=(0, 1)))(x, kernel)

    for ours, expected in zip(*map(gradients, FORMS[layer]), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_pairs_of_cases_are_all_there():
    for one, other in ((0, 1), (0, 2), (1, 2)):
        values = (SIZES, STRIDES, SHAPES)
        assert len({(case[one], case[other]) for case in PAIRWISE}) == len(values[one]) * len(values[other])


def test_col2im_is_the_transpose_of_im2col():
    x, _ = example((7, 6), 3)
    patches = layers.im2col(x, 3, 2)
    other = jax.random.normal(jax.random.key(1), patches.shape)
    forth = jnp.vdot(patches, other)
    back = jnp.vdot(x, layers.col2im(other, 3, 2, (7, 6)))
    np.testing.assert_allclose(forth, back, rtol=1e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (layers.Conv(4, 3, 2), nn.Conv(4, (3, 3), 2)),
        (layers.ConvTranspose(4, 3, 2), nn.ConvTranspose(4, (3, 3), (2, 2))),
        (layers.ConvTranspose(4, 5, 2), nn.ConvTranspose(4, (5, 5), (2, 2))),
    ],
)
def test_modules_equal_flax(ours, theirs):
    x, _ = example((7, 5), 3)
    images = layers.images_first(x)
    params = theirs.init(jax.random.key(0), images)
    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(0), x)) == jax.tree.map(jnp.shape, params)
    np.testing.assert_allclose(layers.images_first(ours.apply(params, x)), theirs.apply(params, images), atol=2e-5)


def test_rows_hold_height_width_and_channels_as_flax_lays_them_out():
    x, _ = example((4, 3), 3, channels=5)
    images = layers.images_first(x)
    assert images.shape == (2, 4, 3, 5)
    np.testing.assert_array_equal(layers.flattened(x), images.reshape(2, -1))
    np.testing.assert_array_equal(layers.unflattened(images.reshape(2, -1), (4, 3, 5)), x)


def test_gradients_and_many_kernels_are_matrix_products_on_a_cpu_and_convolutions_elsewhere():
    x, kernel = example((8, 8), 3)
    module = layers.Conv(2)
    apply = lambda kernel: module.apply({"params": {"kernel": kernel, "bias": jnp.zeros(2)}}, x)  # noqa: E731
    forms = {
        "forward": apply,
        "gradient": jax.grad(lambda kernel: apply(kernel).sum()),
        "many": lambda kernel: jax.vmap(apply)(jnp.stack([kernel, kernel])),
    }
    convolved = {
        (name, platform): "stablehlo.convolution"
        in jax.jit(form).trace(kernel).lower(lowering_platforms=(platform,)).as_text()
        for name, form in forms.items()
        for platform in ("cpu", "cuda")
    }
    assert [key for key, is_there in convolved.items() if not is_there] == [("gradient", "cpu"), ("many", "cpu")]


def test_the_gain_of_stride_squared_keeps_the_variance():
    x = jax.random.normal(jax.random.key(0), (16, 32, 32, 4))
    spread = {}
    for gain in (1.0, 4.0):
        layer = layers.ConvTranspose(16, 5, 2, gain)
        spread[gain] = float(layer.apply(layer.init(jax.random.key(1), x), x)[:, 4:-4, 4:-4].var())
    assert abs(spread[4.0] - 1) < 0.15 and abs(spread[1.0] - 0.25) < 0.05
