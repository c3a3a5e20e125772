"""The autoencoders: shapes, ranges, halves, and the errors of wrong names."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from align import evaluation, models


@functools.cache
def built(name, dataset="mnist", latent=7, seed=0):
    model = models.autoencoder(name, latent, dataset)
    return model, jax.jit(model.init)(jax.random.key(seed), jnp.zeros((1, 28, 28, 1)))


def whole(model, params, images):
    return jax.jit(model.apply)(params, images)


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_halves_compose_to_the_whole(name, dataset, sample):
    model, params = built(name, dataset)
    images = jnp.asarray(sample.test.images[:5])
    codes = models.encode(model, params, images)
    decoded = models.decode(model, params, codes)
    assert codes.shape == (5, 7) and decoded.shape == images.shape
    np.testing.assert_allclose(decoded, whole(model, params, images), atol=1e-5)
    bounded = bool(((decoded > 0) & (decoded < 1)).all())
    assert bounded == (dataset == "mnist")


def test_seeds_give_different_networks(sample):
    images = jnp.asarray(sample.test.images[:5])
    codes = [models.encode(*built("conv", seed=seed), images) for seed in (0, 1)]
    assert float(jnp.abs(codes[0] - codes[1]).max()) > 0.1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_blocks_do_not_change_the_result(sample, size):
    model, params = built("conv")
    images = jnp.asarray(sample.test.images[:7])
    at_once, blocks = (
        jax.jit(lambda images, size=size: models.in_blocks(lambda x: model.apply(params, x), images, size=size))(images)
        for size in (100, size)
    )
    np.testing.assert_allclose(blocks, at_once, atol=1e-6)


@pytest.mark.parametrize("start", [0, 2])
def test_blocks_of_some_rows_are_those_rows(sample, start):
    images = jnp.asarray(sample.test.images[:7])
    some = models.in_blocks(lambda x: x.sum((1, 2)), images, 2, start=start, count=5)
    np.testing.assert_array_equal(some, images[start : start + 5].sum((1, 2)))


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("name", ["conv", "residual"])
def test_codes_do_not_depend_on_the_cores(sample, monkeypatch, name, cores):
    model, params = built(name)
    images = np.concatenate([sample.train.images[:400], sample.test.images[:401]])
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    given = [models.encode(model, params, each) for each in (images, jnp.asarray(images))]
    expected = jax.jit(lambda x: models.encode(model, params, x))(images)
    for codes in given:
        np.testing.assert_allclose(codes, expected, atol=1e-5)


@pytest.mark.parametrize("cores", [300, 384, 512])
def test_more_cores_than_shares_are_left_alone(monkeypatch, cores):
    encoder = models.ConvEncoder(2, channels=(2,), sizes=(1,))
    images = np.random.default_rng(0).normal(size=(cores * 256 + 1, 1, 1, 1)).astype(np.float32)
    model = models.Autoencoder(encoder, models.ConvDecoder(channels=(2,), sizes=(1,), side=1))
    params = model.init(jax.random.key(0), images[:1])
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    expected = model.apply(params, images, method="encode")
    np.testing.assert_allclose(models.encode(model, params, images), expected, atol=1e-5)


def test_images_closed_over_are_encoded_under_jit(sample):
    model, params = built("conv")
    images = sample.train.images[:600]
    codes = jax.jit(lambda factor: models.encode(model, params, images) * factor)(2.0)
    np.testing.assert_allclose(codes, 2 * models.encode(model, params, images), atol=1e-5)


@pytest.mark.parametrize("kept", [jnp.asarray, np.asarray])
def test_settings_of_the_caller_hold_in_every_share(sample, monkeypatch, kept):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    model, single = built("conv")
    images = np.asarray(sample.train.images[:600], np.float64)
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: kept(leaf, dtype=np.float64), single)
        codes = np.asarray(models.encode(model, params, images))
        error = evaluation.reconstruction_error(*models.decoder_of(model, params), codes, images)
    assert codes.dtype == error.dtype == np.float64
    np.testing.assert_allclose(codes, models.encode(model, single, images.astype(np.float32)), atol=1e-5)
    expected = evaluation.reconstruction_error(*models.decoder_of(model, single), np.float32(codes), np.float32(images))
    np.testing.assert_allclose(error, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["conv", "mlp"])
@pytest.mark.parametrize("dtype", ["uint8", "float16", ">f4"])
def test_images_and_codes_of_any_numbers(sample, name, dtype):
    model, params = built(name)
    images = (9 * sample.test.images[:5]).astype(dtype)
    codes = np.asarray(models.encode(model, params, images.astype(np.float32)))
    np.testing.assert_allclose(models.encode(model, params, images), codes, atol=1e-5)
    decoded = models.decode(model, params, codes.astype(dtype))
    np.testing.assert_allclose(decoded, models.decode(model, params, codes.astype(dtype).astype(np.float32)), atol=1e-5)
    assert models.encode(model, params, images[:0]).shape == (0, codes.shape[1])
    assert models.decode(model, params, codes[:0]).shape == (0, *images.shape[1:])


def test_networks_are_encoded_by_vmap(sample):
    model = built("conv")[0]
    images = jnp.asarray(sample.train.images[:600])
    params = [built("conv", seed=seed)[1] for seed in (0, 1)]
    stacked = jax.vmap(lambda p: models.encode(model, p, images))(jax.tree.map(lambda *a: jnp.stack(a), *params))
    for codes, each in zip(stacked, params, strict=True):
        np.testing.assert_allclose(codes, models.encode(model, each, images), atol=1e-5)


def test_reconstruction_error_is_the_mean_over_pixels(sample):
    model, params = built("mlp")
    images = jnp.asarray(sample.test.images[:6])
    codes = models.encode(model, params, images)
    decoder, share = models.decoder_of(model, params)
    expected = np.mean((np.asarray(whole(model, params, images), np.float64) - sample.test.images[:6]) ** 2)
    np.testing.assert_allclose(evaluation.reconstruction_error(decoder, share, codes, images), expected, rtol=1e-5)


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_reconstruction_error_does_not_depend_on_the_cores(sample, monkeypatch, cores):
    model, params = built("conv")
    decoder, share = models.decoder_of(model, params)
    images = np.concatenate([sample.train.images[:400], sample.test.images[:401]])
    codes = models.encode(model, params, images)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    expected = np.mean((np.asarray(models.decode(model, params, codes), np.float64) - images) ** 2)
    found = evaluation.reconstruction_error(decoder, share, codes, images)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    of_both = jax.vmap(lambda codes: evaluation.reconstruction_error(decoder, share, codes, images))
    np.testing.assert_allclose(of_both(jnp.stack([codes, codes])), [expected] * 2, rtol=1e-5)


def test_reconstruction_error_has_the_gradient_of_the_mean(sample):
    model, params = built("conv")
    decoder, share = models.decoder_of(model, params)
    images = jnp.asarray(sample.test.images[:300])
    codes = models.encode(model, params, images)
    gradient = jax.grad(lambda codes: evaluation.reconstruction_error(decoder, share, codes, images))(codes)
    expected = jax.grad(lambda codes: ((decoder.apply(share, codes) - images) ** 2).mean())(codes)
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize("shape", [(5, 28, 28, 1), (6, 28, 28), (1, 28, 28, 1)])
def test_images_of_another_shape_than_what_is_decoded_are_refused(sample, shape):
    model, params = built("mlp")
    decoder, share = models.decoder_of(model, params)
    with pytest.raises(ValueError, match=r"images must be of shape \(6, 28, 28, 1\), as decoded codes are; they are"):
        evaluation.reconstruction_error(decoder, share, jnp.zeros((6, 7)), jnp.zeros(shape))
