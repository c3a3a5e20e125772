"""Plans read without anything being run: what every experiment trains, and which rows it asks for."""

import dataclasses
import functools
import json
import re
from collections import Counter

import pytest
from absl import flags
from result_rows import ROW
from running import EXPERIMENTS

from align import models, paper, rows, training
from align.training import Settings
from align_lab import candidates, cells, launch, recipes, tables
from align_lab.asked import Asked, Defaults
from align_lab.ladder import climbing, spaces
from align_lab.ladder.ladder_plans import Rungs
from align_lab.plans import Cell, Networks
from align_lab.screen import Screen
from align_lab.store import Store

SEEDS = (0, 1, 2)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "workdir")


def asked(experiment, dataset=None, **changes):
    """Ask for the defaults of an experiment, on the sample."""
    defaults = experiment.defaults
    known = {"settings": defaults.settings, "methods": defaults.methods, "seeds": SEEDS}
    dataset = dataset or f"{defaults.dataset}_sample"
    return Asked(**{"dataset": dataset, "model": "conv", "overrides": recipes.Overrides({}), **known, **changes})


def asked_rows(plan):
    return [row for record in plan if isinstance(record, Cell) for row in cells.rows(record)]


def test_flags_offer_what_the_library_has():
    """Flags are defined before JAX is imported, and cannot read these lists."""
    values = flags.FlagValues()
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("enum", "string", "list", "integer", "float"):
            define = functools.partial(getattr(flags, f"DEFINE_{kind}"), flag_values=values)
            patch.setattr(flags, f"DEFINE_{kind}", define)
        Defaults().define_flags()
    for flag, offered in (
        ("model", models.MODELS),
        ("last_layer", models.LAST_LAYERS),
        ("schedule", training.SCHEDULES),
        ("initial", training.INITIALS),
    ):
        assert tuple(values[flag].parser.enum_values) == tuple(offered), flag


def test_a_plan_is_plain_data(store):
    wanted = asked(tables.ANCHORS, settings=((4, 20),), methods=("linear",), seeds=(0, 1))
    plan = tables.anchors(wanted, store)
    settings = Settings(epochs=12, weight_decay=0.05)
    networks = Networks("autoencoder", "mnist_sample", "conv", 4, (0, 1), settings)
    assert plan == [networks, Cell(3, networks, networks, ("linear",), Settings(epochs=4, weight_decay=0.05), 20)]
    assert plan == tables.anchors(wanted, store) and len({*plan, *tables.anchors(wanted, store)}) == 2
    assert [one.name for one in sorted(plan, key=lambda one: one.name)] == [
        "table 3, conv, latent 4, 20 anchors",
        "train mnist_sample conv, latent 4",
    ]
    assert "latent=4" in repr(networks) and not store.workdir.exists()


def test_the_rows_of_a_cell_are_listed_before_they_are_made(store):
    _, cell = tables.anchors(asked(tables.ANCHORS, settings=((4, 20),), methods=("linear",), seeds=(0, 1)), store)
    listed = [(row["method"], row["source_seed"], row["target_seed"], row["anchors"]) for row in cells.rows(cell)]
    assert listed == [("autoencoder", s, s, None) for s in (0, 1)] + [("linear", 0, 1, 20), ("linear", 1, 0, 20)]
    relative = dataclasses.replace(cell, methods=("end2end",), shared=True)
    listed = [(row["method"], row["source_seed"], row["target_seed"]) for row in cells.rows(relative)][2:]
    assert listed == [("end2end", s, t) for s, t in ((0, 0), (1, 1), (0, 1), (1, 0))]
    assert {row["settings"]["epochs"] for row in cells.rows(relative)} == {12, 4}


