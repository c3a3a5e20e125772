"""The one table of solvers says what the functions take, and runs them with their share of what is known."""

import inspect

import jax
import numpy as np
import pytest

from align import solvers, streaming
from align.command import parser
from align.solvers import SEVERAL, SOLVERS, Known
from align.streaming.fits import FAMILIES

# Arguments that are no choices of a name, a number or a truth value: what is known, and a map to start from.
NO_CHOICES = {"weights", "source_labels", "target_labels", "pairs", "start"}


@pytest.mark.parametrize("name", SOLVERS)
def test_options_are_those_of_the_function(name):
    solver = SOLVERS[name]
    parameters = inspect.signature(solver.fit).parameters.values()
    options = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in NO_CHOICES]
    assert solver.options == tuple(p.name for p in options)
    assert solver.required == tuple(p.name for p in options if p.default is p.empty)


def test_every_public_solver_is_in_the_table():
    functions = {name for name in solvers.__all__ if inspect.isfunction(getattr(solvers, name))}
    assert functions >= SEVERAL.keys() == {solver.__name__ for solver in SEVERAL.values()}
    functions -= SEVERAL.keys()
    assert functions == SOLVERS.keys() == {solver.fit.__name__ for solver in SOLVERS.values()}
    assert [name for name, solver in SOLVERS.items() if solver.streams] == list(FAMILIES)
    assert set(parser.SOLVERS) == SOLVERS.keys()  # which --help names without importing them


@pytest.mark.parametrize("name", [name for name, solver in SOLVERS.items() if solver.needs == "pairs"])
@pytest.mark.parametrize("dimensions", [(2, 3), (3, 2)])
def test_dimensions_that_a_solver_cannot_map_between_are_refused(name, dimensions):
    x, y = (np.random.default_rng(0).normal(size=(12, d)).astype(np.float32) for d in dimensions)
    options = {"rank": 1} if SOLVERS[name].required else {}
    if SOLVERS[name].fits(*dimensions):
        assert SOLVERS[name].fit(x, y, **options).weight.shape == dimensions
    else:
        with pytest.raises(ValueError, match=r"source.*dimensions"):
            SOLVERS[name].fit(x, y, **options)


def test_solvers_get_their_share_of_what_is_known():
    x, y = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    labels, weights = np.arange(12) % 3, np.arange(12, dtype=np.float32)
    known = Known(jax.random.key(0), x, y, weights, labels, labels[::-1])
    expected = {
        "rigid": solvers.rigid(x, y, weights=weights),
        "class_means": solvers.class_means(x, labels, y, labels[::-1]),
        "icp": solvers.icp(known.key, x, y, source_labels=labels, target_labels=labels[::-1]),
    }
    for name, fitted in expected.items():
        np.testing.assert_array_equal(SOLVERS[name].run(known).weight, fitted.weight)
    record = streaming.from_arrays(x, y, weights=weights)
    for name in FAMILIES:
        assert streaming.fit(record, name).converged
