"""Queries that are sent through the transposed map find what a mapped index finds, and the index stays as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.data.texts import encoder_sample
from align.maps import AffineMap

SMALL = AffineMap(np.float32([[1, 2], [0, 1], [3, 0]]), np.float32([10, -1]))


def ten_best(scores):
    return np.sort(np.argpartition(-np.asarray(scores), 10, axis=1)[:, :10])


@pytest.fixture(scope="module")
def switch():
    """A map from 600 pairs of real encoders, 6,000 documents of the old one, 1,000 queries of the new one."""
    texts = encoder_sample()
    fitted = solvers.ridge(texts.minilm[:600], texts.mpnet[:600])
    return fitted, texts.minilm[:6000], texts.mpnet[6000:]


def test_the_same_ten_documents_as_in_the_mapped_index(switch):
    fitted, documents, queries = switch
    mapped = np.asarray(fitted(documents))
    expected = ten_best(queries @ (mapped / np.linalg.norm(mapped, axis=1, keepdims=True)).T)
    sent = np.asarray(fitted.queries(queries))
    untouched = (sent[:, :-1] @ documents.T + sent[:, -1:]) / np.asarray(fitted.norms(documents))
    longer = sent @ np.asarray(fitted.documents(documents)).T
    for found in (untouched, longer):
        assert (ten_best(found) == expected).all(1).mean() >= 0.999
    # What is left out matters: the constant of a query, and the lengths of the documents.
    assert (ten_best(sent[:, :-1] @ documents.T) == expected).all(1).mean() < 0.5


def test_by_hand():
    np.testing.assert_array_equal(SMALL.queries(np.float32([2, 1])), [4, 1, 6, 19])
    np.testing.assert_allclose(SMALL.norms(np.float32([[-10, 5, 0], [-10, 21, 0]])), [16, 0])
    np.testing.assert_allclose(
        SMALL.documents(np.float32([[-10, 5, 0], [-10, 21, 0]]))[0], [-10 / 16, 5 / 16, 0, 1 / 16]
    )
    assert not SMALL.documents(np.float32([-10, 21, 0])).any()  # sent to zero: no query finds it


def test_scales_at_the_ends_of_the_range():
    far = AffineMap(np.float32([[3e30, 0], [0, 4e30]]), np.zeros(2, np.float32))
    np.testing.assert_allclose(far.norms(np.float32([1, 1])), 5e30, rtol=1e-6)
    near = AffineMap(np.float32([[3e-30, 0], [0, 4e-30]]), np.zeros(2, np.float32))
    np.testing.assert_allclose(near.norms(np.float32([1, 1])), 5e-30, rtol=1e-6)
    beyond = np.float32([[1e8, 0.7e8], [np.nan, 0]])  # mapped to what is finite, though its norm is not
    longer = far.documents(beyond)
    np.testing.assert_allclose(longer[0, :2] * 4e30, beyond[0] / np.hypot(0.75e8, 0.7e8), rtol=1e-6)
    assert np.isnan(longer[1]).all()


def test_derivatives_where_a_point_is_mapped_to_zero():
    points = np.float32([[-10, 5, 0], [-10, 21, 0]])  # of which the second is
    for name in ("norms", "documents"):
        by_weight = jax.grad(lambda one, x, name=name: getattr(one, name)(x).sum(), allow_int=True)
        whole, first = by_weight(SMALL, points), by_weight(SMALL, points[:1])
        np.testing.assert_array_equal(whole.weight, first.weight)


def test_a_batched_map_and_one_under_jit():
    both = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), SMALL)
    queries, documents = np.random.default_rng(0).normal(size=(2, 2, 4, 3)).astype(np.float32)
    queries = queries[..., :2]
    for name, rows in (("queries", queries), ("norms", documents), ("documents", documents)):
        each = jax.vmap(lambda one, x, name=name: getattr(one, name)(x))(both, rows)
        np.testing.assert_allclose(getattr(both, name)(rows), each, rtol=1e-5)
        shared = jax.vmap(lambda one, name=name, x=rows[0]: getattr(one, name)(x))(both)
        np.testing.assert_allclose(getattr(both, name)(rows[0]), shared, rtol=1e-5)
        np.testing.assert_allclose(jax.jit(lambda x, name=name: getattr(SMALL, name)(x))(rows[0]), each[0], rtol=1e-5)