@pytest.mark.parametrize("name", ["FULL", "RELATIVE", "ANCHORS", "GEOMETRY", "ARCHITECTURES"])
def test_a_plan_has_every_cell_of_the_papers_table(store, name):
    experiment = getattr(tables, name)
    plan = experiment.plan(asked(experiment), store)
    unique = {rows.identity(row): paper.key_of(row) for row in asked_rows(plan)}.values()
    found = Counter(key._replace(dataset=experiment.defaults.dataset) for key in unique)
    for key in paper.CELLS:
        if key.table in experiment.tables:
            across = key.source_model != key.target_model
            assert found[key] == (9 if across else 3 if key.own else 6), key


@pytest.mark.parametrize("name", ["FULL", "ANCHORS", "GEOMETRY", "FIGURES", "ROTATION"])
def test_every_latent_dimension_is_trained_once(store, name):
    experiment = getattr(tables, name)
    plan = experiment.plan(asked(experiment), store)
    trained = [record for record in plan if isinstance(record, Networks)]
    assert [one.latent for one in trained] == list(dict.fromkeys(latent for latent, _ in experiment.defaults.settings))
    assert {(one.kind, one.model, one.encoders) for one in trained} == {("autoencoder", "conv", None)}


def test_published_rows_are_those_that_the_plans_ask_for(store):
    """Nothing that a plan asks for is missing from the published rows: neither plans nor training have changed."""
    published = Store(store.workdir, EXPERIMENTS / "results")
    whole = {"mnist": "mnist", "fashion_mnist": "fashion_mnist"}
    for one in tables.PARTS:
        wanted = asked(one, dataset=whole[one.defaults.dataset])
        listed = asked_rows(one.plan(wanted, published))
        assert published.missing(listed) == []


def test_the_whole_paper_plans_every_record_once(store):
    plan = tables.paper(asked(tables.PAPER, "mnist_sample"), store)
    assert len(set(plan)) == len(plan)
    names = Counter(one.name for one in plan)
    # The methods of Table 5, and the variants of decoder_only that are not in it.
    assert names["table 5, conv → mlp, latent 50, 100 anchors"] == 2
    assert names["train decoder_only fashion_mnist_sample conv, latent 50, 100 anchors"] == 1
    # Decoders that are shown another space by its own standard are those of decoder_only.
    assert any("train decoder_only_whitened " in name for name in names)
    assert not any("_standard" in name for name in names if name.startswith("train"))


def test_new_decoders_name_the_encoders_that_they_are_for(store):
    plan = tables.RELATIVE.plan(asked(tables.RELATIVE, settings=((50, 100),)), store)
    autoencoders, decoders, whole, cell = plan
    assert decoders.encoders == autoencoders and whole.encoders is None
    assert (decoders.kind, whole.kind, whole.anchors, cell.shared) == ("decoder_only", "end2end", 100, True)
    assert decoders.settings == whole.settings == cell.relative != autoencoders.settings


def test_an_architecture_is_trained_as_it_can_bear(store):
    wanted = asked(tables.RELATIVE, settings=((50, 10),), methods=("end2end",))
    conv, mlp, residual = (tables.autoencoders(wanted, model, 50).settings for model in ("conv", "mlp", "residual"))
    assert mlp.learning_rate < conv.learning_rate == residual.learning_rate
    assert mlp == dataclasses.replace(conv, learning_rate=mlp.learning_rate)
    both = [tables.autoencoders(wanted, model, 50) for model in ("mlp", "conv-linear")]
    for ends in (both, both[::-1]):
        assert tables.cell(wanted, 5, *ends).relative.learning_rate == mlp.learning_rate
    assert tables.cell(wanted, 2, both[1], both[1]).relative.learning_rate == conv.learning_rate
    given = dataclasses.replace(wanted, overrides=recipes.Overrides({"learning_rate": 0.25}))
    assert tables.autoencoders(given, "mlp", 50).settings.learning_rate == 0.25


