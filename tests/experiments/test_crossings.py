"""Maps between encoders: what is planned, which texts are on which side, and what is measured; little is fitted."""

import dataclasses
import re
from types import SimpleNamespace

import numpy as np
import pytest

from align import rows as results
from align_lab import launch
from align_lab.crossing import (
    assigned_centroids,
    attempts,
    crossing_page,
    crossing_sums,
    crossings,
    maps_between,
    mini_vec2vec,
    named,
    ranked,
    self_learning,
    sides,
)
from align_lab.crossing.crossing_plans import Crossing
from align_lab.screen import Screen
from align_lab.store import Store
from align_lab.texts import vectors
from align_lab.texts.text_plans import Library, Space
from align_lab.verdicts.shapes import arms

TEXTS, HELD_OUT = 60, 12


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "workdir")


@pytest.fixture
def library(tmp_path):
    """Texts by three encoders: a rotation of each other, and one of its own; the first column counts the rows."""
    random = np.random.default_rng(0)
    one = random.normal(size=(TEXTS, 5)).astype(np.float32)
    turned = one @ np.linalg.qr(random.normal(size=(5, 5)))[0]
    counted = np.column_stack([np.arange(TEXTS), random.normal(size=(TEXTS, 6))])
    np.savez(tmp_path / "drawn.npz", one=one, turned=turned.astype(np.float16), counted=counted)
    return Library(str(tmp_path / "drawn.npz"), "", 0, HELD_OUT)


def crossing(library, source="counted", target="counted", **changes):
    known = {"texts": 20, "pairs": 6, "methods": ("procrustes",), "keys": (0, 1), **changes}
    return Crossing(Space(source, library), Space(target, library), **known)


def test_a_plan_asks_for_paired_maps_first_then_fewer_pairs_then_controls(library, store):
    wanted = crossings.Crossings(library, (("one", "turned"),), (20,), (0, 5), named.METHODS, ("gaussian",), (0, 1))
    *spaces, all_pairs, none, few, control = crossings.plan(wanted, store)
    assert spaces == [Space("one", library), Space("turned", library)]
    assert (all_pairs.pairs, all_pairs.methods) == (20, named.PAIRED)
    assert none.pairs == 0 and not set(none.methods) & set(named.PAIRED)
    assert set(few.methods) == set(named.METHODS) - set(named.UNAIDED) and (control.control, control.methods) == (
        "gaussian",
        ("unpaired",),
    )
    listed = [row for one in (all_pairs, none, few, control) for row in attempts.rows(one)]
    assert len({results.identity(row) for row in listed}) == len(listed)
    assert {row["dataset"] for row in listed} == {"drawn"}
    assert attempts.cost(few, store) > 0 == vectors.cost(spaces[0], store)
    # With as many pairs as texts, what uses clouds besides is asked too, and maps from all pairs are asked once.
    as_many = crossings.plan(dataclasses.replace(wanted, pairs=(20,), controls=()), store)[len(spaces) :]
    assert [one.methods for one in as_many] == [named.PAIRED, ("unpaired", "centroids", "self-learning")]


def test_methods_without_their_package_are_left_out_and_named(library, tmp_path, call, monkeypatch):
    monkeypatch.setattr(crossings, "NEEDS", {"centroids": "no_such_module"})
    flags = (f"--vectors={library.file}", "--texts=20", "--held_out=12", f"--workdir={tmp_path}", "--dry_run")
    done = call("between_encoders", *flags, "--pairs=0", "--between=one:turned", "--methods=ridge,centroids")
    said = " ".join(done.out.split())
    assert done.code == 0 and "left out, as scikit-learn is not installed: centroids" in said


def test_no_text_is_on_both_sides_or_seen_before_it_is_asked_for(library, store):
    drawn = sides.sides(crossing(library), 0, store)
    source, target, known = (set(array[:, 0]) for array in (drawn.source, drawn.target, drawn.pairs[0]))
    assert len(source) == len(target) == 20 and len(known) == 6
    assert not source & target and not (source | target) & known
    assert set(drawn.held_out[0][:, 0]) == set(range(TEXTS - HELD_OUT, TEXTS)) and max(source | target | known) < 48
    np.testing.assert_array_equal(drawn.pairs[0][:3], sides.sides(crossing(library, pairs=3), 0, store).pairs[0])
    assert set(sides.sides(crossing(library), 1, store).source[:, 0]) != source


