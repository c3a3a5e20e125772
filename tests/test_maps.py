"""The fitted map: what it does to points, and its files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from align import search
from align.arrays.precision import PrecisionWarning
from align.maps import AffineMap, description, map_file

pytestmark = pytest.mark.usefixtures("strict_promotion")


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


def test_what_is_no_map_does_not_follow_one(fitted):
    with pytest.raises(ValueError, match="after must be an AffineMap; it is ndarray"):
        fitted @ np.eye(fitted.d_target)


def test_the_folder_that_is_not_there_is_named(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder to write to: .*none/map.safetensors'"):
        fitted.save(tmp_path / "none" / "map.safetensors")


def test_complex_maps_are_not_saved(fitted, tmp_path):
    with pytest.raises(ValueError, match="must be real numbers to be saved; they are complex64 and float32"):
        AffineMap(fitted.weight.astype(complex), fitted.bias).save(tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_reported_as_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        AffineMap.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("shapes", [((2, 3), (2,)), ((2,), (2,)), ((4, 2, 3), (3,)), ((4, 2, 3), (5, 3)), ((2, 3), ())])
def test_a_weight_and_a_bias_that_do_not_belong_together_are_refused(shapes):
    weight, bias = map(np.zeros, shapes)
    with pytest.raises(ValueError, match=r"weight must be \[d_source, d_target\] and bias \[d_target\]") as refused:
        AffineMap(weight, bias)
    assert f"{weight.shape} and {bias.shape}" in str(refused.value)


def test_transformations_may_put_anything_in_the_place_of_the_arrays(fitted):
    assert jax.tree.map(lambda _: 0, fitted).weight == 0
    assert jax.tree.map(jnp.sum, fitted).bias == 2
    assert jax.eval_shape(lambda m: m.then(m), fitted).weight.shape == (2, 2)
    last = jax.vmap(lambda scale: AffineMap(scale * fitted.weight, fitted.bias), out_axes=-1)(jnp.arange(3.0))
    assert (last.weight.shape, last.bias.shape) == ((2, 2, 3), (2, 3))
    leaves, tree = jax.tree.flatten(fitted)
    assert jax.tree.structure(jax.tree.unflatten(tree, leaves)) == tree
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(fitted)]
    assert paths == [".weight", ".bias", ".rank", ".residual", ".converged", ".trusted"]


def test_a_map_that_was_chosen_passes_through_transformations():
    random = np.random.default_rng(0)
    x = random.normal(size=(30, 3)).astype(np.float32)
    chosen = search.auto(x, x[:, ::-1] + random.normal(size=(30, 3)).astype(np.float32) / 10)
    mapped, passed = jax.jit(lambda fitted, points: (fitted(points), fitted))(chosen, x)
    np.testing.assert_allclose(mapped, chosen(x), rtol=1e-5, atol=1e-6)
    before, after = chosen.details.summary(), passed.details.summary()
    assert len(before["compared"]) == 3 and before.keys() == after.keys()
    assert before["explanation"] == after["explanation"]
    for title, lines in before["compared"].items():
        for name, figures in lines.items():
            np.testing.assert_allclose(after["compared"][title][name], figures, atol=2e-4)
    again = search.auto(x, x[:, ::-1])
    assert hash(jax.tree.structure(chosen)) and jax.tree.structure(again) != jax.tree.structure(chosen)


def test_the_identity_moves_nothing():
    same, x = AffineMap.identity(3), np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(same(x), x)
    assert (same.d_source, same.d_target, repr(same)) == (3, 3, "AffineMap(identity, 3 to 3 dimensions)")
    with pytest.raises(ValueError, match="dimensions must be a whole number"):
        AffineMap.identity(0)


WIDE = np.eye(2, 4, dtype=np.float32)
LINES = {
    "rotation and translation, 2 to 2 dimensions": (np.array([[0, 1], [-1, 0]]), np.ones(2)),
    "reflection, 2 to 2 dimensions": (np.array([[0, 1], [1, 0]]), np.zeros(2)),
    "rotation, scaled, 2 to 2 dimensions": (3 * np.array([[0, 1], [-1, 0]]), np.zeros(2)),
    "isometric embedding, 2 to 4 dimensions": (WIDE, np.zeros(4)),
    "orthogonal projection, 4 to 2 dimensions": (WIDE.T, np.zeros(2)),
    "scale per axis, 2 to 2 dimensions": (np.diag([1, 2]), np.zeros(2)),
    "linear, 2 to 2 dimensions": (np.array([[1, 2], [3, 4]]), np.zeros(2)),
    "linear of rank 1, 2 to 2 dimensions": (np.array([[1, 2], [2, 4]]), np.zeros(2)),
    "constant, 2 to 2 dimensions": (np.zeros((2, 2)), np.ones(2)),
    "not finite, 2 to 2 dimensions": (np.full((2, 2), np.nan), np.zeros(2)),
    "2049 to 1 dimensions": (np.ones((2049, 1)), np.zeros(1)),
    "orthogonal projection, scaled, 2000 to 1 dimensions": (np.ones((2000, 1)), np.zeros(1)),
    "600 to 600 dimensions": (np.ones((600, 600)), np.zeros(600)),  # only the singular values would say of rank 1
}


@pytest.mark.parametrize("line", LINES)
def test_is_said_in_one_line(line):
    weight, bias = (np.asarray(a, np.float32) for a in LINES[line])
    assert repr(AffineMap(weight, bias)) == f"AffineMap({line})"
    if np.isfinite(weight).all() and len(weight) < 500:
        assert line.startswith(description.describe(AffineMap(weight, bias))["family"])


@pytest.mark.parametrize("spread", [0, 2e-5, 9e-5, 1.1e-4, 2e-4, 1e-3, 1])
@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_line_needs_no_singular_values_to_name_the_family_that_they_say(spread, rank, dtype):
    random = np.random.default_rng(0)
    left, right = (np.linalg.qr(random.normal(size=(d, d)))[0] for d in (4, 6))
    values = np.array([1, 1 + spread, 1 - spread / 2, 1]) * (np.arange(4) < rank)
    fitted = AffineMap((left * values @ right[:4]).astype(dtype), np.zeros(6, dtype))
    assert description.family(fitted) == description.describe(fitted)["family"]


def test_the_line_says_how_well_it_fits(fitted):
    assert repr(fitted) == "AffineMap(linear and translation, 2 to 2 dimensions, residual 0.25, not trusted)"
    both = jax.tree.map(lambda a: jnp.stack([a, a + a]), fitted)
    assert repr(both) == "AffineMap(2 maps, 2 to 2 dimensions, residual 0.25 to 0.5, 0 of 2 trusted)"
    kept = []
    jax.jit(lambda m: kept.append(repr(m)))(fitted)
    assert kept == ["AffineMap(2 to 2 dimensions, DynamicJaxprTracer)"]
    assert repr(AffineMap(0, 0)) == "AffineMap(weight=0, bias=0)"
    assert "ShapeDtypeStruct" in repr(jax.eval_shape(lambda m: m, fitted))


def test_float64_that_is_computed_in_float32_is_stated(fitted, recwarn):
    fitted(np.zeros(2, np.float32))
    fitted([[1.0, 2.0]])  # Python's own numbers have no dtype that was chosen
    assert not recwarn
    with pytest.warns(PrecisionWarning, match=r"float64 input is computed in float32.*jax_enable_x64"):
        fitted(np.zeros(2))


def test_float64_that_stays_so_is_not(fitted, recwarn, double_precision):
    assert fitted(np.zeros(2)).dtype == np.float64
    assert not recwarn


@pytest.mark.parametrize(
    "dtypes", [("float16",) * 2, ("bfloat16",) * 2, ("bfloat16", "float16"), ("int32",) * 2, ("float32", "float64")]
)
def test_maps_of_any_numbers_are_inverted_shown_and_kept(dtypes, tmp_path):
    weight, bias = (np.asarray(a, jnp.dtype(d)) for a, d in zip(([[0, 2], [-1, 0]], [5, -3]), dtypes, strict=True))
    fitted = AffineMap(weight, bias)
    np.testing.assert_allclose(fitted.inverse()(fitted(np.float32([[3, 4]]))), [[3, 4]], rtol=1e-6)
    assert "linear" in repr(fitted) and description.describe(fitted)["weight_rank"] == 2
    fitted.save(tmp_path / "x.safetensors")
    loaded = AffineMap.load(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(loaded.weight, weight.astype(np.float32))
    np.testing.assert_array_equal(loaded.bias, bias.astype(np.float32))


def test_what_is_kept_in_float64_stays_so(tmp_path):
    AffineMap(np.full((1, 1), 0.1), np.full(1, 0.1)).save(tmp_path / "x.safetensors")
    assert map_file.read(tmp_path / "x.safetensors")[0]["weight"] == 0.1


def test_the_inverse_counts_as_zero_what_the_arithmetic_rounds():
    weight = np.random.default_rng(0).normal(size=(6, 3)) @ np.random.default_rng(1).normal(size=(3, 6))
    back = AffineMap(weight, np.zeros(6)).inverse()
    assert back.rank == 3 and back.weight.dtype == np.float32
    np.testing.assert_allclose(back.weight, np.linalg.pinv(weight, rcond=1e-6), atol=1e-5)


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


def test_a_map_may_be_made_of_lists():
    fitted = AffineMap([[1.0, 2.0], [0.0, 1.0]], [3.0, 4.0])
    np.testing.assert_array_equal(fitted(np.eye(2, dtype=np.float32)), [[4, 6], [3, 5]])
