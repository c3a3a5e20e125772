"""What the notes say from rows beside the tables: of ten networks where three do not tell, and of another training."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from align import rows

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
NOTES = " ".join((RESULTS / "notes.md").read_text().split())
DOCS = RESULTS.parents[1] / "docs"
RIGIDITY, UNPAIRED = (" ".join((DOCS / f"{page}.md").read_text().split()) for page in ("rigidity", "unpaired"))


@pytest.fixture
def errors():
    """Give the errors `[10, 10]` of the ordered pairs of ten networks in a cell, NaN between a network and itself."""

    def read(table, method, latent, anchors):
        found = np.full((10, 10), np.nan)
        for row in rows.read(RESULTS / "ten_networks" / "rows" / f"table{table}.jsonl"):
            ends = row["source_seed"], row["target_seed"]
            if (row["method"], row["latent"], row["anchors"]) == (method, latent, anchors) and ends[0] != ends[1]:
                found[ends] = row["test_error"]
        assert np.isnan(found).sum() == 10
        return found

    return read


@pytest.mark.parametrize(
    ("cell", "digits"),
    [
        ((1, "linear", 10, None), 4),
        ((2, "end2end", 2, 50), 3),
        ((2, "end2end", 10, 50), 4),
        ((3, "linear", 10, 100), 4),
    ],
)
def test_means_over_ten_networks(cell, digits, errors):
    found = errors(*cell)
    assert f"{np.nanmean(found):.{digits}f} ± {np.nanstd(found):.{digits}f}" in NOTES


def test_shares_of_triples(errors):
    """How three of the ten networks would have stood, whichever three."""

    def means(found):
        return np.array([np.nanmean(found[np.ix_(some, some)]) for some in itertools.combinations(range(10), 3)])

    above = np.mean(means(errors(1, "linear", 10, None)) > 0.549)
    within = np.mean(means(errors(2, "end2end", 2, 50)) <= 0.700)
    assert f"of all triples of these {100 * above:.0f} % lie above 0.549" in NOTES
    assert f"{100 * within:.0f} % of all triples of these have 0.700 or less" in NOTES


def means(folder, method, ends, digits):
    """Write the mean errors of a method in Table 5, between these ends, at latents 50 and 100."""
    table = list(rows.read(RESULTS / folder / "rows" / "table5.jsonl"))
    cells = [(method, *both, latent) for both in ends for latent in (50, 100)]
    keys = ("method", "source_model", "target_model", "latent")
    errors = [[row["test_error"] for row in table if tuple(row[key] for key in keys) == cell] for cell in cells]
    return [f"{np.mean(cell):.{digits}f}" for cell in errors]


@pytest.mark.parametrize(
    ("method", "digits", "words"),
    [
        (
            "rigid",
            3,
            "{} and {} from conv to MLP at latents 50 and 100 and {} and {} back, in place of {}, {}, {} and {}",
        ),
        ("linear", 3, "linear has {}, {}, {} and {} in place of {}, {}, {} and {}"),
        ("autoencoder", 4, "own errors are {} and {}, in place of {} and {}"),
    ],
)
def test_means_with_and_without_weight_decay(method, digits, words):
    ends = [("mlp", "mlp")] if method == "autoencoder" else [("conv", "mlp"), ("mlp", "conv")]
    found = [each for folder in ("without_decay", ".") for each in means(folder, method, ends, digits)]
    assert words.format(*found) in NOTES


def test_the_page_on_rigidity_has_them_at_latent_50():
    rigid, similarity, linear = (
        [means(folder, method, [("conv", "mlp")], 3)[0] for folder in ("without_decay", ".")]
        for method in ("rigid", "similarity", "linear")
    )
    decay = "leaves {} where none has weight decay, {} where the fully connected ones have 0.1"
    assert decay.format(*rigid) in RIGIDITY
    assert "a similarity {} and {}, where linear leaves {} and {}".format(*similarity, *linear) in RIGIDITY


def test_the_page_on_rigidity_counts_our_own_networks():
    """How often a linear map is better than a rigid one, from all pairs (Table 1) and from anchors (Table 3)."""

    def better(table):
        found = {"rigid": {}, "linear": {}}
        for row in rows.read(RESULTS / "rows" / f"table{table}.jsonl"):
            if row["method"] in found:
                place = row["latent"], row["anchors"], row["source_seed"], row["target_seed"]
                found[row["method"]][place] = row["test_error"]
        wins = [error < found["rigid"][place] for place, error in found["linear"].items()]
        return f"{sum(wins)} of {len(wins)}"

    assert f"better on {better(1)} pairs from all codes, and on {better(3)} from few anchors" in RIGIDITY


def test_a_few_pairs_beside_two_clouds_against_the_better_of_either():
    """What the page on clouds says of the ladder, from 10 dimensions up."""
    keys = "dataset", "latent", "source_model", "target_model", "source_seed", "target_seed"
    ladder = [row for row in rows.read(RESULTS / "rows" / "knowledge.jsonl") if row["latent"] >= 10]
    errors = {
        (row["method"], row["anchors"], *(row[key] for key in keys)): row["test_error"]
        for row in ladder
        if not row["settings"]["run"]
    }
    above = [
        error / min(errors["ridge", pairs, *ends], errors["unpaired", None, *ends]) - 1
        for (method, pairs, *ends), error in errors.items()
        if method == "unpaired" and pairs
    ]
    off = [f"{100 * each:.1f}" for each in sorted(above) if each > 0.01]
    within = f"better of the two in {len(above) - len(off)} of the {len(above)} runs"
    assert within in UNPAIRED and f"and {' and '.join(off)} % in the others" in UNPAIRED
