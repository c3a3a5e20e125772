"""The map that is chosen on pairs left out: its families by hand, its choice on real encoders, and how it says so."""

import tracemalloc

import numpy as np
import pytest

from align import search, solvers
from align.data.texts import encoder_sample
from align.maps import AffineMap
from align.search import families, goals, held_out
from align.search.auto import _folds
from align.search.documents import Best, shares_found, unit


def test_families_are_the_solvers():
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 3)) * [3, 1, 0.5] + 1
    y = x @ random.normal(size=(3, 5)) + 0.3 * random.normal(size=(40, 5))
    fitted = families.fit(x, y, families.penalties(x, y))
    assert tuple(fitted) == families.NAMES
    x32, y32 = x.astype(np.float32), y.astype(np.float32)
    known = {name: solver(x32, y32) for name, solver in
             (("rotation", solvers.rigid), ("similarity", solvers.similarity), ("ridge", solvers.ridge))}  # fmt: skip
    for name, expected in known.items():
        np.testing.assert_allclose(fitted[name].weight, expected.weight, atol=2e-4)
        np.testing.assert_allclose(fitted[name].bias, expected.bias, atol=1e-3)
    back = solvers.ridge(y32, x32)
    np.testing.assert_allclose(fitted["ridge, reversed"].weight, back.weight.T, atol=2e-4)
    # Into fewer dimensions a rotation has orthonormal columns, and a similarity the scale that leaves least.
    down = families.fit(y, x, families.penalties(y, x))
    turn = down["rotation"].weight
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    turned, centred = ((y - y.mean(0)) @ turn).ravel(), (x - x.mean(0)).ravel()
    np.testing.assert_allclose(down["similarity"].weight, turned @ centred / (turned @ turned) * turn, atol=1e-12)


def test_a_blend_is_by_parts_and_of_its_scale():
    random = np.random.default_rng(4)
    x = random.normal(size=(30, 3)) + 1
    y = x @ random.normal(size=(3, 4)) + random.normal(size=(30, 4))
    maps = families.fit(x, y, families.penalties(x, y))
    spread = y.var(0).sum() ** 0.5
    alone = families.blend(maps, families.Mix({"ridge": 1.0}, 0.5), x, y)
    made = maps["ridge"](x)
    np.testing.assert_allclose(alone(x) - y.mean(0), (made - made.mean(0)) * 0.5 * spread / made.var(0).sum() ** 0.5)
    both = families.blend(maps, families.Mix({"ridge": 0.25, "rotation": 0.75}, 2.0), x, y)
    np.testing.assert_allclose(both(x).mean(0), y.mean(0))
    np.testing.assert_allclose(both(x).var(0).sum() ** 0.5, 2 * spread)
    level = {name: maps[name].weight / maps[name](x).var(0).sum() ** 0.5 for name in ("ridge", "rotation")}
    mixed = 0.25 * level["ridge"] + 0.75 * level["rotation"]
    np.testing.assert_allclose(both.weight / mixed, np.full((3, 4), (both.weight / mixed)[0, 0]))
    nothing = {"ridge": families.Map(np.zeros((3, 4)), y.mean(0))}
    np.testing.assert_array_equal(families.blend(nothing, families.Mix({"ridge": 1.0}, 1.0), x, y).weight, 0)


def test_parts_of_a_blend_by_hand():
    level = np.full(100, 0.5)
    # By 0.02 below the best, on every row: exp(-1/2) of its part.
    less = families.parts({"ridge": level, "rotation": level - 0.02, "similarity": level + 9}, 1000)
    np.testing.assert_allclose([less["ridge"], less["rotation"]], np.array([1, np.exp(-0.5)]) / (1 + np.exp(-0.5)))
    # As good on average, and one that is far off; what further rows say counts four times with a hundred pairs.
    doubt = level + np.tile([0.3, -0.3], 50)
    assert families.parts({"ridge": level, "reweighted": doubt}, 100) == {"ridge": 0.5, "reweighted": 0.5}
    assert families.parts({"ridge": level, "graded ridge": level}, 100) == {"ridge": 0.2, "graded ridge": 0.8}
    assert families.parts({"ridge": level, "graded ridge": level, "rotation": level - 1}, 800)["rotation"] < 1e-100


