"""The paper's tables as data, complete and as printed; and our rows beside them, averaged as a hand would do it."""

import math
from collections import Counter

import pytest
from result_rows import row

from align import paper
from align.paper import Key

# Cells of each table. A plain autoencoder has no anchors, so rows that repeat it share its cell.
CELLS = {1: 6 * 6, 2: 5 + 10 * 4, 3: 5 + 10 * 5, 4: 4 * 5, 5: 2 + 2 + 2 * 2 * 3, 6: 2 * 4}

PRINTED = [
    ((1, "autoencoder", "conv", "conv", 2, None, True), 0.646, 3.0),
    ((1, "rigid", "conv", "conv", 150, None, False), 0.487, 9.7),
    ((1, "linear", "conv", "conv", 50, None, False), 0.485, 3.0),
    ((1, "stitching_k4", "conv", "conv", 30, None, False), 0.493, 1.2),
    ((2, "autoencoder", "conv", "conv", 100, None, True), 0.473, 0.2),
    ((2, "decoder_only", "conv", "conv", 50, 200, True), 0.479, 0.1),
    ((2, "decoder_only", "conv", "conv", 50, 200, False), 0.813, 10.1),
    ((2, "end2end", "conv", "conv", 2, 50, True), 0.665, 2.2),
    ((2, "end2end", "conv", "conv", 10, 100, False), 0.577, 14.8),
    ((3, "rigid", "conv", "conv", 50, 100, False), 0.551, 17.6),
    ((3, "linear", "conv", "conv", 30, 100, False), 0.483, 2.1),
    ((3, "stitching_k1", "conv", "conv", 2, 10, False), 0.888, 5.8),
    ((3, "stitching_k2", "conv", "conv", 10, 50, False), 0.909, 52.4),
    ((3, "stitching_k4", "conv", "conv", 100, 300, False), 0.589, 6.8),
    ((4, "means_rigid", "conv", "conv", 50, None, False), 0.660, 4.0),
    ((4, "means_linear", "conv", "conv", 10, None, False), 0.702, 111.4),
    ((4, "means_icp_rigid", "conv", "conv", 30, None, False), 0.957, 4.2),
    ((4, "means_icp_linear", "conv", "conv", 10, None, False), 1.062, 15.5),
    ((5, "autoencoder", "conv", "conv", 50, None, True), 0.066, 3.4),
    ((5, "autoencoder", "mlp", "mlp", 100, None, True), 0.058, 0.6),
    ((5, "rigid", "conv", "mlp", 50, 100, False), 1.805, 372.4),
    ((5, "linear", "mlp", "conv", 50, 100, False), 0.217, 9.7),
    ((5, "decoder_only", "conv", "mlp", 50, 100, False), 4.00, 858.4),
    ((5, "decoder_only", "mlp", "conv", 100, 200, False), 0.745, 19.1),
    ((6, "end2end", "conv", "conv", 100, 200, True), 0.079, 0.9),
    ((6, "end2end", "mlp", "mlp", 50, 100, True), 0.138, 1.2),
    ((6, "end2end", "conv", "mlp", 50, 100, False), 0.298, 10.0),
    ((6, "end2end", "mlp", "conv", 100, 200, False), 0.304, 13.5),
]


def test_every_table_is_complete():
    assert Counter(key.table for key in paper.CELLS) == CELLS


@pytest.mark.parametrize(("place", "mean", "std"), PRINTED)
def test_printed_values(place, mean, std):
    table, *rest = place
    cell = paper.CELLS[Key(table, "mnist" if table < 5 else "fashion_mnist", *rest)]
    assert (cell.mean, cell.std) == (mean, std)
    assert cell.deviation == std * 1e-3


def test_tables_agree_on_the_plain_autoencoders():
    by_latent = {}
    for key, cell in paper.CELLS.items():
        if key.method == "autoencoder":
            assert by_latent.setdefault((key.dataset, key.source_model, key.latent), cell) == cell


def test_settings_are_those_of_the_tables():
    settings = {
        table: {(k.latent, k.anchors) for k in paper.CELLS if k.table == table and k.anchors} for table in CELLS
    }
    assert settings[2] == settings[3] == set(paper.ANCHOR_SETTINGS)
    assert settings[5] == settings[6] == set(paper.ARCHITECTURE_SETTINGS)
    assert {key.latent for key in paper.CELLS if key.table == 1} == set(paper.LATENTS)


def test_no_error_on_mnist_lies_below_the_floor():
    assert all(cell.mean > paper.MNIST_FLOOR for key, cell in paper.CELLS.items() if key.dataset == "mnist")


# Our rows beside them


def test_summary_by_hand():
    errors = [0.4, 0.5, 0.9]
    rows = [row(target_seed=seed, test_error=error) for seed, error in zip((1, 2, 3), errors, strict=True)]
    (summary,) = paper.summarise(rows).values()
    # Deviations -0.2, -0.1, 0.3: squares sum to 0.14.
    assert summary.mean == pytest.approx(0.6, abs=1e-15)
    assert summary.std == pytest.approx(math.sqrt(0.14 / 3), abs=1e-15)
    assert summary.count == 3


def test_a_row_that_was_written_twice_counts_once():
    rows = [row(test_error=0.5), row(test_error=0.9), row(target_seed=2, test_error=0.7)]
    (summary,) = paper.summarise(rows).values()
    assert (summary.mean, summary.count) == (pytest.approx(0.6), 2)


def test_networks_with_themselves_are_a_cell_of_their_own():
    own = row(method="decoder_only", target_seed=0, test_error=0.1)
    between_architectures = row(method="decoder_only", target_seed=0, target_model="mlp", test_error=0.3)
    cells = paper.summarise([own, between_architectures, row(method="decoder_only", test_error=0.2)])
    assert [(key.own, summary.mean) for key, summary in cells.items()] == [(True, 0.1), (False, 0.3), (False, 0.2)]


def test_comparison_puts_the_papers_cell_beside_ours():
    rows = [row(test_error=0.49), row(target_seed=2, test_error=0.51), row(latent=7, test_error=0.6)]
    known, unknown = paper.comparison(rows)
    assert known == {
        "latent": "50",
        "anchors": "100",
        "method": "rigid",
        "networks": "conv → conv",
        "ours": "0.5000 ± 0.0100",
        "paper": "0.551 ± 0.0176",
        "ratio": "0.907",
        "rows": "2",
    }
    assert (unknown["ours"], unknown["paper"], unknown["ratio"]) == ("0.6000 ± 0.0000", "", "")


def test_every_cell_of_the_paper_is_found_by_the_rows_that_belong_to_it():
    for key in paper.CELLS:
        own = {"source_seed": 1, "target_seed": 1 if key.own else 2}
        assert paper.key_of({**key._asdict(), **own}) == key
