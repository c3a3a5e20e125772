"""Streaming, merging and sharding: the same answer as all rows at once."""

import functools
import itertools
import tracemalloc

import jax
import numpy as np
import pytest

from align import metrics, solvers, streaming
from align.arrays.double import enable_x64
from align.streaming import accumulate

pytestmark = pytest.mark.usefixtures("strict_promotion")

ROWS, D, E = 3_000, 5, 6


@functools.cache
def rows():
    """float32 rows with offsets and a condition of 1e4."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, D)) * np.geomspace(1, 1e-4, D) @ np.linalg.qr(rng.normal(size=(D, D)))[0] + 1
    y = x @ rng.normal(size=(D, E)) + 1e-4 * rng.normal(size=(ROWS, E)) - 2
    return x.astype(np.float32), y.astype(np.float32)


def test_the_rows_have_the_condition_that_is_claimed():
    x, _ = rows()
    assert 0.9e4 < np.linalg.cond(x - x.mean(0, dtype=float)) < 1.1e4


def exact(x, y):
    x, y = x.astype(float), y.astype(float)
    total, mean_x, mean_y = len(x), x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    return streaming.Statistics(total, mean_x, mean_y, x.T @ x, x.T @ y, y.T @ y)


def assert_same(a, b, tolerance=1e-11):
    for name, one, other in zip(a._fields, a, b, strict=True):
        assert np.asarray(one).dtype == np.float64
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max(), err_msg=name)


def test_arrays():
    assert_same(streaming.from_arrays(*rows()), exact(*rows()))


def test_blocks_of_any_size_in_any_order():
    x, y = rows()
    edges = [0, 1, 1, 1025, ROWS]
    blocks = [(x[a:b], y[a:b]) for a, b in itertools.pairwise(edges)]
    assert_same(streaming.from_blocks(reversed(blocks)), exact(x, y))


def test_blocks_may_be_one_array_filled_again():
    x, y = rows()
    held = np.empty((700, D), np.float32), np.empty((700, E), np.float32)

    def filled():
        for start in range(0, ROWS, 700):
            parts = [a[start : start + 700] for a in (x, y)]
            blocks = [array[: len(part)] for array, part in zip(held, parts, strict=True)]
            for block, part in zip(blocks, parts, strict=True):
                block[:] = part
            yield tuple(blocks)
            for block in blocks:
                block[:] = np.nan  # what was yielded has been read by now

    assert_same(streaming.from_blocks(filled()), exact(x, y))


def test_memory_mapped_files(tmp_path, monkeypatch):
    x, y = rows()
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    monkeypatch.setattr(accumulate, "_BLOCK_BYTES", 1)  # the smallest blocks, of 1,024 rows
    mapped = [np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy")]
    assert_same(streaming.from_arrays(*mapped), exact(x, y))


def test_memory_is_bounded(tmp_path):
    """100 MB of rows in a file, well below that in memory."""
    large = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (400_000, 64))
    large[:] = np.arange(64)
    large[::2] += 1
    tracemalloc.start()
    record = streaming.from_arrays(large, large[:, :2])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    np.testing.assert_allclose(record.source, np.full((64, 64), 100_000.0))


def test_weights_repeat_rows():
    x, y = rows()
    weights = np.random.default_rng(1).integers(0, 3, ROWS)
    record = streaming.from_arrays(x, y, weights=weights)
    assert_same(record, exact(np.repeat(x, weights, axis=0), np.repeat(y, weights, axis=0)))


@pytest.mark.parametrize("solver", ["rigid", "similarity", "affine", "ridge"])
def test_fits_need_no_moments_of_the_target(solver):
    x, y = (array[:, :D] for array in rows())
    weights = np.random.default_rng(1).integers(0, 3, ROWS)
    whole = streaming.from_arrays(x, y, weights=weights)
    thirds = np.split(np.arange(ROWS), 3)
    parts = [streaming.from_arrays(x[p], y[p], weights=weights[p], target_moments=False) for p in thirds]
    record = streaming.merge(*parts)
    np.testing.assert_allclose(record.target, np.diag(whole.target), rtol=1e-11)
    fitted, expected = streaming.fit(record, solver), streaming.fit(whole, solver)
    for name in ("weight", "bias", "residual"):
        np.testing.assert_allclose(getattr(fitted, name), getattr(expected, name), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(streaming.procrustes_distance(record), streaming.procrustes_distance(whole), rtol=1e-6)
    for measure in (streaming.linear_cka, streaming.canonical_correlations):
        with pytest.raises(ValueError, match="must have the target's second moments"):
            measure(record)
    with pytest.raises(ValueError, match="must all be made for fits alone"):
        streaming.merge(record, whole)


@pytest.mark.parametrize("light", [[0], [1e-30], np.geomspace(1e-50, 1e-30, 2048)], ids=["none", "one", "rising"])
def test_rows_that_hardly_weigh_cost_no_digits(light):
    x, y = rows()
    far, weights = np.full((2048, D), 1e9), np.r_[np.resize(light, 2048), np.ones(ROWS)]
    source, target = np.r_[far, x], np.r_[np.full((2048, E), 1e9), y]
    assert_same(streaming.from_arrays(source, target, weights=weights), exact(x, y))
    if any(light):
        apart = streaming.from_arrays(source[:2048], target[:2048], weights=weights[:2048])
        assert_same(streaming.merge(apart, streaming.from_arrays(x, y)), exact(x, y))


def test_negative_weights_are_refused():
    weights = np.where(np.arange(ROWS) == 7, -0.5, 1)
    with pytest.raises(ValueError, match=r"weights must not be negative; the least is -0\.5"):
        streaming.from_arrays(*rows(), weights=weights)


def test_merging_is_adding_rows():
    x, y = rows()
    parts = [streaming.from_arrays(x[a:b], y[a:b]) for a, b in ((0, 1024), (1024, 1025), (1025, ROWS))]
    assert_same(streaming.merge(*parts), exact(x, y))
    assert_same(streaming.merge(parts[2], streaming.merge(parts[1], parts[0])), exact(x, y))
    with pytest.raises(ValueError, match=r"share their dimensions.*\(5, 6\), \(6, 5\)"):
        streaming.merge(parts[0], streaming.from_arrays(y, x))


@pytest.mark.parametrize("weighted", [False, True])
def test_shards_of_a_mesh(weighted):
    assert jax.device_count() == 2
    mesh = jax.make_mesh((2,), ("rows",))
    x, y = rows()
    weights = np.random.default_rng(2).integers(0, 3, ROWS) if weighted else None
    record = streaming.from_sharded(x, y, mesh, weights=weights)
    assert_same(record, streaming.from_arrays(x, y, weights=weights))
    with pytest.raises(ValueError, match=r"multiple of 2 rows.*\(2999, 5\)"):
        streaming.from_sharded(x[1:], y[1:], mesh)
    with pytest.raises(ValueError, match="axis must be one of the mesh, rows; it is 'columns'"):
        streaming.from_sharded(x, y, mesh, axis="columns")


@pytest.mark.parametrize("name", ["orthogonal", "rigid", "similarity", "linear", "affine"])
def test_fits_equal_those_in_memory(name):
    x, y = rows()
    streamed = streaming.fit(streaming.from_arrays(x, y), name)
    with enable_x64(True):
        fitted = getattr(solvers, name)(x.astype(float), y.astype(float))
    assert streamed.weight.dtype == np.float32
    for field in ("weight", "bias", "residual"):
        one, other = np.asarray(getattr(streamed, field)), np.asarray(getattr(fitted, field))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max(), err_msg=field)
    assert streamed.rank == fitted.rank
    assert streamed.converged


@pytest.mark.parametrize("towards", ["zero", "rigid", "similarity"])
def test_ridge_equals_that_in_memory(towards):
    x, y = rows()
    record = streaming.from_arrays(x, y)
    streamed = streaming.ridge(record, strengths=[0.5], towards=towards)
    with enable_x64(True):
        fitted = solvers.ridge(x.astype(float), y.astype(float), strengths=[0.5], towards=towards)
    for field in ("weight", "bias", "residual"):
        one, other = np.asarray(getattr(streamed, field)), np.asarray(getattr(fitted, field))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max(), err_msg=field)
    np.testing.assert_allclose(streamed.details.path_degrees, fitted.details.path_degrees[0], rtol=1e-6)
    np.testing.assert_allclose(streamed.details.generalised, fitted.details.leave_one_out, rtol=1e-3)


def test_ridge_refuses_weights_that_count_no_second_row():
    record = streaming.from_arrays(*rows(), weights=np.full(ROWS, 1 / ROWS))
    with pytest.raises(ValueError, match="weights must sum to more than one, as they count rows; they sum to 1"):
        streaming.fit(record, "ridge")


def test_ridge_chooses_as_leave_one_out_does():
    x, y = np.random.default_rng(3).normal(size=(2, 60, 10)).astype(np.float32)
    streamed = streaming.ridge(streaming.from_arrays(x, y))
    fitted = solvers.ridge(x, y, towards="zero")
    assert 0.2 < streamed.details.strength / fitted.details.strength < 5


def test_measures_equal_those_of_the_rows():
    x, y = rows()
    record = streaming.from_arrays(x, y)
    with enable_x64(True):
        x, y = x.astype(float), y.astype(float)
        correlations = np.asarray(metrics.canonical_correlations(x, y))
        cka, distance = float(metrics.linear_cka(x, y)), float(metrics.procrustes_distance(x, y))
        length = float(metrics.procrustes_distance(x, y, normalise=False))
    np.testing.assert_allclose(streaming.canonical_correlations(record), correlations, atol=1e-6)
    np.testing.assert_allclose(streaming.linear_cka(record), cka, rtol=1e-10)
    np.testing.assert_allclose(streaming.procrustes_distance(record), distance, rtol=1e-9)
    np.testing.assert_allclose(streaming.procrustes_distance(record, normalise=False), length, rtol=1e-9)


@pytest.mark.parametrize("scale", [1, 1e6 / 3])
def test_a_constant_set_is_none_that_varies_by_its_rounding(scale):
    x, parts = rows()[0].astype(float), np.split(np.arange(ROWS), 3)
    mesh, weights = jax.make_mesh((2,), ("rows",)), np.random.default_rng(1).uniform(size=ROWS)
    target = np.full((ROWS, D), 0.1 * scale)  # float64, whose mean rounds
    records = [
        streaming.from_arrays(x, target),
        streaming.merge(*(streaming.from_arrays(x[p], target[p], weights=weights[p]) for p in parts)),
        streaming.from_sharded(x, target, mesh, weights=weights),
    ]
    for record in records:
        assert np.isnan(streaming.linear_cka(record)) and np.isnan(streaming.procrustes_distance(record))
        np.testing.assert_array_equal(streaming.canonical_correlations(record), 0)
        for solver in ("similarity", "affine", "ridge"):
            fitted = streaming.fit(record, solver)
            assert fitted.converged and fitted.residual == 0
            np.testing.assert_allclose(fitted(np.float32(x[:3])), target[:3], rtol=1e-6)
        # A rotation misses what does not vary, by infinitely many times its spread: as in memory.
        for one in (streaming.fit(record, "rigid"), solvers.rigid(x.astype(np.float32), np.ones_like(target))):
            assert one.converged and np.isinf(one.residual)


def test_lists_are_arrays():
    x, y = [[1.0, 2], [3, 5], [0, 1]], [[1.0], [0], [4]]
    expected = streaming.from_arrays(np.array(x), np.array(y), weights=np.array([1, 2, 1]))
    assert_same(streaming.from_arrays(x, y, weights=[1, 2, 1]), expected)
    assert_same(streaming.from_blocks([(x[:1], y[:1], [1]), (x[1:], y[1:], [2, 1])]), expected)
