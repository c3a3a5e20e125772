"""Many networks: what is planned, and what is measured of maps whose truth is known; nothing is trained."""

import dataclasses
import re
import types

import jax.numpy as jnp
import numpy as np
import pytest

from align import rows as results
from align import solvers
from align_lab import recipes
from align_lab.many import agreements, carried, gatherings, likeness, many_page, many_plans
from align_lab.many.many_plans import Gathering, Likeness
from align_lab.plans import Networks
from align_lab.store import Store


def wanted(**changes):
    known = {"dataset": "mnist_sample", "model": "conv", "settings": ((4, 10),), "methods": gatherings.METHODS}
    known |= {"seeds": (0, 1, 2, 3, 4), "overrides": recipes.Overrides({}), "draws": (0, 1)}
    return gatherings.Gathered(**{**known, "groups": (("conv",), ("mlp", "conv")), **changes})


def test_each_network_is_trained_once_and_architectures_share_the_seeds(tmp_path):
    plan = gatherings.plan(wanted(), Store(tmp_path / "workdir"))
    trained = [one for one in plan if isinstance(one, Networks)]
    assert [(one.model, one.seeds) for one in trained] == [("conv", (0, 1, 2, 3, 4)), ("mlp", (0, 1, 2))]
    gathered = [one for one in plan if isinstance(one, Gathering)]
    assert {(many_plans.columns(one.spaces)["group"], one.anchors, one.pool) for one in gathered} == {
        (group, 10, pool) for group in ("conv:5", "mlp:3+conv:2") for pool in (1, 2)
    }
    listed = [row for one in gathered for row in agreements.rows(one)]
    assert len({results.identity(row) for row in listed}) == len(listed) == 4 * len(gatherings.METHODS) * 2


def test_rows_tell_how_every_architecture_was_trained(monkeypatch):
    def listed():
        asked = wanted(dataset="mnist")
        alone, *_, both = (one for one in gatherings.plan(asked, None) if isinstance(one, Likeness))
        return likeness.rows(alone), likeness.rows(both)

    alone, both = listed()
    assert {row["settings"]["learning_rate"] for row in alone} == {0.005}
    assert all(row["settings"]["mlp"]["learning_rate"] == 0.001 for row in both)
    assert all(row["settings"]["conv"] == alone[0]["settings"] for row in both)
    # What one architecture is measured by is the others, too: none of its rows is kept where their training changes.
    monkeypatch.setitem(recipes.OF_MODEL, ("mnist", "mlp"), {"learning_rate": 2e-3})
    again, changed = listed()
    assert again == alone and not {*map(results.identity, both)} & {*map(results.identity, changed)}


def drawn():
    """Codes of three networks that are turned images of each other, each of which has embedded half of the anchors."""
    random = np.random.default_rng(0)
    turns = [np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(3)]
    points = random.normal(size=(84, 3)) * [3, 2, 1]
    codes = jnp.asarray(np.stack([points @ turn + i for i, turn in enumerate(turns)]), jnp.float32)
    known = jnp.asarray(np.arange(24)[None] % 3 != np.arange(3)[:, None], jnp.float32)
    return carried.Codes(codes[:, :24], known, codes[:, 24:])


@pytest.mark.parametrize("method", gatherings.METHODS)
def test_turned_spaces_are_carried_and_circles_close(method, monkeypatch):
    monkeypatch.setattr(carried.models, "decoder_of", lambda model, params: (model, params))
    monkeypatch.setattr(carried.evaluation, "reconstruction_error", lambda model, params, codes, images: codes.mean())
    codes = drawn()
    ends = [type("End", (), {"model": None, "params": None})] * 3
    found, told = carried.maps(method, codes)
    assert told.get("pairs_without_a_map", 0) == 0
    measures = carried.measured(found, codes, ends, None)
    assert max(measures[name] for name in ("residual", "around", "by_way")) < 5e-3