def test_a_graded_ridge_is_the_ridge_of_graded_rows():
    random = np.random.default_rng(5)
    further = random.normal(size=(4000, 6)) * [4, 3, 2, 1, 0.5, 0.1]
    graded = families.grading(further + 3)
    expected = np.diag((further.var(0) / 16) ** 0.2)
    np.testing.assert_allclose(graded, expected, atol=0.03)
    np.testing.assert_allclose(families.grading(1e15 * further), graded, atol=1e-9)
    for rows in (12, 5):  # more than dimensions, and fewer
        x = random.normal(size=(rows, 6)) * [4, 3, 2, 1, 0.5, 0.1]
        y = x @ random.normal(size=(6, 3)) + 0.1 * random.normal(size=(rows, 3)) + 2
        shrunk = families.penalties(x, y, graded)
        fitted = families.fit(x, y, shrunk, graded)
        assert tuple(fitted) == (*families.NAMES, "graded ridge")
        wide = (x - x.mean(0)) @ graded
        strength = shrunk["graded ridge"].strength
        inner = wide.T @ np.linalg.solve(wide @ wide.T + strength * np.eye(rows), y - y.mean(0))
        np.testing.assert_allclose(fitted["graded ridge"].weight, graded @ inner, atol=1e-8)
        np.testing.assert_allclose(fitted["graded ridge"](x).mean(0), y.mean(0))
    np.testing.assert_array_equal(families.grading(np.ones((3, 4))), np.eye(4))


def test_a_ridge_is_shrunk_towards_what_was_chosen():
    random = np.random.default_rng(1)
    x = random.normal(size=(12, 4)).astype(np.float32)
    y = (x @ np.linalg.qr(random.normal(size=(4, 4)))[0] * 2 + 0.1 * random.normal(size=(12, 4))).astype(np.float32)
    for goal in ("zero", "rigid", "similarity", "origin"):
        expected = solvers.ridge(x, y, towards=goal)
        penalty = families.Penalty(float(expected.details.strength), goal)
        both = {families.RIDGE: penalty, families.REVERSED: penalty}
        fitted = families.fit(np.float64(x), np.float64(y), both)["ridge"]
        np.testing.assert_allclose(fitted.weight, expected.weight, atol=1e-4)
        np.testing.assert_allclose(fitted.bias, expected.bias, atol=1e-4)


@pytest.mark.parametrize("rows", [20, 21, 26, 101, 1003, 30_000])
def test_as_many_rows_are_left_out_of_every_fold(rows):
    folds = list(_folds(rows))
    sizes = {len(held) for held, _ in folds}
    assert (
        max(sizes) - min(sizes) <= 1 and 1 <= len(folds) <= 5 and sum(len(held) for held, _ in folds) >= min(rows, 400)
    )
    held = np.concatenate([held for held, _ in folds])
    assert len(set(held)) == len(held) and all(len(set(h) | set(k)) == rows for h, k in folds)


def test_few_pairs_say_nothing_beyond_what_they_span():
    random = np.random.default_rng(2)
    x, y = random.normal(size=(6, 9)), random.normal(size=(6, 8))
    fitted = families.fit(x, y, families.penalties(x, y))
    beyond = random.normal(size=9)
    beyond -= beyond @ np.linalg.pinv(x) @ x
    for name, one in fitted.items():
        np.testing.assert_allclose(beyond @ one.weight, 0, atol=1e-10, err_msg=name)
    centred = x - x.mean(0)
    np.testing.assert_allclose(np.linalg.norm(centred @ fitted["rotation"].weight), np.linalg.norm(centred))
    expected = solvers.ridge(x.astype(np.float32), y.astype(np.float32))
    np.testing.assert_allclose(fitted["ridge"].weight, expected.weight, atol=1e-4)


