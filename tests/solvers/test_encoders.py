"""Nothing known, or a few pairs, between two real encoders: the shipped sample, reduced to run in seconds."""

import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from align import solvers
from align.data.texts import encoder_sample
from align.solvers import verdict, wide, wide_draws, wide_search

pytestmark = pytest.mark.usefixtures("compiled_as_for_users")  # thousands of rows: more to compute than to compile
unpaired = importlib.import_module("align.solvers.unpaired")  # the function has the module's name
KEY = jax.random.key(0)
FIT = functools.partial(solvers.unpaired, KEY, restarts=1)
ROWS = 3000
FEW = 1200  # of which a right map is trusted, and a Gaussian is not
HELD = slice(6000, 7000)


@pytest.fixture(scope="module")
def texts():
    return encoder_sample()


@pytest.fixture
def two_searches(monkeypatch):
    """As many as it takes to agree, where rows are enough for most to; a user has three."""
    monkeypatch.setattr(wide, "_OF_FEW", wide._OF_FEW[:2])


def top1(fitted, texts):
    """Share of held-out texts whose own embedding is the most alike, by cosine about the mean."""
    return nearest(np.asarray(fitted(texts.minilm[HELD])), texts).mean()


def nearest(mapped, texts):
    """Whether each mapped held-out text is nearest to its own embedding."""
    centre = texts.mpnet[ROWS : 2 * ROWS].mean(0)
    mapped, truth = (
        z / np.linalg.norm(z, axis=1, keepdims=True) for z in (mapped - centre, texts.mpnet[HELD] - centre)
    )
    return (mapped @ truth.T).argmax(1) == np.arange(len(truth))


@pytest.mark.usefixtures("two_searches")
def test_finds_the_map_between_encoders_and_trusts_it_however_a_side_is_turned_and_its_rows_permuted(texts):
    fitted = FIT(texts.minilm[:ROWS], texts.mpnet[ROWS : 2 * ROWS])
    assert top1(fitted, texts) > 0.9
    assert bool(fitted.trusted)
    assert float(fitted.details.confidence) > 0.9
    assert fitted.details.explanation.startswith("searches that started apart lead to the same map")

    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(160, 160)))[0].astype(np.float32)
    source = texts.minilm[:ROWS][random.permutation(ROWS)] @ turn
    again = FIT(source, texts.mpnet[ROWS : 2 * ROWS])
    images = [np.asarray(m(x)) for m, x in ((fitted, texts.minilm[HELD]), (again, texts.minilm[HELD] @ turn))]
    # What rounding begins, thousands of noisy steps go on with; they end at one map, but for how near to it they rest.
    apart = np.linalg.norm(images[0] - images[1]) / np.linalg.norm(images[0] - images[0].mean(0))
    assert apart < 0.25  # unrelated maps differ by 1.4
    assert abs(top1(fitted, texts) - np.mean(nearest(images[1], texts))) < 0.03
    assert bool(again.trusted)


def test_from_few_texts_the_best_candidate_by_third_moments_is_not_the_only_one_to_grow(texts):
    # That one alone comes to 0.3 here, and is not trusted.
    fitted = FIT(texts.minilm[:FEW], texts.mpnet[ROWS : ROWS + FEW])
    assert top1(fitted, texts) > 0.8 and bool(fitted.trusted)


def test_searches_agree_where_another_leads_to_the_chosen_map():
    random = np.random.default_rng(0)
    right, *others = (random.normal(size=(200, 9)).astype(np.float32) for _ in range(4))
    near = right + 0.1 * others[0]

    def agreement(images, chosen):
        return float(wide._agreement(jnp.stack(images), chosen))

    assert agreement([right, others[1], near], 0) > 0.98
    assert abs(agreement([right, others[1], near], 1)) < 0.1
    assert abs(agreement([right, others[1], others[2]], 0)) < 0.1


@pytest.mark.parametrize(
    ("contrast", "pairs", "trusted", "confidence"),
    [(0.1, 0, True, 0.99), (0.19, 0, True, 0.731), (0.21, 0, False, 0.269), (0.4, 0, False, 0.05)]
    + [(0.4, 50, False, 0.05), (0.4, 200, True, 0.99)],
)
def test_the_contrast_tells_a_right_map_from_one_that_is_right_in_part(contrast, pairs, trusted, confidence):
    def number(value):
        return jnp.asarray(value, jnp.float32)

    evidence = verdict.unjudged(
        scores=jnp.zeros(1), final=jnp.zeros(1), unrelated=jnp.ones(1), contrast=number(contrast),
        agreement=number(0.9), alternatives=jnp.zeros((), jnp.int32),
    )._replace(left_out=number(0.3))  # fmt: skip
    told, believed = verdict.judged(
        evidence, rows=3000, resolved=jnp.asarray(True), finite=jnp.asarray(True), most_contrast=0.2,
        least_agreement=0.5, pairs=pairs, enough_pairs=160, odds_scale=0.01,
    )  # fmt: skip
    # Pairs that the map foretells stand for the contrast only where they alone would determine a map.
    assert bool(believed) == trusted
    assert float(told.confidence) == pytest.approx(confidence, abs=1e-3)


