"""What a search finds with a map and without: by hand, on real encoders, and the intervals of its figures."""

import re
import tracemalloc

import jax.numpy as jnp
import numpy as np
import pytest

from align import search, solvers
from align.data.texts import encoder_sample
from align.maps import AffineMap
from align.search import families
from align.search.documents import Best, as_good, shares_found, unit


def test_the_best_come_in_any_blocks():
    random = np.random.default_rng(0)
    queries, documents = (random.normal(size=(n, 4)).astype(np.float32) for n in (7, 50))
    expected = np.argsort(-(queries @ documents.T), axis=1)[:, :6]
    for size in (1, 9, 50):
        best = Best(queries, 6)
        for first in range(0, 50, size):
            best.look_among(documents[first : first + size])
            best.look_among(documents[:0])
        np.testing.assert_array_equal(best.ranked(), expected)


def test_shares_and_unit_rows_by_hand():
    found, wanted = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 9], [6, 4]])
    np.testing.assert_array_equal(shares_found(found, wanted), [0.5, 1])
    rows = np.float32([[3e30, 4e30], [0, 0], [3e-30, 4e-30]])
    np.testing.assert_allclose(unit(rows), [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(("size", "dtype"), [(50, np.float32), (350, np.float32), (350, np.float64)])
@pytest.mark.parametrize("fitted", [AffineMap.identity(8), AffineMap(2 * jnp.eye(8)[::-1], jnp.zeros(8))])
def test_copies_of_a_document_stand_for_one_another(size, dtype, fitted):
    """Of a corpus that holds some documents 30 times over, an exact map finds all that re-embedding finds."""
    random = np.random.default_rng(0)
    documents = random.normal(size=(200, 8)).astype(np.float32)
    documents = random.permutation(np.concatenate([documents, np.repeat(documents[:5], 30, axis=0)]))
    old, new = documents, np.asarray(fitted(documents), dtype)
    queries = documents[:40] + 0.05 * random.normal(size=(40, 8)).astype(np.float32)
    corpus = [(old[first : first + size], new[first : first + size]) for first in range(0, 350, size)]
    found = search.found(fitted, queries, np.asarray(fitted(queries), dtype), corpus, candidates=(10, 20))
    for way in ("re-embedding", "old encoder", "mapped index", "inverted queries"):
        np.testing.assert_array_equal(found.ways[way], 1)
    np.testing.assert_array_equal(found.re_ranked[20], 1)


def test_queries_go_through_the_inverse_as_they_come():
    random = np.random.default_rng(0)
    documents, queries = (random.normal(size=(n, 8)).astype(np.float32) + 3 for n in (300, 40))
    fitted = AffineMap(5 * jnp.eye(8)[::-1], jnp.full(8, 7.0))  # what is of unit length has another direction after it
    corpus = [(documents, np.asarray(fitted(documents)))]
    ways = search.found(fitted, queries, np.asarray(fitted(queries)), corpus, candidates=(10,)).ways
    np.testing.assert_array_equal(ways["inverted queries"], ways["old encoder"])


def test_as_good_by_hand():
    best = np.float32([[0.9, 0.8], [0.9, 0.5]])
    judged = np.float32([[0.8, 0.8, 0.8], [0.6, 0.4, 0.1]])  # three copies count as the two there can be
    np.testing.assert_array_equal(as_good(judged, best), [1, 0.5])
    kept = np.array([[0.9, 0.9 - 1e-7]])  # copies, multiplied in float32
    np.testing.assert_array_equal(as_good(kept, np.array([[0.9, 0.9]])), 0.5)
    np.testing.assert_array_equal(as_good(kept, np.array([[0.9, 0.9]]), np.dtype(np.float32)), 1)


@pytest.fixture(scope="module")
def measured():
    texts = encoder_sample()
    fitted = solvers.ridge(texts.minilm[:600], texts.mpnet[:600])
    corpus = [(texts.minilm[block], texts.mpnet[block]) for block in (slice(600, 2000), slice(2000, 4000))]
    old, new = texts.minilm[6500:], texts.mpnet[6500:]
    return fitted, old, new, search.found(fitted, old, new, corpus, candidates=(10, 50, 5000)), texts


def test_every_way_is_a_search_of_its_own(measured):
    fitted, old, new, found, texts = measured
    assert list(found.ways) == ["re-embedding", "old encoder", "no map", "inverted queries", "mapped index"]
    assert found.documents == 3400 and list(found.re_ranked) == [10, 50]
    documents = {"old": texts.minilm[600:4000], "new": texts.mpnet[600:4000]}
    asked = {
        "re-embedding": (new, documents["new"]),
        "old encoder": (old, documents["old"]),
        "no map": (new, documents["old"]),
        "inverted queries": (fitted.inverse()(new), documents["old"]),
        "mapped index": (new, fitted(documents["old"])),
    }
    wanted = None
    for way, (queries, rows) in asked.items():
        order = np.argsort(-(unit(np.asarray(queries)) @ unit(np.asarray(rows)).T), axis=1)
        wanted = order[:, :10] if wanted is None else wanted
        np.testing.assert_allclose(found.ways[way], shares_found(order[:, :10], wanted), atol=0.11)
        assert abs(found.ways[way].mean() - shares_found(order[:, :10], wanted).mean()) < 1e-3
    np.testing.assert_array_equal(found.re_ranked[10], found.ways["mapped index"])
    assert found.re_ranked[50].mean() > found.ways["mapped index"].mean() + 0.2
    np.testing.assert_array_equal(found.old_re_ranked[10], found.ways["old encoder"])
    assert found.ways["re-embedding"].min() == 1


def test_the_verdict_is_that_of_the_interval(measured):
    found = measured[3]
    values = np.random.default_rng(0).uniform(size=200)
    for shift, expected, word in ((0.2, True, "worth it: "), (-0.2, False, "not worth it: "), (0.001, None, "open: ")):
        noise = 0.1 * np.random.default_rng(1).normal(size=200)
        ways = {"old encoder": values, "mapped index": values + shift + noise}
        worth_it, why = search.verdict(found._replace(ways=ways))
        assert worth_it is expected and why.startswith(word) and "the old encoder, kept," in why
        assert ("queries would tell" in why) == (expected is None)
    assert "embedding the first 50 of a query again finds" in why and ", of the old encoder's 0." in why
    # Five gains say nothing of those that there may be to the other side.
    for count, expected in ((5, None), (6, True)):
        ways = {"old encoder": values, "mapped index": values + np.r_[np.full(count, 0.1), np.zeros(200 - count)]}
        worth_it, why = search.verdict(found._replace(ways=ways))
        assert worth_it is expected and ("too few queries differ" in why) == (expected is None)
    same = {"old encoder": values, "no map": values + 0.1, "mapped index": values + 0.1}
    assert search.verdict(found._replace(ways=same, re_ranked={}))[1].endswith("the same for every query")
    assert "no map at all" in search.verdict(found._replace(ways=same))[1]
    for few in (1, 2, 5):
        ways = {"old encoder": np.zeros(few), "mapped index": np.ones(few)}
        worth_it, why = search.verdict(found._replace(ways=ways, re_ranked={}))
        assert worth_it is None and why.startswith("open: ") and why.endswith(f"; too few queries to tell: {few}")
        assert "inf" not in why and "would tell" not in why
    # Of one query that differs the interval's long arm is that towards zero, and no fewer queries tell more.
    for rare in (np.r_[1.0, np.zeros(99)], np.r_[-1.0, np.zeros(99)]):
        ways = {"old encoder": np.zeros(100), "mapped index": rare}
        worth_it, why = search.verdict(found._replace(ways=ways))
        told = re.search(r"some ([\d,]+) queries would tell", why)
        assert worth_it is None and int(told[1].replace(",", "")) >= 100


def test_intervals_of_means():
    values = np.random.default_rng(0).binomial(10, 0.4, 400) / 10
    mean, low, high = search.estimate(values)
    assert mean == values.mean()
    np.testing.assert_allclose([mean - low, high - mean], 1.96 * values.std() / 20, rtol=0.1)
    assert search.estimate(values) == (mean, low, high)
    assert search.estimate(np.ones(6)) == (1, 1, 1)
    assert search.estimate([0.1] * 7) == (0.1, 0.1, 0.1), "whose mean rounds to another number"
    for power in (-1060, 1000):
        assert search.estimate(np.ldexp(values, power)) == tuple(np.ldexp((mean, low, high), power))
    near = search.estimate(1 + 1e-9 * values)
    np.testing.assert_allclose((near.high - 1) / 1e-9, high, rtol=1e-4)
    rare = search.estimate(np.r_[np.zeros(95), np.ones(5)])
    assert rare.high - rare.mean > 1.3 * (rare.mean - rare.low), "skewed values have a skewed interval"
    assert str(search.Estimate(0.5, 0.41, 0.6)) == "0.500 [0.410, 0.600]"


def test_resamples_of_many_values_take_little_memory():
    values = np.random.default_rng(0).normal(size=20_000)
    tracemalloc.start()
    mean, low, high = search.estimate(values, draws=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # a hundred resamples at a time would take 16 MB
    np.testing.assert_allclose([mean - low, high - mean], 1.96 * values.std() / 20_000**0.5, rtol=0.3)


def test_resamples_of_one_value_say_nothing_however_it_rounds():
    alike = [0.7 - 0.4, 0.8 - 0.5, 0.3]  # three numbers
    assert search.estimate(alike * 2) == (alike[0],) * 3
    for values in ([1.0] * 82 + [0.0], alike * 27 + [0.0]):
        mean, low, high = search.estimate(values)
        assert mean - 0.07 < low < mean + 1e-9 < high < mean + 0.02  # one of 83: 0.0003 to 0.065 (Clopper and Pearson)


@pytest.mark.parametrize(("queries", "share"), [(200, 0.02), (500, 0.01), (50, 0.1)])
def test_intervals_hold_rare_values(queries, share):
    draws = [np.random.default_rng(seed).random(queries) < share for seed in range(200)]
    ends = [search.estimate(draw, draws=500) for draw in draws if draw.any()]
    assert np.mean([low <= share <= high for _, low, high in ends]) > 0.93  # 0.75 to 0.88 of the bootstrap alone


def test_few_values_say_too_little_of_their_spread():
    for values in ([0.25, 0.5], [0.375, 0.375], [0.25, 0.5, 0.25, 0.5], [0.25, 0.25, 0.375, 0.5, 0.5]):
        assert search.estimate(values) == (0.375, -np.inf, np.inf)


@pytest.mark.parametrize("queries", [6, 7])
def test_of_six_values_on_intervals_hold_what_they_promise(queries):
    random = np.random.default_rng(queries)
    draws = {
        "normal": (random.normal(size=(400, queries)), 0),
        "shares": (random.binomial(10, 0.4, (400, queries)) / 10, 0.4),
    }
    for values, true in draws.values():
        intervals = [search.estimate(each, seed=seed) for seed, each in enumerate(values)]
        # 0.95 less 5 points, and twice the standard error of a share of 400.
        assert np.mean([low <= true <= high for _, low, high in intervals]) > 0.9 - 2 * (0.05 * 0.95 / 400) ** 0.5


def test_pairs_that_share_a_source_row_say_nothing_beyond_what_they_span():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(6, 9)), random.normal(size=(6, 8))
    x[5] = x[0]
    outside = np.eye(9) - np.linalg.pinv(x) @ x
    for name, fitted in families.fit(x, y, families.penalties(x, y)).items():
        assert np.linalg.norm(outside @ fitted.weight) < 1e-8, name
    for zeros in (np.zeros_like(x), np.r_[np.zeros((5, 9)), x[:1]]):
        assert all(np.isfinite(m.weight).all() for m in families.fit(zeros, y, families.penalties(zeros, y)).values())
