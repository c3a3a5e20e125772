"""The trials of verdicts: what is drawn, what is planned, and how it is counted; nothing is fitted."""

import numpy as np
import pytest

from align.rows import identity
from align_lab.verdicts import trials
from align_lab.verdicts.kinds import KINDS, SOLVABLE
from align_lab.verdicts.shapes import draw
from align_lab.verdicts.verdict_plans import Shapes

SHAPES = [Shapes(kind, n, d, draws=3) for kind in KINDS for n in (2, 10) for d in (2, 5)]


@pytest.mark.parametrize("kind", KINDS)
def test_draws_are_fixed_and_sides_are_drawn_apart(kind):
    for rows, dimensions in ((2, 2), (50, 3)):
        source, target, weight = draw(kind, rows, dimensions, seed=1)
        assert source.shape == target.shape == (rows, dimensions) and source.dtype == np.float32
        assert (weight is not None) == (kind == SOLVABLE)
        assert kind == "constant" or not np.array_equal(source, target)
        np.testing.assert_array_equal(source, draw(kind, rows, dimensions, seed=1)[0])
        assert kind == "constant" or not np.array_equal(source, draw(kind, rows, dimensions, seed=2)[0])


def test_a_trial_is_planned_for_every_draw(call, tmp_path):
    done = call("trust", "--dry_run", f"--workdir={tmp_path}")
    shapes = len(trials.ROWS) * len(trials.DIMENSIONS) * len(KINDS)
    assert done.code == 0 and f"{4 * shapes} draws of {shapes} shapes" in " ".join(done.out.split()), done.err
    listed = [row for one in SHAPES for row in trials.rows(one)]
    assert len({identity(row) for row in listed}) == len(listed) == 2 * 2 * len(KINDS) * 3
    assert sum(row["kind"] != SOLVABLE for row in listed) == 12 * (len(KINDS) - 1)
    bound = "must be whole numbers from 2 to 1,000,000"
    for flag, words in (("--rows=1", bound), ("--kind=cubes", "'cubes'"), ("--draws=0", "draws")):
        done = call("trust", "--dry_run", flag, f"--workdir={tmp_path}")
        assert done.code == 1 and words in done.err


def test_what_is_trusted_wrongly_is_counted():
    found = [{"kind": "cube", "trusted": trusted, "right": None} for trusted in (True, False)]
    found += [{"kind": SOLVABLE, "trusted": True, "right": right} for right in (True, True, False)]
    counts = {row["kind"]: row for row in trials.summaries(found)}
    assert counts["cube"] == {"kind": "cube", "draws": "2", "trusted": "1", "trusted wrongly": "1", "right": ""}
    assert counts[SOLVABLE]["trusted wrongly"] == "1" and counts[SOLVABLE]["right"] == "2"
