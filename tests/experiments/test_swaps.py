"""The swap of an encoder on the vectors that are shipped: its plan, its rows, and what is made of them."""

import numpy as np
import pytest
from running import EXPERIMENTS

from align import rows as results
from align.search import families
from align_lab import launch
from align_lab.screen import Screen
from align_lab.store import Store
from align_lab.switch import adapters, groups, interval_coverage, interval_trials, swap_page, swapping, swaps
from align_lab.switch.switch_plans import Intervals
from align_lab.texts.text_plans import Library

LIBRARY, BETWEEN = Library("sample", "", 0, 60), (("minilm", "mpnet"),)


def asked(*names):
    return swapping.plan(swapping.Swaps(LIBRARY, BETWEEN, 400, names, (20, 60), (0,)), None)


def test_the_names_that_help_knows_are_those_of_what_does_it():
    named = {name for names in groups.GROUPS.values() for name in names}
    assert groups.GROUPS["families"] == swaps.FAMILIES
    assert named == {*swaps.INDEX, *swaps.QUERIES, swaps.OLD, swaps.NO_MAP}
    assert groups.TABLE == swaps.TABLE in results.SCHEMAS


def test_a_plan_does_what_is_quick_for_all_pairs_first():
    plan = asked(*groups.GROUPS)
    assert [swap.methods for swap in plan] == list(groups.GROUPS.values())
    listed = [row for swap in plan for row in swaps.rows(swap)]
    assert len({results.identity(row) for row in listed}) == len(listed)
    assert {row["anchors"] for row in listed if row["method"] == "unpaired"} == {0, 20}
    assert {row["direction"] for row in listed if row["method"] == "ridge"} == {"index", "queries"}


def test_the_defaults_leave_texts_for_a_cloud_where_one_is_needed(call, tmp_path):
    def planned(*flags):
        done = call("embedding_switch", "--vectors=sample", "--dry_run", f"--workdir={tmp_path}", *flags)
        return " ".join((done.out + done.err).split())

    assert "data: 3,000 documents and 1,000 queries of sample" in planned()
    assert "data: 6,000 documents and 1,000 queries of sample" in planned("--groups=bars,families")
    refused = planned("--documents=6000", "--groups=clouds")
    assert "documents <= 5,998 texts of --vectors without the queries, and 2 for a cloud" in refused
    assert "data: 6,000 documents" in planned("--documents=6000", "--groups=auto")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("workdir"))
    plan = asked("bars", "families", "auto", "solvers")
    launch.carry_out(plan, launch.estimated(plan, store), store, Screen(quiet=True))
    assert launch.estimated(plan, store) == [0] * 4
    return store.rows(swaps.TABLE), store


def test_rows_of_a_swap(made):
    rows, _ = made
    found = {(row["method"], row["direction"], row["anchors"]): row for row in rows}
    assert len(found) == len(rows) == 2 + 2 * (6 + 1 + 1 + 1 + 1)
    assert found["auto", "index", 60]["chosen"] in (*swaps.FAMILIES, families.BLEND, "ridge towards no map")
    assert found["auto", "index", 60]["recall"] > 0.9 * found["ridge", "index", 60]["recall"]
    assert found["ridge", "index", 60]["recall"] > found["ridge", "index", 20]["recall"] > 0.1
    assert found["no map", None, None]["recall"] < 0.1 < found["old encoder", None, None]["recall"]
    assert all(row["recall"] <= row["of_50"] <= row["of_200"] <= 1 for row in rows)