def test_anchors_between_architectures_are_shared(store):
    plan = tables.ARCHITECTURES.plan(asked(tables.ARCHITECTURES, settings=((50, 100),)), store)
    found = [record for record in plan if isinstance(record, Cell)]
    assert all(cell.shared and cell.anchors == 100 for cell in found)
    assert [cell.own for cell in found] == [True, False, False, True] * 2
    assert {cell.methods for cell in found if cell.table == 6} == {("end2end",)}


def test_given_numbers_for_the_pixels_leave_both_families_what_they_are(experiment):
    known = ("--dataset=mnist_sample", "--pixel_mean=0.3", "--pixel_std=0.3", "--seeds=2", "--dry_run")
    ladder = experiment("knowledge", "--spaces=mnist-50,fashion_mnist-50", "--steps=pairs", "--json", *known)
    digits, *clothes = [json.loads(line)["task"] for line in ladder.out.splitlines() if '"train ' in line]
    assert re.fullmatch(r"train mnist_sample-\w{8} conv, latent 50", digits)
    assert [re.sub(r"-\w{8} ", " ", name) for name in clothes] == [
        f"train fashion_mnist_sample {model}, latent 50" for model in ("conv", "mlp")
    ]
    whole = experiment("paper", *known)
    assert all(name in whole.out for name in clothes), whole.err
    alone = experiment("paper", "--dataset=fashion_mnist_sample", *known[1:])
    assert alone.code == 1 and "there is no fashion_mnist_sample alone" in alone.err


def test_a_networks_own_error_is_that_of_the_network_that_is_transferred(store):
    """Of the paper's data the recipe of relative representations is the same for all; of MNIST it is not."""
    for dataset in ("mnist_sample", "fashion_mnist_sample"):
        plan = tables.architectures(asked(tables.ARCHITECTURES, dataset, settings=((50, 100),)), store)
        trained = [one.name for one in plan if isinstance(one, Networks)]
        assert len(trained) == len(set(trained)) == 6
        assert len({one.relative for one in plan if isinstance(one, Cell)}) == 1


def ladder(store, names=("mnist-2", "mnist-50", "fashion_mnist-50"), **changes):
    known = vars(asked(tables.FULL, settings=(), methods=()))
    chosen = tuple((name.rpartition("-")[0], int(name.rpartition("-")[2])) for name in names)
    return spaces.plan(spaces.Ladder(**known, spaces=chosen, **changes), store)


def test_the_ladder_of_every_space(store):
    plan = ladder(store, keys=2)
    steps = [record for record in plan if isinstance(record, Rungs)]
    assert [one.step for one in steps] == list(spaces.STEPS) * 3
    models = [[space.model for space in one.spaces] for one in steps if one.step == "pairs"]
    assert models == [["conv"], ["conv"], ["conv", "mlp"]]
    # MNIST networks of the same latent dimension are strangers to those of Fashion-MNIST, and to no others.
    strangers = [one.strangers and one.strangers.dataset for one in steps if one.step == "controls"]
    assert strangers == [None, None, "mnist_sample"]


def test_the_rows_of_the_ladder(store):
    steps = {one.step: one for one in ladder(store, ("mnist-50",), keys=2) if isinstance(one, Rungs)}
    listed = {step: climbing.rows(one) for step, one in steps.items()}
    for found in listed.values():
        assert {row["table"] for row in found} == {"knowledge"}
        assert len({rows.identity(row) for row in found if row["method"] != "autoencoder"}) % 6 == 0
    counts = Counter((row["method"], row["anchors"]) for row in listed["pairs"])
    assert counts["ridge", None] == counts["linear", 20] == 6
    assert {row["anchors"] for row in listed["selection"]} == {100}
    assert {row["settings"]["run"] for row in listed["unpaired"]} == {0, 1}
    # A few pairs beside two clouds: the pairs of the rung from pairs alone, at every number of them.
    few = Counter((row["method"], row["anchors"], row["settings"]["run"]) for row in listed["few"])
    assert few == {("unpaired", count, 0): 6 for count in spaces.COUNTS}
    fewer = [one for one in ladder(store, ("mnist-50",), counts=(7,)) if isinstance(one, Rungs)]
    varied = [row for one in fewer if one.step in ("pairs", "few") for row in climbing.rows(one)]
    assert {row["anchors"] for row in varied} == {7, None}
    assert {row["settings"]["run"] for row in listed["labels"]} == {None}