@pytest.mark.parametrize("control", ["gaussian", "shuffled", "independent"])
def test_controls_keep_what_they_say(library, store, control):
    whole, drawn = (sides.sides(crossing(library, control=c, texts=24), 0, store).target for c in ("", control))
    assert drawn.shape == whole.shape and drawn.dtype == np.float32 and not np.array_equal(drawn, whole)
    axis = {"shuffled": 1, "independent": 0}.get(control)
    if axis is not None:
        np.testing.assert_array_equal(np.sort(drawn, axis), np.sort(whole, axis))


def test_images_have_as_many_rows_and_dimensions_as_what_they_replace(store):
    random = np.random.default_rng(0)
    store = Store(store.workdir, data_dir=None)
    store.data = lambda name: SimpleNamespace(train=SimpleNamespace(images=random.normal(size=(30, 2, 2, 1))))
    drawn = sides.CONTROLS["images"](random, np.ones((20, 6)), store)
    assert drawn.shape == (20, 6) and (drawn[:, 4:] == 0).all() and (drawn[:, :4].std(0) > 0.1).all()
    with pytest.raises(ValueError, match=r"--texts=31: the control 'images' needs as many rows, and there are 30"):
        sides.CONTROLS["images"](random, np.ones((31, 6)), store)


def test_texts_of_another_kind_are_by_the_same_encoder(library, store, tmp_path):
    np.savez(tmp_path / "others.npz", one=np.ones((30, 4)))
    other = dataclasses.replace(library, others=Library(str(tmp_path / "others.npz"), "", 0, 0))
    with pytest.raises(ValueError, match="--others must be vectors of the same encoders; one has 4 dimensions, and 5"):
        sides.sides(crossing(other, "turned", "one", control=named.OTHERS), 0, store)


def test_texts_of_another_kind_take_the_targets_place(library, store, tmp_path):
    np.savez(tmp_path / "others.npz", one=np.full((30, 5), 7.0))
    other = dataclasses.replace(library, others=Library(str(tmp_path / "others.npz"), "", 0, 0))
    drawn = sides.sides(crossing(other, "turned", "one", control=named.OTHERS), 0, store)
    assert drawn.target.shape == (20, 5) and (drawn.target == 7).all() and not (drawn.held_out[1] == 7).any()


def test_a_control_by_texts_of_another_kind_says_which(library, store, tmp_path, call):
    def planned(seed):
        np.savez(tmp_path / "others.npz", turned=np.random.default_rng(seed).normal(size=(30, 5)))
        flags = ("--between=one:turned", "--methods=unpaired", "--controls=", "--texts=20", "--pairs=0", "--keys=1")
        known = (f"--vectors={library.file}", f"--others={tmp_path / 'others.npz'}", f"--held_out={HELD_OUT}")
        done = call("between_encoders", *known, *flags, "--dry_run", "--json", f"--workdir={tmp_path}")
        assert done.code == 0, done.err
        return next(line for line in done.out.splitlines() if "in place of" in line)

    first, second = planned(0), planned(1)
    assert re.search(r"others: others, SHA-256 [0-9a-f]{16} in place of turned", first) and first != second


def test_measures_by_hand():
    truth = np.eye(12)[:, :11]
    found = ranked.measures(truth, truth, np.zeros(11))
    assert found["top1"] == 11 / 12 and found["cosine"] == pytest.approx(11 / 12)  # a vector of zeros has no direction
    # One map for all texts is as near to any of them: no rank is gained by it.
    constant = ranked.measures(np.ones((12, 12)), np.eye(12), np.zeros(12))
    assert constant["top1"] == constant["top10"] == 0


def test_the_orthogonal_map_of_pairs_is_found_in_any_dimensions(library, store):
    drawn = sides.sides(crossing(library, "one", "turned", pairs=20), 0, store)
    told = maps_between.fit("procrustes", 0, drawn)
    assert ranked.measures(told.map(drawn.held_out[0]), drawn.held_out[1], drawn.pairs[1].mean(0))["top1"] == 1
    narrow = maps_between.orthogonal(drawn.pairs[0], drawn.pairs[1][:, :3])
    assert narrow(drawn.held_out[0]).shape == (HELD_OUT, 3)


