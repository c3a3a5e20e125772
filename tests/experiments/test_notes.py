"""What the notes and pages say from rows beside their tables, such as of ten networks where three do not tell."""

import itertools
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from align import rows
from align_lab.crossing import crossing_sums

RESULTS = Path(__file__).parents[2] / "experiments" / "results"
NOTES = " ".join((RESULTS / "notes.md").read_text().split())
DOCS = RESULTS.parents[1] / "docs"
PAGES = {page.stem: " ".join(page.read_text().split()) for page in DOCS.glob("*.md")}
RIGIDITY, UNPAIRED = PAGES["rigidity"], PAGES["unpaired"]


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

    def better(table, latent=None):
        found = {"rigid": {}, "linear": {}}
        for row in rows.read(RESULTS / "rows" / f"table{table}.jsonl"):
            if row["method"] in found and latent in (None, row["latent"]):
                place = row["latent"], row["anchors"], row["source_seed"], row["target_seed"]
                found[row["method"]][place] = row["test_error"]
        wins = [error < found["rigid"][place] for place, error in found["linear"].items()]
        return f"{sum(wins)} of {len(wins)}"

    own = f"better at latent 50 in {better(1, 50)} comparisons from all codes and in {better(3, 50)} from few anchors"
    assert f"{own}, over all latents of Tables 1 and 3 in {better(1)} and in {better(3)} comparisons" in RIGIDITY


def test_the_page_on_rigidity_is_of_networks_of_its_own_and_few_pairs_narrow_the_gap():
    found = {}
    for row in rows.read(RESULTS / "rows" / "rigidity.jsonl"):
        cell = row["variant"], row["settings"]["epochs"], row["anchors"], row["method"]
        found.setdefault(cell, []).append(row["test_error"])
    ours, tables = found["ours", 14, None, "autoencoder"], rows.read(RESULTS / "rows" / "table1.jsonl")
    assert not {*ours} & {row["test_error"] for row in tables if row["method"] == "autoencoder"}
    assert "`ours` have the architecture and the training" in RIGIDITY and "but are other networks" in RIGIDITY

    def gap(variant, epochs, anchors):
        return fmean(found[variant, epochs, anchors, "rigid"]) - fmean(found[variant, epochs, anchors, "linear"])

    of = {cell[:2] for cell in found}
    assert [variant for variant, epochs in of if gap(variant, epochs, 100) > gap(variant, epochs, None)] == ["ReLU"]
    assert "**Few pairs narrow it**, in the mean of every variant but `ReLU`." in RIGIDITY


def test_where_the_page_on_classification_has_a_trained_network_ahead_of_the_best_linear_map():
    """The better of rotation and regression in a column of its table, and whether the network is shown to be better."""
    page = (DOCS / "classification.md").read_text()
    table = page.partition("<!-- families -->")[2].partition("<!-- /families -->")[0].strip().splitlines()
    columns, _, *lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    found = {line: dict(zip(columns[1:], cells, strict=True)) for line, *cells in lines}
    few = [found[f"a trained MLP over `{best}`, {n} pairs"] for best in ("ridge", "rigid") for n in ("100", "1,000")]
    assert not [cell for line in few for cell in line.values() if cell.startswith("**+")]
    rotated = found["`rigid` over `affine`, all pairs"]
    best = {column: "rigid" if cell.strip("*").startswith("+") else "ridge" for column, cell in rotated.items()}
    shown = [one for one in best if found[f"a trained MLP over `{best[one]}`, all pairs"][one].startswith("**+")]
    assert {*shown} == {"Fashion-MNIST, another seed", *(c for c in best if c.endswith("another architecture"))}
    said = "From all 60,000 it is on Fashion-MNIST within an architecture, and on both data sets between all three; on"
    assert f"{said} MNIST within an architecture, and between" in PAGES["classification"]


def test_how_far_the_ridge_form_of_many_networks_is_ahead_of_rotations():
    errors = {}
    for row in rows.read(RESULTS / "rows" / "consensus.jsonl"):
        cell = row["dataset"], row["group"], row["anchors"], row["pool"]
        errors.setdefault(cell, {}).setdefault(row["method"], []).append(row["test_error"])
    ahead = {cell: 1e3 * (fmean(own["procrustes"]) - fmean(own["consensus"])) for cell, own in errors.items()}
    digits, clothes = ([ahead[c] for c in ahead if c[0] == name] for name in ("mnist", "fashion_mnist"))
    said = f"by up to {max(digits):.1f} thousandths on MNIST and by {min(clothes):.1f} to {max(clothes):.1f} on Fashion"
    assert said in PAGES["networks"] and min(ahead.values()) > -0.01


def test_what_peers_of_the_switch_of_an_encoder_find():
    switches = [
        row
        for row in rows.read(RESULTS / "rows" / "encoder_switch.jsonl")
        if (row["dataset"], row["documents"], row["queries"], row["direction"]) == ("wordnet", 10_000, 1000, "index")
    ]

    def found(method, *counts):
        means = [fmean(r["recall"] for r in switches if (r["method"], r["anchors"]) == (method, n)) for n in counts]
        return tuple(f"{100 * mean:.1f}" for mean in means)

    several = 100, 10_000
    for words, method in [
        ("isotrieve finds {} % from 100 pairs and {} % from 10,000", "isotrieve"),
        ("the residual network {} and {} %", "residual network"),
        ("the low-rank affine map {} and {} %", "low-rank affine"),
        ("our `ridge` {} and {} %", "ridge"),
        ("`--solver auto` {} and {} %", "auto"),
    ]:
        assert words.format(*found(method, *several)) in PAGES["comparison"]
    few = [*found("residual network", 20), *found("ridge", 20), *found("auto", 20)]
    assert "`ridge` ({} and {} %), and `auto` has {} %".format(*few) in PAGES["comparison"]


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
    others = "the others" if len(off) > 1 else "the other"
    assert within in UNPAIRED and f"and {' and '.join(off)} % in {others}" in UNPAIRED


