"""Decompositions of batches: equal to those of the matrices, however they are vmapped, and never several at a time."""

import contextlib
import functools

import jax
import numpy as np
import pytest
import scipy.linalg
from jax import numpy as jnp
from threadpoolctl import threadpool_info, threadpool_limits

from align import metrics, solvers, streaming
from align.linalg import lapack, threads

MATRICES = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 6, 4)), jnp.float32)
SYMMETRIC = MATRICES.mT @ MATRICES
CASES = {
    "eigh": (lapack.eigh, SYMMETRIC, np.linalg.eigh),
    "svd": (lapack.svd, MATRICES, lambda x: np.linalg.svd(x, full_matrices=False)),
    "svd_with_all_axes": (lapack.svd_with_all_axes, SYMMETRIC, np.linalg.svd),
    "qr": (lapack.qr, MATRICES, np.linalg.qr),
    "triangle": (lapack.triangle, MATRICES, lambda x: np.linalg.qr(x, mode="r")),
    "inverse_cholesky": (lapack.inverse_cholesky, SYMMETRIC, lambda x: np.linalg.inv(np.linalg.cholesky(x))),
}


@pytest.mark.parametrize("name", CASES)
def test_batches_equal_numpy_by_axes_and_by_vmap(name):
    function, matrices, reference = CASES[name]
    expected = jax.tree.leaves(reference(np.asarray(matrices)))
    for batched in (function, jax.vmap(jax.vmap(function)), jax.jit(jax.vmap(function)), jax.vmap(function, 1, 1)):
        for result, exact in zip(jax.tree.leaves(batched(matrices)), expected, strict=True):
            # Vectors are unique but for their sign.
            np.testing.assert_allclose(np.abs(result), np.abs(exact), rtol=2e-4, atol=2e-5)


def test_products_of_factors_over_three_batch_axes():
    matrices = jnp.asarray(np.random.default_rng(1).normal(size=(4, 2, 3, 5, 5)), jnp.float32)

    def again(matrix):
        u, s, vt = lapack.svd(matrix)
        return jnp.matmul(u * s, vt, precision=jax.lax.Precision.HIGHEST)

    several = jax.jit(jax.vmap(jax.vmap(jax.vmap(again))))
    np.testing.assert_allclose(several(matrices), matrices, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_on_a_cpu_no_call_holds_a_batch(name):
    # A batch in one call is what XLA's threads wait for; on two cores, two of them at once lock up.
    function, matrices, _ = CASES[name]
    compiled = jax.jit(jax.vmap(jax.vmap(function))).lower(matrices).compile().as_text()
    calls = [line for line in compiled.splitlines() if "custom-call(" in line and "lapack" in line]
    assert calls
    assert not any("[2,3," in line or "[3,6,4]" in line or "[3,4,4]" in line for line in calls)


@pytest.mark.parametrize("metric", [metrics.cca, metrics.svcca, metrics.procrustes_distance])
@pytest.mark.parametrize("shape", [(7, 4), (4, 7)])
def test_on_a_cpu_no_call_of_a_metric_holds_a_batch(metric, shape):
    x, y = (jax.random.normal(jax.random.key(k), (3, *shape)) for k in (0, 1))
    compiled = jax.jit(jax.vmap(metric)).lower(x, y).compile().as_text()
    calls = [line for line in compiled.splitlines() if "custom-call(" in line and "lapack" in line]
    assert calls and not any("[3," in line.partition("custom-call")[0] for line in calls)
    np.testing.assert_allclose(jax.vmap(metric)(x, y), [metric(*one) for one in zip(x, y, strict=True)], atol=1e-5)


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_while_clouds_are_iterated_on_lapack_has_one_thread_and_afterwards_what_it_had():
    scipy.linalg.svdvals(np.eye(2))  # loads the library that JAX takes LAPACK from
    few, many = jnp.ones((3, 20)), jnp.ones((2, 1025))
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert max(before) == 2
        with threads.for_rows(few, few):
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
        for arrays in ((few, many), (few[:, :16],)):  # large matrices share their work, tiny ones have none to share
            with threads.for_rows(*arrays):
                assert blas_threads() == before
        seen = []

        @jax.jit
        def traced(x):
            with threads.for_rows(x):
                seen.append(blas_threads())
            return x

        traced(few)
        assert seen == [before]
        with pytest.raises(ValueError, match="meant"), threads.for_rows(few):
            raise ValueError("meant")
        assert blas_threads() == before


def test_iterations_side_by_side_leave_the_threads_that_there_were():
    # As threads of Python do: the first to begin ends first.
    few = jnp.ones((3, 20))
    with threadpool_limits(2, user_api="blas"):
        first, second = threads.for_rows(few), threads.for_rows(few)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert set(blas_threads()) == {2}


ROWS = np.random.default_rng(2).normal(size=(2, 60, 20)).astype(np.float32)


def _streamed():
    return streaming.fit(streaming.from_arrays(*ROWS), "affine")


@pytest.mark.parametrize(
    "fit",
    [
        *(functools.partial(getattr(solvers, name), *ROWS) for name in ("orthogonal", "linear", "affine", "ridge")),
        functools.partial(solvers.reduced_rank, *ROWS, rank=3),
        functools.partial(solvers.consensus, list(ROWS), strengths=[jnp.inf]),
        functools.partial(metrics.svcca, *ROWS),
        functools.partial(metrics.canonical_correlations, *ROWS),
        functools.partial(metrics.procrustes_distance, *ROWS),
        _streamed,
    ],
    ids=lambda fit: getattr(fit, "func", fit).__name__,
)
def test_fits_of_pairs_have_one_thread_until_they_are_done(fit, monkeypatch):
    # On busy cores, other threads of OpenBLAS spin for one that has none: a ridge took ten times as long.
    waited = []

    @contextlib.contextmanager
    def watched(largest):
        with threads._one_thread():
            yield
            waited.append(largest)

    monkeypatch.setattr(threads, "for_dimensions", watched)
    jax.block_until_ready(jax.tree.leaves(fit()))
    assert waited == [20]


@pytest.mark.parametrize("name", ["eigh", "svd", "svd_with_all_axes", "qr", "triangle", "inverse_cholesky"])
def test_what_is_not_finite_gives_nan_without_a_word(name, capfd):
    decompose = jax.jit(getattr(lapack, name))
    sound = np.eye(6, dtype=np.float32) + 0.1
    for bad in (np.nan, np.inf):
        matrix = sound.copy()
        matrix[2, 2] = bad
        assert all(np.isnan(part).all() for part in jax.tree.leaves(decompose(matrix)))
        both = jax.vmap(decompose)(np.stack([matrix, sound]))
        assert all(np.isnan(part[0]).all() and np.isfinite(part[1]).all() for part in jax.tree.leaves(both))
    assert capfd.readouterr() == ("", "")
