"""Heads on mapped codes: what is planned, and what is measured of maps whose truth is known; nothing is trained."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from align import rows as results
from align.data import Dataset, Split
from align_lab import launch, recipes, validation
from align_lab.ends import Ends
from align_lab.heads import carrying, classification, classify_page, code_maps, head_comparisons
from align_lab.heads.classifiers import Classified, images
from align_lab.heads.head_plans import Classifiers, Heads
from align_lab.store import Store


def wanted(**changes):
    known = {"dataset": "mnist_sample", "model": "conv", "settings": ((50, None),), "methods": (), "seeds": (0, 1, 2)}
    return classification.ClassifyAsked(**{**known, "overrides": recipes.Overrides({"epochs": 1}), **changes})


def planned(tmp_path, **changes):
    return classification.plan(wanted(**changes), Store(tmp_path / "workdir"))


def test_every_step_leads_from_every_architecture_to_every_other(tmp_path):
    plan = planned(tmp_path, models=("conv", "residual"))
    trained = [one for one in plan if isinstance(one, Classifiers)]
    assert [(one.model, one.seeds, one.settings.epochs) for one in trained] == [
        ("conv", (0, 1, 2), 1),
        ("residual", (0, 1, 2), 1),
    ]
    heads = [one for one in plan if isinstance(one, Heads)]
    assert len(heads) == 2 + 6 * 4 and {one.step for one in heads} == set(classification.STEPS)
    listed = [row for one in heads for row in carrying.rows(one)]
    assert len({results.identity(row) for row in listed}) == len(listed)
    assert {row["method"] for row in listed} == {m for methods in code_maps.METHODS.values() for m in methods}
    pairs = {(row["source_seed"], row["target_seed"]) for row in listed if row["method"] == "affine"}
    assert pairs == {(0, 1), (1, 2), (2, 0)}
    costs = [launch.worker(one).cost(one, Store(tmp_path / "workdir")) for one in plan]
    assert all(cost > 0 for cost in costs)


def test_rows_say_how_many_images_made_a_cloud(tmp_path):
    """At most half of the images trained on, so that what is asked beyond makes no other rows."""
    asked = {cloud: planned(tmp_path, models=("mlp",), cloud=cloud) for cloud in (100, 3000, 5000)}
    assert asked[3000] == asked[5000] != asked[100]
    clouds = {row["settings"]["cloud"] for one in asked[5000] if isinstance(one, Heads) for row in carrying.rows(one)}
    assert clouds == {0, 3000}


def test_what_is_held_out_takes_the_place_of_the_test(tmp_path):
    store = Store(tmp_path / "workdir")
    (one, *_) = planned(tmp_path, models=("mlp",), held_out=1000)
    train, data = store.data("mnist_sample").train, images(one, store)
    assert len(data.train) == 5000 and len(data.test_labels) == 1000
    np.testing.assert_array_equal(data.test, train.images[-1000:])
    np.testing.assert_array_equal(data.test_labels, train.labels[-1000:])


def test_what_is_held_out_of_images_that_lie_class_by_class_has_every_class():
    images = np.arange(400.0).reshape(100, 2, 2, 1)
    known = Split(images, np.repeat(np.arange(5), 20)), Split(images[:10], np.zeros(10, int))
    assert validation.identity("mnist_sample", 40) == {"held_out": 40} and validation.identity("flowers", 0) == {}
    assert validation.identity("flowers-0123abcd", 40) == {"held_out": 40, "drawn": True}
    train, test = validation.splits(Dataset("flowers-0123abcd", "a folder", *known), 40)
    assert set(train.labels) == set(test.labels) == set(range(5)) and len(test.images) == 40
    np.testing.assert_array_equal(np.sort(np.r_[train.images, test.images], 0), images)
    for split in (train, test):
        np.testing.assert_array_equal(split.labels, split.images[:, 0, 0, 0] // 80)


def ends():
    """Two classifiers whose codes are turned images of each other, and whose heads know it; labels to train on."""
    random = np.random.default_rng(0)
    labels = np.arange(600) % 4
    means = 3 * random.normal(size=(4, 5))
    codes = (means[labels] + random.normal(size=(600, 5)) * np.arange(1, 6) / 4).astype(np.float32)
    turn = np.linalg.qr(random.normal(size=(5, 5)))[0].astype(np.float32)
    made = []
    for seed, own in enumerate((codes, codes @ turn + 1)):
        centres = np.stack([own[labels == label].mean(0) for label in range(4)])
        params = {"params": {"kernel": centres.T, "bias": -(centres**2).sum(1) / 2}}
        train, test = jnp.asarray(own[:400]), jnp.asarray(own[400:])
        said = np.asarray(nn.Dense(4).apply(params, test).argmax(-1))
        made.append(Classified("conv", seed, nn.Dense(4), params, train, test, said))
    return Ends(*made, labels[:400]), labels[400:]


@pytest.mark.parametrize("method", [*code_maps.PAIRED, "icp_labels", "class_gaussians"])
def test_a_turned_space_is_read_as_its_own(method, monkeypatch):
    monkeypatch.setitem(code_maps.OPTIONS, "reduced_rank", {"rank": 5})
    known, labels = ends()
    told = carrying.measured(method, 100 if method in code_maps.PAIRED else None, known, labels)
    assert told["own"] > 0.95
    if method in ("scaling", "orthogonal", "linear"):  # they have no turn, or no shift
        assert told["residual"] > 0.02
    elif method in code_maps.PAIRED:
        assert told["agreement"] == 1 and told["accuracy"] == told["own"] and told["residual"] < 0.02
    else:
        assert told["agreement"] > 0.9


@pytest.mark.parametrize("method", code_maps.RELATIVE)
def test_a_head_of_relative_representations_reads_a_turned_space(method):
    known, labels = ends()
    known = known._replace(source=known.target._replace(train=known.source.train + 1, test=known.source.test + 1))
    told = carrying.measured(method, 40, known, labels)
    assert "residual" not in told and told["accuracy"] > (0.9 if method == "relative_euclidean" else 0.5)


def test_own_codes_say_how_far_they_have_collapsed():
    known, labels = ends()
    told = carrying.measured("classifier", None, known._replace(source=known.target), labels)
    assert told["residual"] == 0 and told["agreement"] == 1 and told["accuracy"] == told["own"]
    assert 0.5 < told["between"] < 1 and 1 < told["dimensions"] < 5
    alone = carrying.collapse(known.target._replace(test=known.target.test[:, :1]), labels)
    assert 0 < alone["between"] < 1 and alone["dimensions"] == 1
    parts = carrying.residuals(
        np.array([[1.0], [3], [-1], [-3]]), np.array([[2.0], [4], [-1], [-3]]), np.arange(4) // 2
    )
    np.testing.assert_allclose(list(parts.values()), [np.sqrt(2 / 20), np.sqrt(2 / 16), 0])


def test_a_verdict_stands_in_the_row():
    known, labels = ends()
    told = carrying.measured("unpaired", 20, known, labels)
    assert isinstance(told["trusted"], bool) and "known pairs" in told["verdict"]


def rows_of(differences):
    for (source, target), gain in differences.items():
        ends = {"source_model": "conv", "target_model": "mlp", "source_seed": source, "target_seed": target}
        yield {**ends, "method": "a", "accuracy": 0.5 + gain}
        yield {**ends, "method": "b", "accuracy": 0.5}


def test_intervals_are_over_networks():
    apart = head_comparisons.compared(rows_of({(s, t): 0.1 for s in range(3) for t in range(3)}), "a", "b")
    np.testing.assert_allclose([*apart], [0.1, 0.1, 0.1, 9])
    assert apart.verdict == "the first is better"
    # One source says all: drawn or not, it moves the mean.
    mixed = head_comparisons.compared(rows_of({(s, t): 0.1 * (s == 0) for s in range(3) for t in range(3)}), "a", "b")
    assert mixed.low == 0 and mixed.high > 0.06 and mixed.verdict == "no difference is shown"
    worse = head_comparisons.compared(rows_of({(s, t): -0.1 for s in range(3) for t in range(3)}), "a", "b")
    assert worse.verdict == "the second is better"
    assert head_comparisons.compared(rows_of({(0, 1): 0.1}), "a", "b") is None
    twice = [*rows_of(dict.fromkeys(((s, t) for s in range(3) for t in range(3)), 0.1))]
    twice += [{**row, "accuracy": 0.5} for row in twice]
    assert head_comparisons.compared(twice, "a", "b").mean == pytest.approx(0.05)


def test_tables_and_picture(tmp_path):
    listed = [row for one in planned(tmp_path) if isinstance(one, Heads) for row in carrying.rows(one)]
    measures = {"accuracy": 0.9, "agreement": 0.92, "own": 0.97, "residual": 0.5, "residual_means": 0.25}
    measures |= {"residual_within": 0.75, "between": 0.8, "dimensions": 8.0}
    made = [{**row, **measures} | ({"trusted": False} if row["method"] == "unpaired" else {}) for row in listed]
    better = [{**row, "accuracy": 0.9 + 0.01 * (row["method"] == "stitching_k2")} for row in made]
    page = classify_page.write(better, tmp_path).read_text()
    assert "| a trained MLP against affine | all | within an architecture | +1.00 (+1.00 to +1.00) | the first" in page
    assert "| unpaired | nothing | 90.0 (92.0) | 90.0 | 0 of 9 |" in page
    assert (tmp_path / "pictures" / "classify_mnist_sample_latent50.png").stat().st_size > 10_000


def test_all_pairs_stand_where_their_number_is():
    row = {"method": "rigid", "accuracy": 0.9, "own": 0.95}
    rows = [{**row, "anchors": count} for count in (10, None)]
    assert list(classify_page._curves(rows).lines["rigid"]) == [10, 60_000]
    assert list(classify_page._curves([{**one, "images": 6000} for one in rows]).lines["rigid"]) == [10, 6000]


def test_a_run_of_fewer_networks_leaves_the_ring_of_more_as_it_is():
    def rows_of(pairs):
        ends = {"dataset": "mnist", "latent": 8, "source_model": "mlp", "target_model": "mlp"}
        return [{**ends, "source_seed": source, "target_seed": target} for source, target in pairs]

    three = rows_of([(0, 0), (0, 1), (1, 2), (2, 0)])
    assert classify_page.of_one_ring(rows_of([(0, 1), (1, 0)]) + three[:1] + three[2:]) == [
        rows_of([(0, 1)])[0],
        *three[:1],
        *three[2:],
    ]
    assert classify_page.of_one_ring(three) == three


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--models=conv,tree", "--models has no 'tree'; there are conv, mlp, residual"),
        ("--steps=all", "--steps has no 'all'; there are own, pairs"),
        ("--held_out=3001", "--held_out must be at most half the training images, 3000; it is 3001"),
    ],
)
def test_flags_that_make_no_sense_are_named(experiment, flag, message):
    ended = experiment("classify", "--dataset=mnist_sample", "--dry_run", flag)
    assert ended.code == 1
    assert re.search(message, " ".join(ended.err.split()))
