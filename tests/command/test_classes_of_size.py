"""Rows that are made up weigh nothing: fits say what they would say without them."""

from types import SimpleNamespace

import numpy as np
import pytest

from align import solvers
from align.command import classes_of_size, fit

ROWS, SOURCE, TARGET = 1030, 3, 4


def drawn(rows=ROWS):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, SOURCE)) + 50
    return x, x @ random.normal(size=(SOURCE, TARGET)) + random.normal(size=(rows, TARGET))


@pytest.mark.parametrize("rows", [2, 1000, 1001, 1024, 1025, 3600, 12_345])
def test_few_sizes_and_no_row_lost(rows):
    x, y = drawn(rows)
    more_x, more_y, weights = classes_of_size.made_up(x, y, None)
    assert rows <= len(more_x) == len(more_y) <= max(1000, rows * 9 / 8)
    assert len(more_x) in {*range(1001), *(step * 2**k for step in range(8, 17) for k in range(6, 14))}
    np.testing.assert_array_equal(more_x[:rows], x)
    assert weights is None or (len(weights) == len(more_x) and weights.sum() == weights[:rows].sum() == rows)


@pytest.mark.parametrize("solver", ["affine", "rigid", "ridge"])
def test_fits_are_what_they_were(solver, double_precision):
    x, y = drawn()
    options = {"strengths": [0.5, 5.0]} if solver == "ridge" else {}
    alone = getattr(solvers, solver)(x, y, **options)
    more_x, more_y, weights = classes_of_size.made_up(x, y, None)
    fitted = getattr(solvers, solver)(more_x, more_y, weights=weights, **options)
    for name in ("weight", "bias", "residual", "condition"):
        np.testing.assert_allclose(getattr(fitted, name), getattr(alone, name), rtol=1e-9, atol=1e-9)
    assert fitted.rank == alone.rank
    if solver == "ridge":
        np.testing.assert_allclose(fitted.details.path_leave_one_out, alone.details.path_leave_one_out, rtol=1e-10)
        np.testing.assert_allclose(fitted.details.path_degrees, alone.details.path_degrees, rtol=1e-10)
        assert fitted.details.strength == alone.details.strength and fitted.details.goal == alone.details.goal


def test_weights_that_are_given_stay():
    x, y = drawn(1500)
    given = np.arange(1500.0)
    *_, weights = classes_of_size.made_up(x, y, given)
    assert len(weights) == 1536 and (weights[:1500] == given).all() and not weights[1500:].any()


def test_errors_speak_of_the_rows_that_there_are():
    asked = SimpleNamespace(solver="reduced_rank", seed=0)
    x, y = drawn(1157)
    with pytest.raises(ValueError, match=r"source \(1157, 3\) and target \(1157, 4\); it is 9"):
        fit._run(asked, solvers.SOLVERS["reduced_rank"], (x, y, None), {"rank": 9})