def test_reweighting_by_hand():
    # Uncorrelated on both sides, and each direction of one tied to one of the other: x has squares 4 and 1, y 9 and 1.
    x = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]]) * [1.0, 0.5]
    y = x @ np.diag([1.5, 1])
    share = 0.5
    shrunk_x, shrunk_y = np.array([4, 1]) + share * 2.5, np.array([9, 1]) + share * 5
    correlations = np.array([6, 1]) / np.sqrt(shrunk_x * shrunk_y)
    weight = families._reweighted(x.T @ x, x.T @ y, y.T @ y, share * 2.5, share * 5)
    np.testing.assert_allclose(weight, np.diag(correlations), atol=1e-12)


def test_what_is_measured_of_pairs_left_out_by_hand():
    target = np.eye(4) + 0.1 * np.arange(16).reshape(4, 4)
    np.testing.assert_allclose(held_out.similarity_agreement(3 * target, target), 1)
    target = np.eye(4) + 0.1
    np.testing.assert_allclose(held_out.similarity_agreement(np.ones((4, 4)), target), 0, atol=1e-7)
    # Of a row's two others, as near as each other, one is put nearer: no correlation. Its own counts for nothing.
    three = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [0.6, -0.8, 0]])
    assert held_out.similarity_agreement(three[[0, 1, 2]] * [1, 1, 0] + [0, 0.1, 0], three)[0] == 0
    np.testing.assert_allclose(held_out.similarity_agreement(three[[2, 1, 0]], three)[1], -1)
    np.testing.assert_array_equal(held_out.recall(target, target, 2), 1)
    swapped = target[[1, 0, 2, 3]]
    np.testing.assert_array_equal(held_out.recall(swapped, target, 1), [0, 0, 1, 1])
    np.testing.assert_array_equal(held_out.recall(target, target, 1, hubs=np.array([9.0, 0, 0, 0])), [0, 1, 1, 1])
    np.testing.assert_array_equal(held_out.hits(swapped, target, [np.zeros((1, 4))], 1), [0, 0, 1, 1])
    np.testing.assert_array_equal(held_out.hits(target, target, [target[:1], target[1:2]], 1), 1)
    nearer = [3 * target[:1] + [0, 0, 0, 0.01], 2 * target[1:2]]
    np.testing.assert_array_equal(held_out.hits(swapped, target, nearer, 2), [0, 0, 1, 1])
    rows = np.random.default_rng(0).normal(size=(40, 67))
    copies = [rows[:13], np.concatenate([rows[13:], -rows])]
    np.testing.assert_array_equal(held_out.hits(rows, rows + 1, copies, 1), held_out.hits(rows, rows + 1, [], 1))
    np.testing.assert_allclose(held_out.hubness(np.eye(2), np.eye(2)[:1]), [1, 0])


@pytest.fixture(scope="module")
def encoders():
    texts = encoder_sample()
    return unit(texts.minilm), unit(texts.mpnet)


def recall(fitted, source, target):
    """Give the recall@10 of full re-embedding for each of 700 queries among 5,000 documents."""
    found, wanted = Best(target[6300:], 10), Best(target[6300:], 10)
    found.look_among(unit(np.asarray(fitted(source[:5000]))))
    wanted.look_among(target[:5000])
    return shares_found(found.places, wanted.places)


