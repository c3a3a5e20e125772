"""What the notes say from rows beside the tables: of ten networks where three do not tell, and of another training."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from align import rows

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
NOTES = " ".join((RESULTS / "notes.md").read_text().split())
RIGIDITY = " ".join((RESULTS.parents[1] / "docs" / "rigidity.md").read_text().split())


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


def test_means_with_and_without_weight_decay():
    across = ("conv", "mlp"), ("mlp", "conv")
    said = {
        (
            "rigid",
            across,
            3,
        ): "{} and {} from conv to MLP at latents 50 and 100 and {} and {} back, in place of {}, {}, {} and {}",
        ("linear", across, 3): "linear has {}, {}, {} and {} in place of {}, {}, {} and {}",
        ("autoencoder", (("mlp", "mlp"),), 4): "own errors are {} and {}, in place of {} and {}",
    }
    for cell, words in said.items():
        assert words.format(*means("without_decay", *cell), *means(".", *cell)) in NOTES


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