def test_rows_are_made_once(library, store):
    record = crossing(library, "one", "turned")
    attempts.work(record, store, lambda share: None)
    made = store.rows(attempts.TABLE)
    assert [(row["key"], row["method"], row["pairs"]) for row in made] == [(0, "procrustes", 6), (1, "procrustes", 6)]
    assert attempts.cost(record, store) == 0
    attempts.work(record, Store(store.workdir), lambda share: None)
    assert Store(store.workdir).rows(attempts.TABLE) == made


def test_rows_of_other_texts_by_the_same_name_are_not_taken_for_these(library, store, tmp_path):
    wanted = crossing(library, "one", "turned", pairs=20)
    assert launch.estimated([wanted], store)[0] > 0
    attempts.work(wanted, store, lambda share: None)
    assert attempts.cost(wanted, store) == 0
    (kept,) = {row["data_source"] for row in store.rows("encoders")}
    with np.load(library.file) as arrays:
        np.savez(library.file, **{name: array[::-1] for name, array in arrays.items()})
    with pytest.raises(ValueError, match=f"rows by the name drawn of {kept}; these are of SHA-256 [0-9a-f]+: name"):
        launch.estimated([wanted], Store(tmp_path / "workdir"))


def test_rows_of_another_corpus_beside_the_file_are_not_taken_for_these(library, store, tmp_path):
    path = tmp_path / "corpus.tsv"
    lines = [f"{i}\t{' '.join(np.base_repr(i + 64, 3))}\n" for i in range(TEXTS)]
    path.write_text("".join(lines))
    beside = dataclasses.replace(library, corpus=str(path))
    wanted, of_file = (crossing(beside, "one", target, pairs=20) for target in ("hashed-words", "turned"))
    launch.carry_out([wanted], launch.estimated([wanted], store), store, Screen(quiet=True))
    assert attempts.cost(wanted, store) == 0 < attempts.cost(of_file, store)
    path.write_text("".join([*lines[:-1], "59\tanother\n"]))
    again = Store(store.workdir)
    with pytest.raises(ValueError, match=r"these are of SHA-256 [0-9a-f]+; texts SHA-256 [0-9a-f]+: name"):
        launch.estimated([wanted], again)
    assert launch.estimated([of_file], again)[0] > 0
    # Whatever else is planned: each row is of what its own crossing has.
    path.write_text("".join(lines))
    both = Store(store.workdir)
    launch.carry_out([wanted, of_file], launch.estimated([wanted, of_file], both), both, Screen(quiet=True))
    sources = {row["target"]: row["data_source"] for row in both.rows("encoders")}
    assert "; texts SHA-256" in sources["hashed-words"] and "texts" not in sources["turned"]


def test_flags_that_make_no_sense_are_named(call, library, tmp_path):
    known = (
        "--dry_run",
        f"--workdir={tmp_path}",
        f"--corpus={tmp_path / 'none'}",
        f"--held_out={HELD_OUT}",
        "--texts=20",
        "--pairs=0,5",
        "--controls=gaussian",
    )
    wrong = {
        f"--vectors={tmp_path / 'none.npz'}": "none.npz",
        f"--vectors={__file__}": "--vectors must be an .npz file",
        "--texts=40": "must fit into the 48",
        "--pairs=-3": "--pairs must be 0, or whole numbers from 2",
        "--between=one-turned": "--between must be such as",
        "--methods=magic": "--methods has no 'magic'",
        "--controls=magic": "--controls has no 'magic'",
        "--between=one:lsa": "no corpus at",
        "--encoders=one": "--encoders must be two or more",
        "--documents=30": "--documents=30 are drawn from a corpus",
        f"--others={tmp_path / 'few.npz'}": "few.npz has 19 texts; --texts=20 needs as many",
    }
    np.savez(tmp_path / "few.npz", one=np.ones((19, 5)))
    for flag, words in wrong.items():
        done = call("between_encoders", f"--vectors={library.file}", *known, flag)
        assert done.code == 1 and words in done.err, (flag, done.err)
    both = call("between_encoders", f"--vectors={library.file}", *known, "--between=one:turned", "--encoders=one")
    assert both.code == 1 and "give one of the two" in both.err
    done = call("between_encoders", f"--vectors={library.file}", *known)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[0.0, 1], [np.nan, 0], [np.inf, 0]]), "row 1 of bad, one of 2, is not"),
        (np.full((3, 2), 1e300), "row 0 of bad, one of 3, is not"),
        (np.ones((3, 2), complex), "real numbers in one dimension or more; bad is complex128[3, 2]"),
        (np.ones((3, 0)), "bad is float64[3, 0]"),
    ],
)
def test_vectors_are_refused_before_anything_is_made_of_them(array, words, tmp_path, store):
    np.savez(tmp_path / "some.npz", good=np.ones((3, 2)), bad=array)
    with pytest.raises(ValueError, match=re.escape(words)):
        vectors.ready(Library(str(tmp_path / "some.npz"), "", 0, 0), store)