@pytest.mark.parametrize(("pairs", "back"), [(100, False), (100, True), (200, False)])
def test_the_choice_is_as_good_as_the_best_family(encoders, pairs, back):
    source, target = encoders[::-1] if back else encoders
    rows = np.random.default_rng(0).permutation(np.arange(5000, 6300))[:pairs]
    x, y = source[rows], target[rows]
    fitted = search.auto(x, y, among=source[:500])
    each = families.fit(np.float64(x), np.float64(y), families.penalties(x, y))
    single = {name: recall(each[name], source, target) for name in families.NAMES}
    chosen, best = recall(fitted, source, target), max(single.values(), key=np.mean)
    # As good as the best, which nobody knows beforehand, but for what the draw of the queries makes uncertain.
    assert (chosen - best).mean() > -0.01 * best.mean() - 2 * (chosen - best).std() / 700**0.5
    assert chosen.mean() > np.mean([each.mean() for each in single.values()])
    # A rotation that goes on, arbitrarily, beyond what so few pairs span finds less.
    assert pairs > 100 or chosen.mean() > 1.2 * recall(solvers.rigid(x, y), source, target).mean()
    details = fitted.details
    beforehand = (goals.NO_MAP, goals.TOWARDS[goals.NO_MAP])  # both have as many dimensions
    assert tuple(details.lines) == (*families.NAMES, families.GRADED, *beforehand, families.BLEND) and fitted.converged
    assert details.explanation.startswith(f"{details.chosen}: ") and "the next should add" in details.explanation
    assert [at[0] for at in details.curve] == [int(share * pairs * 0.8) for share in (0.25, 0.5, 1)]
    line = details.lines[details.chosen]
    assert line.score.low < line.score.mean < line.score.high and 0 < line.hit.mean <= 1
    assert details.curve[-1][1].mean > details.curve[0][1].mean
    table = details.summary()
    assert list(table["compared"]) == [
        "score",
        f"recall@{details.top} among {details.left_out} left out",
        f"recall@{details.top} among {details.left_out} left out, hub-corrected",
        f"own row in {details.top} among all given",
    ]


def test_few_pairs_are_no_reason_to_choose(encoders):
    fitted = search.auto(encoders[0][:19], encoders[1][:19])
    assert fitted.details.chosen == families.RIDGE and "too few" in fitted.details.explanation
    assert fitted.details.summary().keys() == {"chosen", "purpose", "explanation"}
    ridge = solvers.ridge(encoders[0][:19], encoders[1][:19])
    assert fitted.details.leave_one_out == float(ridge.details.leave_one_out) < 0.98


def test_an_index_helps_few_pairs_between_unequal_dimensions(encoders):
    source, target = encoders[0], unit(encoders[1][:, :80])
    for pairs in (25, 100):
        rows = np.random.default_rng(0).permutation(np.arange(5000, 6300))[:pairs]
        x, y = source[rows], target[rows]
        alone, aided = search.auto(x, y), search.auto(x, y, among=source[:5000])
        assert aided.details.chosen == (families.BLEND if pairs >= 50 else families.GRADED)
        assert aided.details.mix.parts[families.GRADED] > 0.5 and abs(sum(aided.details.mix.parts.values()) - 1) < 1e-9
        assert families.GRADED not in alone.details.mix.parts and 0 < aided.details.mix.scale < 1
        told = aided.details.summary()
        assert told["parts"].keys() == set(families.BLENDED) if pairs >= 50 else "parts" not in told
        by_pairs, by_index = (recall(each, source, target).mean() for each in (alone, aided))
        assert by_index > 1.02 * by_pairs


def test_an_index_of_many_rows_takes_little_memory_beside_its_own(monkeypatch):
    random = np.random.default_rng(0)
    x, index = (random.normal(size=(n, 32)).astype(np.float32) for n in (40, 50_000))
    y = x + random.normal(size=x.shape).astype(np.float32)
    at_once = search.auto(x, y, among=index).details.lines
    monkeypatch.setattr("align.search.documents._HELD", 2**16)
    tracemalloc.start()
    by_blocks = search.auto(x, y, among=index).details.lines
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < index.nbytes / 2
    assert 0 < at_once[families.RIDGE].hit.mean < 1
    for name, line in by_blocks.items():
        np.testing.assert_array_equal(line.hit, at_once[name].hit)