def test_tables_and_picture_of_a_swap(made, tmp_path):
    rows, _ = made
    text = swap_page.write(rows, tmp_path).read_text()
    assert "**Mean over 1 ordered pairs of encoders**" in text and "| ridge, queries | " in text
    assert (tmp_path / "pictures" / "encoder_switch_wordnet_sample_documents400_queries60.png").stat().st_size > 10_000
    regrets = swap_page.regrets(rows)
    assert min(min(lost) for name, lost in regrets.items() if name != "auto") == 0
    assert f"| auto | {100 * np.mean(regrets['auto']):.1f} | " in text and "Means over 1 draws of the pairs." in text
    twice = [*rows, *({**row, "seed": 1} for row in rows if row["method"] == "ridge")]
    told = swap_page.text(twice)
    assert "Means over 2 draws of the pairs, of " in told and "of ridge 1" not in told and "of auto 1" in told


@pytest.mark.parametrize("dimensions", [(6, 4), (4, 6)])
@pytest.mark.parametrize("name", ["low-rank affine", "residual network"])
def test_adapters_learn_a_linear_map(name, dimensions, monkeypatch):
    monkeypatch.setattr(adapters, "STEPS", 600)
    monkeypatch.setattr(adapters, "LEARNING_RATE", 1e-2)
    random = np.random.default_rng(0)
    x = random.normal(size=(300, dimensions[0])).astype(np.float32)
    y = (x @ random.normal(size=dimensions) + 1).astype(np.float32)
    left = adapters.PEERS[name](0, x[:250], y[:250])(x[250:]) - y[250:]
    assert (left**2).sum() < 0.05 * ((y[250:] - y.mean(0)) ** 2).sum()


def test_intervals_hold_the_truth(tmp_path):
    store = Store(tmp_path)
    plan = [Intervals(Library("sample", "", 0, 0), 50, 40)]
    launch.carry_out(plan, launch.estimated(plan, store), store, Screen(quiet=True))
    rows = store.rows(interval_coverage.TABLE)
    assert {row["data_source"] for row in rows} == {"the shipped sample"}
    assert [row["figure"] for row in rows] == list(interval_coverage.FIGURES)
    assert all(0.8 <= row["coverage"] <= 1 and 0 < row["width"] < 0.2 for row in rows)
    store.add([rows[0] | {"draws": 20, "coverage": 0.123}])
    told = list(interval_trials.pictures(interval_trials.IntervalsAsked(Library("sample", "", 0, 0), (50,), 40), store))
    assert len(told) == len(interval_coverage.FIGURES) and "12.3%" not in " ".join(told)
    published = results.read(EXPERIMENTS / "results/rows/intervals.jsonl")
    # Where 50 queries miss next to nothing one draw in seven misses nothing, and its interval has no width.
    without = [row for row in published if row["coverage"] < 0.93]
    assert [(row["queries"], row["figure"]) for row in without] == [(50, "500 candidates again")]
    assert len(published) == 15 and all(row["coverage"] <= 0.97 for row in published)


def test_the_choice_is_as_good_as_the_best_family_and_beside_clouds_ahead_of_every_other():
    rows = [row for row in results.read(EXPERIMENTS / "results/rows/encoder_switch.jsonl") if row["anchors"]]
    recall: dict = {}
    for row in rows:
        if row["direction"] == "index":
            recall.setdefault((row["method"], row["old"], row["new"], row["anchors"]), []).append(row["recall"])
    recall = {key: np.mean(drawn) for key, drawn in recall.items()}
    cells = [key[1:] for key in recall if key[0] == swaps.CLOUDS]
    assert len(cells) == 42
    for at in cells:
        single, peers = ([recall[name, *at] for name in names] for names in (swaps.FAMILIES, adapters.PEERS))
        assert recall["auto", *at] > 0.99 * max(single)
        assert recall[swaps.CLOUDS, *at] > 0.99 * max(*peers, *single)
        assert at[2] > 20 or recall[swaps.CLOUDS, *at] > 5 * recall["ridge", *at]
    for count in {at[2] for at in cells}:
        of_method = {name: np.mean([recall[name, *at] for at in cells if at[2] == count])
                     for name in (swaps.CLOUDS, *adapters.PEERS)}  # fmt: skip
        assert max(of_method, key=of_method.get) == swaps.CLOUDS