def test_ridge_of_few_shared_anchors_is_that_of_these_rows_alone():
    random = np.random.default_rng(2)
    anchors = jnp.asarray(random.normal(5, 1, size=(3, 40, 8)), jnp.float32)
    known = np.arange(40)[None] < np.array([[30], [12], [40]])
    known[1, :6] = False
    codes = carried.Codes(anchors, jnp.asarray(known, jnp.float32), anchors)
    found, _ = carried.maps("ridge", codes)
    for i, j in [(0, 1), (1, 0), (0, 2), (2, 1)]:
        shared = known[i] & known[j]
        alone = solvers.ridge(anchors[i][shared], anchors[j][shared])
        np.testing.assert_allclose(found[i, j].weight, alone.weight, atol=1e-5)
        np.testing.assert_allclose(found[i, j].bias, alone.bias, atol=1e-4)
    means = carried.maps("similarity", codes)[0][0, 1]
    np.testing.assert_allclose(means.weight, solvers.similarity(anchors[0][6:12], anchors[1][6:12]).weight, atol=1e-5)


def test_a_pair_that_shares_nothing_is_told_the_mean():
    codes = drawn()
    apart = codes._replace(known=codes.known.at[0].set(jnp.arange(24) < 2).at[1].set(jnp.arange(24) >= 2))
    found, told = carried.maps("ridge", apart)
    assert told["pairs_without_a_map"] == 2
    np.testing.assert_array_equal(found[0, 1].weight, 0)
    np.testing.assert_allclose(found[0, 1].bias, codes.anchors[1, 2:].mean(0), rtol=1e-5)


def test_networks_that_are_turned_images_are_one_point():
    codes = list(drawn().tests)
    other = jnp.asarray(np.random.default_rng(1).normal(size=codes[0].shape), jnp.float32)
    for matrix in likeness.distances([*codes, other]).values():
        assert matrix[:3, :3].max() < 0.05 < 0.3 < matrix[3, :3].min()
    points = np.array([[0, 0], [3, 0], [0, 4.0]])
    found = many_page.in_a_plane(np.linalg.norm(points[:, None] - points[None], axis=-1))
    lengths = [np.linalg.norm(found[i] - found[j]) for i, j in [(0, 1), (0, 2), (1, 2)]]
    np.testing.assert_allclose(lengths, [3, 4, 5])


def test_a_network_that_is_not_like_the_others_is_far_and_carries_badly(tmp_path, monkeypatch):
    codes = list(drawn().tests)
    codes.append(jnp.asarray(np.random.default_rng(1).normal(size=codes[0].shape), jnp.float32))
    ends = [types.SimpleNamespace(train=one, test=one, model=one, params=None) for one in codes]
    images = types.SimpleNamespace(test=types.SimpleNamespace(images=codes[0]))
    monkeypatch.setattr(likeness, "gathered", lambda one, store: ends)
    monkeypatch.setattr(likeness.models, "decoder_of", lambda model, params: (model, params))
    monkeypatch.setattr(
        likeness.evaluation, "reconstruction_error", lambda model, *rest: jnp.linalg.norm(model - rest[1])
    )
    store = Store(tmp_path / "workdir")
    monkeypatch.setattr(store, "data", lambda name: images)
    space = next(one for one in gatherings.plan(wanted(), store) if isinstance(one, Networks))
    one = Likeness((dataclasses.replace(space, seeds=(0, 1, 2, 3)),))
    assert likeness.cost(one, store) > 0
    likeness.work(one, store, lambda share: None)
    found = store.rows(many_plans.ALIKE)
    assert [row["network"] for row in found] == ["conv 0", "conv 1", "conv 2", "conv 3"] and not likeness.cost(
        one, store
    )
    for name in ("procrustes", "cka", "into", "out_of"):
        assert max(row[name] for row in found[:3]) < 0.6 * found[3][name]
    assert all(row["own"] == 0 for row in found)