def test_a_ridge_towards_what_is_known_is_the_solver():
    random = np.random.default_rng(3)
    turn = np.linalg.qr(random.normal(size=(5, 5)))[0]
    x = random.normal(size=(40, 5)) + 1
    y = 0.5 * x @ turn + 0.1 * random.normal(size=(40, 5))
    maps = goals.known(5, 5, AffineMap(np.float32(turn), np.zeros(5, np.float32)))
    assert goals.known(5, 4, None) == {}
    fitted = goals.fit(x, y, maps, goals.penalties(np.float32(x), np.float32(y), maps))
    assert list(fitted) == [goals.NO_MAP, *[goals.TOWARDS[goals.NO_MAP], goals.GIVEN, goals.TOWARDS[goals.GIVEN]]]
    np.testing.assert_array_equal(fitted[goals.NO_MAP](x), x)
    made = x @ turn - (x @ turn).mean(0)
    scale = float((made * y).sum() / (made**2).sum())
    assert 0.45 < scale < 0.55
    towards = AffineMap(np.float32(scale * turn), np.float32((1 - scale) * (x @ turn).mean(0)))
    expected = solvers.ridge(np.float32(x), np.float32(y), towards=towards)
    np.testing.assert_allclose(fitted[goals.TOWARDS[goals.GIVEN]].weight, expected.weight, atol=1e-4)
    np.testing.assert_allclose(fitted[goals.TOWARDS[goals.GIVEN]].bias, expected.bias, atol=1e-4)


@pytest.mark.parametrize("pairs", [19, 20, 100])
def test_a_map_that_is_right_is_used_and_one_that_is_wrong_does_no_harm(encoders, pairs):
    source, target = encoders
    rows = np.random.default_rng(0).permutation(np.arange(5000, 6300))[:pairs]
    x, y = source[rows], target[rows]
    alone = search.auto(x, y)
    right = search.auto(x, y, towards=solvers.rigid(source[:1500], target[:1500]))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(x.shape[1],) * 2))[0].astype(np.float32)
    wrong = search.auto(x, y, towards=AffineMap(turn, np.zeros(x.shape[1], np.float32)))
    assert right.details.chosen in (goals.GIVEN, goals.TOWARDS[goals.GIVEN]) and alone.details.chosen != goals.GIVEN
    by_pairs, by_map, by_wrong = (recall(each, source, target).mean() for each in (alone, right, wrong))
    assert by_map > max(1.5 * by_pairs, 0.3) and by_wrong > 0.9 * by_pairs


def test_codes_are_judged_by_their_residual(encoders):
    source, target = encoders
    fitted = search.auto(source[:200], target[:200], purpose="codes")
    explained = {name: line.score.mean for name, line in fitted.details.lines.items()}
    best = max(explained, key=explained.get)
    assert fitted.details.chosen in (best, families.RIDGE)
    assert explained[fitted.details.chosen] > explained["rotation"]
    # What is left out is explained as well as the record says.
    rest = 1 - ((fitted(source[200:]) - target[200:]) ** 2).sum() / ((target[200:] - target[:200].mean(0)) ** 2).sum()
    assert abs(float(rest) - explained[fitted.details.chosen]) < 0.05


def test_a_target_that_does_not_vary_is_met_or_not():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    assert search.auto(x, np.ones_like(x), purpose="codes").residual == 0


def test_rows_that_do_not_correspond_explain_nothing(encoders):
    for pairs in (19, 100):
        shuffled = np.random.default_rng(0).permutation(pairs)
        assert search.auto(encoders[0][:pairs], encoders[1][shuffled]).details.leave_one_out > 0.98
    assert search.auto(encoders[0][:100], encoders[1][:100]).details.leave_one_out < 0.9
