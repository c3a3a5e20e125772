"""The fitted map: what it does to points, and its files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from align.maps import AffineMap


@pytest.fixture
def fitted():
    weight, bias = jnp.array([[0.0, 2.0], [-1.0, 0.0]]), jnp.array([5.0, -3.0])
    known = {"rank": 2, "residual": 0.25, "converged": True, "trusted": False}
    return AffineMap(weight, bias, **{name: jnp.asarray(value) for name, value in known.items()})


def test_maps_points_of_any_leading_shape(fitted):
    np.testing.assert_array_equal(fitted(np.array([3.0, 4.0])), [1, 3])
    np.testing.assert_array_equal(fitted(np.array([[[3.0, 4.0]], [[0.0, 0.0]]])), [[[1, 3]], [[5, -3]]])


def test_a_batched_map_takes_batched_points(fitted):
    both = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), AffineMap(fitted.weight, fitted.bias))
    x = np.array([[[3.0, 4.0]], [[3.0, 4.0]]])
    np.testing.assert_array_equal(both(x), [[[1, 3]], [[2, 6]]])
    np.testing.assert_array_equal(jax.vmap(lambda fitted, x: fitted(x))(both, x), both(x))
    np.testing.assert_allclose(both.inverse()(both(x)), x, atol=1e-6)
    np.testing.assert_allclose(both.then(both.inverse())(x), x, atol=1e-6)


def test_points_of_another_dimension_are_refused(fitted):
    with pytest.raises(ValueError, match=r"x must be \[..., 2\].*\(5, 3\)"):
        fitted(np.zeros((5, 3)))


def test_composes_from_left_to_right(fitted):
    widen = AffineMap(jnp.ones((2, 3)), jnp.arange(3.0))
    x = np.array([[3.0, 4.0], [1.0, -1.0]])
    np.testing.assert_array_equal((fitted @ widen)(x), widen(fitted(x)))
    np.testing.assert_array_equal(fitted.then(widen).bias, [2, 3, 4])
    with pytest.raises(ValueError, match=r"after must take 3 dimensions.*\(2, 3\).*\(2, 2\)"):
        widen.then(fitted)


def test_inverts_exactly_where_it_can(fitted):
    x = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    inverse = fitted.inverse()
    np.testing.assert_allclose(inverse(fitted(x)), x, atol=1e-5)
    assert inverse.residual < 1e-6
    assert inverse.rank == 2
    assert inverse.converged and not inverse.trusted  # what was judged is which point belongs to which
    np.testing.assert_allclose(inverse.condition, 2, rtol=1e-6)


def test_inverts_in_the_least_squares_sense_elsewhere():
    flat = AffineMap(jnp.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), jnp.array([1.0, 2.0]))
    inverse = flat.inverse()
    np.testing.assert_allclose(inverse(np.array([[4.0, 9.0]])), [[3, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(inverse.residual, np.sqrt(2 / 3), rtol=1e-6)  # two of three dimensions are lost
    assert inverse.rank == 1


def test_inverse_has_the_right_derivative(double_precision):
    weight, change = np.random.default_rng(1).normal(size=(2, 3, 5))

    def inverse(step):
        return AffineMap(weight + step * change, jnp.zeros(5)).inverse().weight

    _, exact = jax.jvp(inverse, (0.0,), (1.0,))
    np.testing.assert_allclose(exact, (inverse(1e-6) - inverse(-1e-6)) / 2e-6, atol=1e-7)


def test_survives_a_file(fitted, tmp_path):
    path = tmp_path / "map.safetensors"
    fitted.save(path, metadata={"solver": "rigid", "rows": 100})
    loaded = AffineMap.load(path)
    for a, b in zip(jax.tree.leaves(fitted), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert loaded.condition is None
    described = AffineMap.read_metadata(path)
    assert described["solver"] == "rigid"
    assert described["rows"] == "100"
    assert (described["d_source"], described["d_target"]) == ("2", "2")
    assert [file.name for file in tmp_path.iterdir()] == ["map.safetensors"]


def test_a_batch_survives_a_file(fitted, tmp_path):
    batch = jax.tree.map(lambda a: jnp.stack([a, a]), fitted)
    batch.save(tmp_path / "maps.safetensors")
    np.testing.assert_array_equal(AffineMap.load(tmp_path / "maps.safetensors").rank, [2, 2])


def test_a_failed_write_leaves_the_old_file(fitted, tmp_path, monkeypatch):
    path = tmp_path / "map.safetensors"
    fitted.save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        AffineMap(fitted.weight * 2, fitted.bias).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["map.safetensors"]


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        AffineMap.load(tmp_path / "nowhere.safetensors")


DESCRIBED = {"format": "align.AffineMap", "version": "1"}
HOSTILE = {
    "no weight": ({"bias": np.zeros(2, np.float32)}, DESCRIBED, "must hold weight, bias"),
    "more than a map": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2), "code": np.zeros(1)}, DESCRIBED, "code"),
    "integers": ({"weight": np.zeros((2, 2), int), "bias": np.zeros(2, int)}, DESCRIBED, "float dtype"),
    "two dtypes": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2, np.float32)}, DESCRIBED, "one float dtype"),
    "wrong bias": ({"weight": np.zeros((2, 3)), "bias": np.zeros(2)}, DESCRIBED, r"\(2, 3\).*\(2,\)"),
    "a vector": ({"weight": np.zeros(2), "bias": np.zeros(2)}, DESCRIBED, "do not belong"),
    "wrong rank": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2), "rank": np.zeros(3, int)}, DESCRIBED, "rank"),
    "foreign": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2)}, {"format": "pt"}, "not a map"),
    "undescribed": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2)}, None, "not a map"),
    "newer": ({"weight": np.zeros((2, 2)), "bias": np.zeros(2)}, {**DESCRIBED, "version": "2"}, "version 1"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_files_that_are_no_map(case, tmp_path):
    arrays, metadata, message = HOSTILE[case]
    save_file(arrays, tmp_path / "x.safetensors", metadata)
    with pytest.raises(ValueError, match=message):
        AffineMap.load(tmp_path / "x.safetensors")


def test_bytes_that_are_no_map(fitted, tmp_path):
    path = tmp_path / "x.safetensors"
    fitted.save(path)
    whole = path.read_bytes()
    broken = [whole[:keep] for keep in (0, 4, 30, len(whole) - 1)]
    broken += [b"\x80\x04\x95" + whole, b"\xff" * 8 + whole[8:], whole.replace(b'"F32"', b'"F64"', 1)]
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a readable safetensors file"):
            AffineMap.load(path)
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        AffineMap.load(tmp_path)  # a folder
