"""What the notes say of ten networks, where three do not tell whether a cell lies above the paper's."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from align import rows

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
NOTES = " ".join((RESULTS / "notes.md").read_text().split())


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