@pytest.mark.parametrize(("independent", "trusted"), [(0.6, True), (0.8, False)])
def test_pairs_stand_for_the_clouds_where_what_knew_nothing_of_them_foretells_them(independent, trusted):
    number = functools.partial(jnp.asarray, dtype=jnp.float32)
    evidence = verdict.unjudged(
        scores=jnp.zeros(1), final=jnp.zeros(1), unrelated=jnp.ones(1), contrast=number(0.9),
        agreement=number(0.1), alternatives=jnp.zeros((), jnp.int32),
    )._replace(left_out=number(0.3))  # fmt: skip
    told, believed = verdict.judged(
        evidence, rows=3000, resolved=jnp.asarray(False), finite=jnp.asarray(True), most_contrast=0.2,
        least_agreement=0.5, pairs=200, enough_pairs=160, odds_scale=0.01, foretold=number(independent),
    )  # fmt: skip
    assert bool(believed) == trusted
    assert told.explanation.startswith("the known pairs are foretold") == trusted


def test_a_gaussian_of_the_same_covariance_is_not_trusted(texts):
    y = texts.mpnet[ROWS : ROWS + FEW]
    noise = np.random.default_rng(0).multivariate_normal(y.mean(0), np.cov(y.T), FEW, method="cholesky")
    fitted = FIT(texts.minilm[:FEW], noise.astype(np.float32))
    assert not bool(fitted.trusted) and float(fitted.details.agreement) < 0.3


def decaying(seed, rows=FEW):
    """Give Gaussian rows `[rows, 160]` whose spreads fall as 1, 1/2, 1/3 and so on, in axes of their own."""
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.normal(size=(160, 160)))[0]
    return (random.normal(size=(rows, 160)) / np.arange(1, 161) @ axes).astype(np.float32)


def test_covariances_alone_are_no_evidence(texts):
    source, target = texts.minilm[:FEW], texts.mpnet[:FEW]
    for pair, unlike in (((source, target), True), ((decaying(0), decaying(1)), False)):
        sides = [wide_search.directions(z) for z in pair]
        x, y = (side(z) for side, z in zip(sides, pair, strict=True))
        # Between texts the rigid map of all pairs; between Gaussians no map is as good as axis to axis.
        weight = solvers.orthogonal(x, y).weight if unlike else jnp.eye(160)
        turns = jnp.stack(
            [
                jnp.asarray(np.linalg.qr(np.random.default_rng(i).normal(size=(160, 160)))[0], jnp.float32)
                for i in range(3)
            ]
        )
        chance = jnp.median(wide._discrepancies(turns, x, y))
        assert wide._discrepancies(weight[None], x, y)[0] < 0.4 * chance
        assert bool(wide._unlike_mirrored(KEY, weight, x, y, chance)) == unlike


def test_few_directions_of_many_are_searched_as_few_dimensions(texts, monkeypatch):
    assert unpaired._in_few_directions(decaying(0), decaying(1))
    assert not unpaired._in_few_directions(texts.minilm[:FEW], decaying(1))
    random = np.random.default_rng(0)
    low = (random.normal(size=(400, 130)) @ random.normal(size=(130, 160)) + 3).astype(np.float32)
    low[:, :8] *= 30
    seen = []

    def between_narrow(key, source, target, pairs, labels, settings):
        seen.extend(pairs)
        fitted = solvers.linear(source, target)
        return fitted, fitted.converged, None, {}

    monkeypatch.setattr(unpaired, "between_narrow", between_narrow)
    target = (low[:, ::-1] * 2 - 1).copy()
    fitted, *_ = unpaired._between_leading(KEY, low, target, (low[:9], target[:9]), None, None)
    assert [x.shape for x in seen] == [(9, 128)] * 2
    off = np.asarray(fitted(low)) - target
    assert (off**2).sum() < 0.01 * ((target - target.mean(0)) ** 2).sum()


def test_the_contrast_asked_for_goes_by_effective_dimensions():
    limit = [float(wide._most_contrast(jnp.asarray(d), n, 0.4)) for d, n in ((119.0, 1200), (220.0, 1500), (9.0, 3000))]
    # Few effective dimensions make clouds look alike that are not: what is enough for narrow ones is asked at least.
    assert 0.07 < limit[0] < 0.16 and 0 < limit[1] < 0.05 and limit[2] == pytest.approx(0.4)


