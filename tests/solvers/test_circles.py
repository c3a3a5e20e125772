"""Several clouds: maps that agree around circles, and one failure that the others repair."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.maps import AffineMap
from align.solvers.circles import agreed


def planted():
    """Four clouds of one latent cloud, and the true maps between them, one of each pair."""
    random = np.random.default_rng(0)
    turns = [np.linalg.qr(random.normal(size=(6, 6)))[0].astype(np.float32) for _ in range(4)]
    latent = random.gamma(1, size=(400, 6)).astype(np.float32) * np.arange(1, 7, dtype=np.float32)
    clouds = [latent @ t + i for i, t in enumerate(turns)]
    maps = {}
    for i in range(4):
        for j in range(i + 1, 4):
            weight = jnp.asarray(turns[i].T @ turns[j])
            maps[i, j] = AffineMap(weight, j - i * weight.sum(0), trusted=jnp.asarray(True))
    return clouds, maps


def test_circles_close_and_a_failed_map_is_repaired():
    clouds, maps = planted()
    wrong = jnp.asarray(np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0], jnp.float32)
    maps[0, 1] = AffineMap(wrong, jnp.zeros(6), trusted=jnp.asarray(True))
    circles = agreed(clouds, maps)
    for i, j in ((0, 1), (1, 0), (3, 0)):
        np.testing.assert_allclose(circles.between(i, j)(clouds[i]), clouds[j], atol=0.2)
    around = circles.between(0, 1).then(circles.between(1, 2)).then(circles.between(2, 0))
    np.testing.assert_allclose(around.weight, np.eye(6), atol=1e-4)
    np.testing.assert_allclose(around.bias, 0, atol=1e-3)
    others = [circles.disagreement[i, j] for i, j in maps if (i, j) != (0, 1)]
    assert circles.disagreement[0, 1] > 10 * max(others)
    assert circles.trusted.all()


def test_a_map_that_is_no_number_is_outvoted():
    clouds, maps = planted()
    maps[0, 1] = AffineMap(jnp.full((6, 6), jnp.nan), jnp.zeros(6), trusted=jnp.asarray(False))
    circles = agreed(clouds, maps)
    np.testing.assert_allclose(circles.between(0, 1)(clouds[0]), clouds[1], atol=0.2)
    assert circles.disagreement[0, 1] > 0.1 and circles.trusted.all()


def test_a_wider_cloud_keeps_its_mean():
    clouds, maps = planted()
    wide = np.pad(clouds[3], ((0, 0), (0, 2))) + np.arange(8, dtype=np.float32)
    for i in range(3):
        weight = jnp.pad(maps[i, 3].weight, ((0, 0), (0, 2)))
        maps[i, 3] = AffineMap(weight, jnp.pad(maps[i, 3].bias, (0, 2)) + jnp.arange(8.0))
    circles = agreed([*clouds[:3], wide], maps)
    np.testing.assert_allclose(circles.between(0, 3)(clouds[0]), wide, atol=1e-3)
    np.testing.assert_allclose(circles.between(3, 1)(wide), clouds[1], atol=1e-3)


def test_dimensions_of_a_wider_cloud_alone_have_no_part_in_its_scale():
    clouds, maps = planted()
    own = 7 * np.random.default_rng(5).normal(size=(len(clouds[3]), 2)).astype(np.float32)
    for i in range(3):
        maps[i, 3] = AffineMap(jnp.pad(maps[i, 3].weight, ((0, 0), (0, 2))), jnp.pad(maps[i, 3].bias, (0, 2)))
    circles = agreed([*clouds[:3], np.c_[clouds[3], own]], maps)
    assert circles.trusted.all()
    spread = clouds[3].std()
    np.testing.assert_allclose(circles.between(0, 3)(clouds[0])[:, :6] / spread, clouds[3] / spread, atol=0.05)
    np.testing.assert_allclose(circles.between(3, 1)(np.c_[clouds[3], 0 * own]), clouds[1], atol=0.05 * clouds[1].std())


def test_many_clouds_hang_together_and_unrelated_maps_do_not():
    cloud = np.random.default_rng(0).gamma(1, size=(60, 3)).astype(np.float32) * np.arange(1, 4, dtype=np.float32)
    pairs = [(i, j) for i in range(17) for j in range(i + 1, 17)]
    same = AffineMap(jnp.eye(3), jnp.zeros(3))
    assert agreed([cloud] * 17, dict.fromkeys(pairs, same)).trusted.all()
    random = np.random.default_rng(1)
    turns = [jnp.asarray(np.linalg.qr(random.normal(size=(3, 3)))[0], jnp.float32) for _ in pairs]
    unrelated = {pair: AffineMap(turn, jnp.zeros(3)) for pair, turn in zip(pairs, turns, strict=True)}
    assert not agreed([cloud] * 17, unrelated).trusted.all()


def test_one_wrong_map_among_three_clouds_is_noticed():
    clouds, maps = planted()
    three = {pair: fitted for pair, fitted in maps.items() if 3 not in pair}
    assert agreed(clouds[:3], three).trusted.all()
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    three[0, 1] = AffineMap(jnp.asarray(turn, jnp.float32), jnp.zeros(6), trusted=jnp.asarray(True))
    assert not agreed(clouds[:3], three).trusted.all()


def test_what_no_trusted_map_reaches_is_not_trusted():
    clouds, maps = planted()
    for i in range(3):
        maps[i, 3] = AffineMap(maps[i, 3].weight, maps[i, 3].bias, trusted=jnp.asarray(False))
    assert agreed(clouds, maps).trusted.tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("cloud", "message"),
    [
        (np.ones(40), r"must be \[rows, dimensions\], at least one of each; it is \(40,\)"),
        ("text", "must be an array of real numbers; it is str"),
        (np.full((40, 3), np.nan), "holds NaN or infinity"),
        (np.ones((1, 3)), r"must have at least 2 rows; it is \(1, 3\)"),
    ],
)
def test_a_cloud_that_is_none_is_named(cloud, message):
    with pytest.raises(ValueError, match=rf"clouds\[1\] {message}"):
        solvers.unpaired_many(jax.random.key(0), [np.ones((40, 3)), cloud, np.ones((40, 3))])


@pytest.mark.parametrize("value", [0, 0.1])
def test_a_cloud_that_does_not_vary_is_named(value):
    clouds, maps = planted()
    clouds[2] = np.full((400, 6), value, np.float32)
    for make in (lambda: agreed(clouds, maps), lambda: solvers.unpaired_many(jax.random.key(0), clouds)):
        with pytest.raises(ValueError, match=r"clouds\[2\] must vary; all 400 of its rows are the same"):
            make()


def test_fewer_than_three_clouds_make_no_circle():
    with pytest.raises(ValueError, match="three or more"):
        solvers.unpaired_many(jax.random.key(0), [np.ones((40, 3))] * 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hubs_have_the_type_of_the_clouds(double_precision, dtype):
    clouds = [np.random.default_rng(seed).normal(size=(50, 3)).astype(dtype) for seed in range(3)]
    same = AffineMap(jnp.eye(3, dtype=dtype), jnp.zeros(3, dtype))
    found = agreed(clouds, dict.fromkeys([(0, 1), (0, 2), (1, 2)], same))
    assert {hub.weight.dtype for hub in found.hubs} == {np.dtype(dtype)}


def test_a_row_that_is_far_out_sets_no_scale():
    clouds, maps = planted()
    expected = agreed(clouds, maps)
    circles = agreed([clouds[0], np.concatenate([clouds[1], np.full((1, 6), 400, np.float32)]), *clouds[2:]], maps)
    for i, j in ((0, 1), (1, 0), (1, 2)):
        np.testing.assert_allclose(circles.between(i, j).weight, expected.between(i, j).weight, atol=1e-4)
        np.testing.assert_allclose(circles.between(i, j).bias, expected.between(i, j).bias, atol=1e-3)