# Pairs are fewer than dimensions: alone they determine no turn.
@pytest.mark.parametrize(
    ("rival", "known"),
    [(mini_vec2vec, None), (assigned_centroids, 4), (self_learning, 0)],
    ids=["mini_vec2vec", "centroids", "self_learning"],
)
def test_those_beside_find_a_turn_that_clouds_and_a_few_pairs_determine(rival, known, monkeypatch):
    monkeypatch.setattr(mini_vec2vec, "RUNS", 10)
    monkeypatch.setattr(mini_vec2vec, "ITERATIONS", 10)
    monkeypatch.setattr(self_learning, "PATIENCE", 3)
    random = np.random.default_rng(0)
    turn = np.linalg.qr(random.normal(size=(6, 6)))[0].astype(np.float32)
    points = arms(random, 900, 6).astype(np.float32)
    source, target, held_out = points[:400], points[400:800] @ turn + 1, points[804:]
    pairs = () if known is None else ((points[800 : 800 + known], points[800 : 800 + known] @ turn + 1),)
    fitted = rival.fit(random, source, target, *pairs)
    assert ranked.measures(fitted(held_out), held_out @ turn + 1, target.mean(0))["cosine"] > 0.9


def drawn_row(**changes):
    known = {"table": "encoders", "dataset": "drawn", "method": "unpaired", "source": "one", "target": "turned"}
    known |= {"control": "", "texts": 20, "pairs": 0, "held_out": 12, "key": 0, "top1": 0.8, "top10": 1.0}
    known |= {"mean_rank": 1.5, "cosine": 0.5, "seconds": 1.0, "processor_seconds": 2.0}
    return known | {"trusted": True, "confidence": 0.96} | changes


def test_runs_are_right_by_the_map_from_all_pairs_and_counted_by_confidence(tmp_path):
    found = [drawn_row(method="procrustes", pairs=20, key=key, top1=0.8) for key in (0, 1)]
    found += [drawn_row(), drawn_row(key=1, top1=0.4), drawn_row(pairs=5, confidence=0.1, trusted=False)]
    found += [drawn_row(control="gaussian", top1=0.0, trusted=False, confidence=0.1)]
    of_all = crossing_sums.references(found)
    told = crossing_sums.summary(found[2:4], of_all)
    assert (told["share"], told["least_share"]) == (pytest.approx(0.75), pytest.approx(0.5))
    assert (told["runs"], told["right"], told["trusted"], told["trusted_wrongly"]) == (2, 1, 2, 1)
    bins = {low: (runs, right) for low, _, runs, right, _ in crossing_sums.calibration(found, of_all)}
    assert bins == {0.0: (2, 1), 0.95: (2, 1)}
    found += [drawn_row(control=named.OTHERS, top1=top1, confidence=0.99) for top1 in (0.79, 0.1)]
    assert crossing_sums.controls(found, of_all) == {("gaussian", 20): (1, 0, 0), (named.OTHERS, 20): (2, 2, 1)}
    text = crossing_page.write(found, tmp_path).read_text()
    assert "| 20 | one → turned | 0 | 0.600 (0.400) | 0.750 (0.500) |" in text
    assert (tmp_path / "pictures" / "encoders_drawn_held12.png").stat().st_size > 10_000


def test_a_line_of_the_picture_is_over_the_same_encoders_everywhere():
    found = {}
    for ends, pairs, tops in ((("a", "b"), 0, (0.2, 0.4)), (("b", "a"), 0, (0.9,)), (("a", "b"), 5, (0.5,))):
        found[*ends, pairs] = {"unpaired": [drawn_row(top1=top, key=key) for key, top in enumerate(tops)]}
    between = {("a", "b"), ("b", "a")}
    # Of every pair of encoders the mean over its keys, and then of these; none where one of them has no row.
    assert crossing_page._over_encoders(found, between, 0, "unpaired") == pytest.approx(0.6)
    assert crossing_page._over_encoders(found, between, 5, "unpaired") is None