def test_what_100_pairs_take_of_what_the_clouds_left():
    """Between architectures at latent 100, and what is left to those who are told how much every entry is off."""
    errors = {}
    for row in rows.read(RESULTS / "rows" / "knowledge.jsonl"):
        if (row["dataset"], row["latent"]) == ("fashion_mnist", 100):
            cell = row["source_model"], row["method"], row["anchors"]
            errors.setdefault(cell, []).append(row["test_error"])
    mean = {cell: fmean(found) for cell, found in errors.items()}
    most = []
    for source in ("conv", "mlp"):
        clouds, every = mean[source, "unpaired", None], mean[source, "linear", None]
        assert 6.5 < (clouds - every) / (clouds - mean[source, "unpaired", 100]) < 7.5
        most.append(mean[source, "bound", 100] / every)
        assert mean[source, "ridge", 1000] / every < most[-1] < mean[source, "ridge", 500] / every
    assert "these take only a seventh of what is left" in NOTES
    assert "would come to {:.2f} and {:.2f} times the error of the map of all pairs".format(*most) in NOTES
    fewer, more = (
        [mean[s, "ridge", count] / mean[s, "linear", None] for s in ("conv", "mlp")] for count in (500, 1000)
    )
    assert "({:.2f} and {:.2f} from 500, {:.2f} and {:.2f} from 1,000)".format(*fewer, *more) in NOTES


def test_how_near_to_all_pairs_the_clouds_come_between_architectures():
    """What the changelog says, over both latents and directions."""
    errors = {}
    for row in rows.read(RESULTS / "rows" / "knowledge.jsonl"):
        if row["dataset"] == "fashion_mnist" and row["anchors"] is None:
            cell = row["latent"], row["source_model"], row["target_model"]
            errors.setdefault(row["method"], {}).setdefault(cell, []).append(row["test_error"])

    def above(method):
        cells = errors[method].items()
        found = [100 * (fmean(own) / fmean(errors["linear"][cell]) - 1) for cell, own in cells]
        return f"{min(found):.0f} to {max(found):.0f} %"

    said = f"comes within {above('unpaired')} of the map of all pairs, labels within {above('labels')}"
    assert said in " ".join((DOCS.parent / "CHANGELOG.md").read_text().split())


def test_nothing_known_between_networks_that_were_trained_again():
    found = rows.read(RESULTS / "trained_again" / "rows" / "knowledge.jsonl")
    every = {
        (row["latent"], row["source_seed"], row["target_seed"]): row["test_error"]
        for row in found
        if row["method"] == "linear" and row["anchors"] is None
    }
    runs = [row for row in found if row["method"] == "unpaired"]
    times = {}
    for row in runs:
        error = row["test_error"] / every[row["latent"], row["source_seed"], row["target_seed"]]
        times.setdefault(row["latent"], []).append(error)
    most = [f"{max(each):.3f}" for each in times.values()]
    assert list(times) == [10, 30, 50, 100] and all(row["confident"] for row in runs)
    assert f"all {len(runs)} runs between them were trusted and right, at {min(map(min, times.values())):.3f}" in NOTES
    assert f"to {max(map(max, times.values())):.3f} times the error" in NOTES
    assert f"at most {', '.join(most[:3])} and {most[3]} times at latents 10, 30, 50 and 100" in NOTES


def test_what_is_trusted_between_encoders_and_what_pairs_alone_find():
    found = rows.read(RESULTS / "rows" / "encoders.jsonl")
    cells, of_all = crossing_sums.cells(found), crossing_sums.references(found)
    told = [crossing_sums.summary(one["unpaired"], of_all) for one in cells.values() if "unpaired" in one]
    trusted, wrong, right = (sum(one[name] for one in told) for name in ("trusted", "trusted_wrongly", "right"))
    words = f"Of the {trusted} runs of the table that were trusted {trusted - wrong} do, the other three"
    assert wrong == 3 and words in PAGES["encoders"]
    assert f"of the {right} that do, {trusted - wrong} were trusted" in PAGES["encoders"]
    timed = [row["seconds"] for row in found if row["method"] == "unpaired" and row["revision"] == "3a1bf6a"]
    told = f"{np.median(timed):.0f} s on two cores in the median of {len(timed)} runs, at most a minute in "
    assert told + str(sum(seconds <= 60 for seconds in timed)) in PAGES["encoders"]

    tops = {
        cell: {name: fmean(row["top1"] for row in one[name]) for name in ("unpaired", "ridge", "procrustes")}
        for cell, one in cells.items()
        if cell[3] and {"unpaired", "ridge", "procrustes"} <= one.keys()
    }
    assert all(one["unpaired"] > one["ridge"] for one in tops.values())
    better = [cell for cell, one in tops.items() if one["procrustes"] > one["unpaired"]]
    many = [cell for cell in tops if cell[3] == 1000]
    assert set(better) <= set(many)
    assert f"In all {len(tops)} cells with pairs `unpaired` finds more texts than `ridge`" in PAGES["encoders"]
    assert f"in {len(better)} of the {len(many)} from a thousand, and in none from fewer" in PAGES["encoders"]