def test_rows_between_architectures_say_how_either_was_trained(store):
    """Another recipe for one of them leaves no row of the other training behind."""
    plan = tables.architectures(asked(tables.ARCHITECTURES, dataset="mnist_sample", settings=((4, 20),)), store)
    settings = {(row["source_model"], row["target_model"], row["method"]): row["settings"] for row in asked_rows(plan)}
    own = {model: settings[model, model, "autoencoder"] for model in ("conv", "mlp")}
    assert own["conv"]["learning_rate"] == 5e-3 and own["mlp"]["learning_rate"] == 1e-3
    for ends in (("conv", "mlp"), ("mlp", "conv")):
        assert settings[*ends, "linear"] == settings[*ends, "decoder_only"]["encoders"] == own
    assert settings["mlp", "mlp", "decoder_only"]["encoders"] == own["mlp"]
    # Where a flag takes away the one difference, the recipe of both is said once.
    alike = recipes.Overrides({"weight_decay": 0.0})
    fashion = asked(tables.FULL, "fashion_mnist_sample", settings=((4, 20),), methods=("linear",), overrides=alike)
    assert {row["settings"]["epochs"] for row in asked_rows(tables.architectures(fashion, store))} == {7}


def test_candidates_are_distinct():
    found = [candidates.Candidate("mnist", 10, 2, e, d, Settings(**options)) for e, d, options in candidates.CANDIDATES]
    assert len({rows.identity(candidates.rows(one)[0]) for one in found}) == len(candidates.CANDIDATES)


# The store and the executor

WANTED = {name: value for name, value in ROW.items() if name != "test_error"}


def test_rows_are_read_once_and_known_when_added(store, monkeypatch):
    read = []
    monkeypatch.setattr(rows, "read", lambda path, real=rows.read: read.append(path) or real(path))
    assert store.missing([WANTED, WANTED]) == [WANTED]  # asked for twice, made once
    store.add([ROW])
    assert store.missing([WANTED]) == [] and read == [store.file(3)]
    other = {**WANTED, "settings": {"epochs": 2}}
    assert store.missing([other]) == [other]
    (row,) = store.among(3, [WANTED, other])
    assert row["test_error"] == 0.5 and {"device", "versions", "revision"} <= set(row)
    assert Store(store.workdir).rows(3) == store.rows(3)


def test_what_is_remembered_is_made_once(store):
    made = []
    for key in ("a", "b", "a"):
        assert store.remember(key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b"]


@dataclasses.dataclass(frozen=True)
class Step:
    """A record whose worker is this module."""

    name: str
    seconds: float
    worker: str = __name__


def cost(step, store):
    return 0.0 if (store.workdir / step.name).exists() else step.seconds


def work(step, store, advance):
    if step.name == "stops":
        raise KeyboardInterrupt
    store.workdir.mkdir(exist_ok=True)
    (store.workdir / step.name).touch()
    advance(1.0)


def test_an_executor_does_what_is_left_in_order_and_logs_its_time(store, capsys):
    plan = [Step("first", 1.0), Step("stops", 1.0), Step("last", 1.0)]
    with pytest.raises(KeyboardInterrupt):
        launch.carry_out(plan, [cost(one, store) for one in plan], store, Screen())
    assert (store.workdir / "first").exists() and not (store.workdir / "last").exists()
    plan[1] = Step("goes on", 1.0)
    launch.carry_out(plan, [cost(one, store) for one in plan], store, Screen())
    assert capsys.readouterr().out.count("done: first") == 1
    logged = [json.loads(line)["task"] for line in store.file("timings").read_text().splitlines()]
    assert logged == ["first", "stops", "goes on", "last"]