def test_tables_and_picture(tmp_path):
    gathering = gatherings.plan(wanted(), Store(tmp_path / "workdir"))[2]
    measures = {"residual": 0.5, "test_error": 0.25, "around": 0.125, "by_way": 1.0}
    made = [{**row, **measures, "residual": 0.5 + 0.01 * place} for place, row in enumerate(agreements.rows(gathering))]
    results.append(tmp_path / "rows" / "consensus.jsonl", made)
    (one,) = (one for one in gatherings.plan(wanted(), Store(tmp_path)) if one == Likeness(gathering.spaces))
    found = [{**row, **dict.fromkeys(many_page.MEASURES, 0.1 * k)} for k, row in enumerate(likeness.rows(one))]
    results.append(tmp_path / "rows" / "alike.jsonl", found)
    page = many_page.write(tmp_path)
    assert "| conv 3 | 0.3000 | 0.3000 |" in page.read_text()
    assert "into and out of it: own error +1.00, Procrustes distance +1.00" in page.read_text()
    assert "| 10 | consensus | 0.6050 | 0.2500 | 0.1250 | 1.0000 | 2 |" in page.read_text()
    assert (tmp_path / "pictures" / "consensus_mnist_sample_latent4_conv5.png").stat().st_size > 10_000


def test_the_page_says_what_the_recipes_do_not(tmp_path):
    def rows_of(**given):
        plan = gatherings.plan(wanted(dataset="fashion_mnist", overrides=recipes.Overrides(given)), None)
        return [row for one in plan if isinstance(one, Gathering) for row in agreements.rows(one)]

    for given, alone, both in [
        ({}, "", ""),
        ({"weight_decay": 0.0}, "", "mlp weight decay 0.0 in place of 0.1"),
        ({"epochs": 2, "memory": 0.9}, *["epochs 2 in place of 7, memory 0.9 in place of None"] * 2),
        (
            {"weight_decay": 0.05},
            "weight decay 0.05 in place of 0.0",
            "mlp weight decay 0.05 in place of 0.1; conv weight decay 0.05 in place of 0.0",
        ),
    ]:
        assert {(row["group"], many_page.changed(row)) for row in rows_of(**given)} == {
            ("conv:5", alone),
            ("mlp:3+conv:2", both),
        }
    made = [{**row, **dict.fromkeys(many_page.COLUMNS, 1.0 + k)} for k, row in enumerate(rows_of(weight_decay=0.0))]
    results.append(tmp_path / "rows" / "consensus.jsonl", made)
    alone, both = many_page.write(tmp_path).read_text().split("## fashion_mnist, latent 4, ")[1:]
    said = "Trained otherwise than by default: mlp weight decay 0.0 in place of 0.1."
    assert said in both and "otherwise" not in alone


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--groups=conv+tree", r"--groups must be such as conv or conv\+mlp; one of them is 'conv.tree'"),
        ("--groups=mlp,conv+mlp+conv", r"--groups must name an architecture once in a group; one of them is 'conv.mlp"),
        ("--groups=", "--groups must have one value or more; it is empty"),
        ("--anchors=", "--anchors must have one value or more; it is empty"),
        ("--methods=", "--methods must have one value or more; it is empty"),
        ("--seeds=2", "--seeds must be 3 or more for a circle; it is 2"),
        ("--anchors=1,20", "--anchors must be 2 or more; the least is 1"),
        ("--anchors=5000", "--anchors must be at most 3000, as there are 6000 training images; it is 5000"),
        ("--methods=cca", "--methods must be of rigid, .* there is cca"),
    ],
)
def test_flags_that_make_no_sense_are_named(experiment, flag, message):
    ended = experiment("consensus", "--dataset=mnist_sample", "--dry_run", flag)
    assert ended.code == 1
    assert re.search(message, " ".join(ended.err.split()))