def test_matches_averaged_over_draws_lead_towards_the_truth():
    random = np.random.default_rng(0)
    clouds = (random.gamma(1.0, size=(2, 900, 20)) - 1) * np.geomspace(2, 0.5, 20)
    turn = np.linalg.qr(random.normal(size=(20, 20)))[0]
    x, y = (jnp.asarray(z, jnp.float32) for z in (clouds[0], clouds[1] @ turn))
    start = wide_search.semiorthogonal(jnp.asarray(turn + 0.1 * random.normal(size=turn.shape), jnp.float32))
    weight = wide_draws.averaged(KEY, start, x, y, jnp.zeros((20, 20)))
    np.testing.assert_allclose(weight @ weight.T, np.eye(20), atol=1e-5)
    off = [float(np.linalg.norm(x @ w - x @ turn) / np.linalg.norm(x)) for w in (start, weight)]
    assert off[1] < 0.8 * off[0]


def test_steps_end_where_images_rest():
    random = np.random.default_rng(0)
    clouds = (random.gamma(1.0, size=(2, 900, 20)) - 1) * np.geomspace(2, 0.5, 20)
    turn = np.linalg.qr(random.normal(size=(20, 20)))[0]
    x, y = (jnp.asarray(z, jnp.float32) for z in (clouds[0], clouds[1] @ turn))
    start = wide_search.semiorthogonal(jnp.asarray(turn + 0.1 * random.normal(size=turn.shape), jnp.float32))
    known = {"width": None, "softness": 0.2, "iterations": 40, "rows": 900}
    (_, sooner), (_, later) = (
        wide_search.refined(start, x, y, jnp.zeros((20, 20)), resting=resting, **known) for resting in (0.99, 0.9999)
    )
    assert 1 < sooner < later < 40


def test_the_effective_rank_counts_directions_by_their_variance():
    random = np.random.default_rng(0)
    white, turn = random.normal(size=(20_000, 12)), np.linalg.qr(random.normal(size=(12, 12)))[0]
    for spread, rank in ((np.ones(12), 12), (np.r_[np.ones(3), np.full(9, 1e-4)], 3)):
        side = wide_search.directions(jnp.asarray(white * spread @ turn, jnp.float32))
        assert float(wide_search.effective_rank(side)) == pytest.approx(rank, rel=0.02)


def test_one_row_that_is_far_out_does_not_set_the_scale():
    rows = np.random.default_rng(0).normal(size=(500, 140)).astype(np.float32)
    usual, far = (wide_search.directions(z).scale for z in (rows, np.vstack([rows, 100 * rows[:1]])))
    assert float(usual) == pytest.approx(np.sqrt(140), rel=0.01)
    assert float(far) == pytest.approx(float(usual), rel=0.03)  # the mean moves a little


@pytest.mark.usefixtures("two_searches")
def test_pairs_beside_the_clouds_find_more_than_the_pairs_alone(texts):
    pairs = texts.minilm[5000:5050], texts.mpnet[5000:5050]
    fitted = FIT(texts.minilm[:FEW], texts.mpnet[ROWS : ROWS + FEW], pairs=pairs)
    assert top1(fitted, texts) > top1(solvers.ridge(*pairs), texts) + 0.1
    # The pairs are not left out of the search, but of the map that they correct: else they would promise too much.
    truth = texts.mpnet[HELD]
    error = np.linalg.norm(fitted(texts.minilm[HELD]) - truth) / np.linalg.norm(truth - truth.mean(0))
    assert float(fitted.details.left_out) == pytest.approx(error, abs=0.1) and error < 0.9


def test_rows_that_are_there_twice_are_searched_as_one(texts, monkeypatch):
    seen = []

    def between_wide(key, source, target, pairs, labels, settings):
        seen.append((len(source), len(target), labels))
        raise InterruptedError

    monkeypatch.setattr(unpaired, "between_wide", between_wide)
    clouds, kinds = [z[:FEW].repeat(2, 0) for z in (texts.minilm, texts.mpnet)], np.arange(2 * FEW) // 2 % 3
    for labels in ({}, {"source_labels": kinds, "target_labels": kinds}):
        with pytest.raises(InterruptedError):
            FIT(*clouds, **labels)
    assert seen[0] == (FEW, FEW, None) and seen[1][:2] == (FEW, FEW)
    np.testing.assert_array_equal(seen[1][2], [np.arange(FEW) % 3] * 2)
