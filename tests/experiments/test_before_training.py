"""What cannot be done is said by the plan, before anything is trained, embedded or fitted."""

import pytest
from image_sets import GREY, splits, write_npz

from align.training import Settings
from align_lab.ladder import climbing
from align_lab.ladder.ladder_plans import Rungs
from align_lab.plans import Networks
from align_lab.store import Store
from align_lab.switch import swap_page

SEARCH = ("--vectors=sample", "--between=minilm:mpnet")
CASES = {
    "few of a class": ("ablation", "--dataset={}", "--latent=4", "--anchors=8", "need 50 of each; class "),
    "few images for the maps": (
        "rotation",
        "--dataset={}",
        "--latent=2,21",
        "at most 20, as there are 40 training images",
    ),
    "a pair for ridge": ("anchors", "--dataset={}", "--latent=4", "--anchors=1,8", "--methods=ridge", "2 or more for "),
    "a pair on the ladder": ("knowledge", "--spaces={}-4", "--anchors=1,8", "--anchors must be 2 or more for ridge"),
    "a pair of texts": (
        "embedding_switch",
        "--pairs={}.tsv",
        "--anchors=1,8",
        "--documents=30",
        "--queries=11",
        "--anchors must be 2 or more for ridge",
    ),
    "two pairs for auto": (
        "embedding_switch",
        *SEARCH,
        "--anchors=2",
        "--anchors must be 3 or more for these --groups",
    ),
    "a pair for families": (
        "embedding_switch",
        *SEARCH,
        "--groups=families",
        "--anchors=1",
        "must be 2 or more for the",
    ),
    "no images": (
        "between_encoders",
        *SEARCH,
        "--texts=200",
        "--held_out=20",
        "--data_dir=/nonexistent",
        "no sound mnist",
    ),
}


@pytest.fixture
def few(tmp_path):
    """Forty images, and thirty texts beside them."""
    (tmp_path / "few.npz.tsv").write_text("".join(f"{number}\tthe number {number}\n" for number in range(30)))
    return write_npz(tmp_path / "few.npz", **splits(GREY, train=40, test=12))


@pytest.mark.parametrize("case", CASES)
def test_it_is_said_by_the_plan(case, few, experiment):
    script, *arguments, words = CASES[case]
    run = experiment(script, *(argument.format(few) for argument in arguments), "--dry_run")
    assert run.code == 1 and words in run.err, run.err


def test_selections_that_the_data_have_no_images_for_are_left_out(few, tmp_path):
    store = Store(tmp_path / "workdir")
    networks = Networks("autoencoder", store.data(str(few)).name, "conv", 4, (0, 1), Settings())
    step = Rungs("selection", (networks,), 1, (5,))
    left_out = {rung.method for rung in climbing.rungs(step)} - {
        row["method"] for row in climbing._missing(step, store)
    }
    assert left_out == {"linear_neighbourhoods", "ridge_neighbourhoods"}


def test_where_no_family_finds_anything_nothing_is_lost():
    known = {"old": "one", "new": "other", "direction": "index", "anchors": 3, "seed": 0, "recall": 0.0}
    assert swap_page.regrets([{**known, "method": method} for method in ("ridge", "auto")]) == {
        "ridge": [0.0],
        "auto": [0.0],
    }
    # Nor is what no family has been compared with.
    assert swap_page.regrets([{**known, "method": "auto", "recall": 0.5}]) == {}
