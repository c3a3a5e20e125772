"""Every option of every solver, by type and by range: from the library, from a record, and from the command line."""

import json

import jax
import numpy as np
import pytest

from align import AffineMap, metrics, solvers, streaming
from align.command import options
from align.solvers import SOLVERS, Known

NAN, INF = float("nan"), float("inf")
COUNTS = (0, -1, 2.5, "3", True, NAN, 10**23, [3])
WRONG = {
    "reflection": ("False", "no", "", 0, 1, None, 2.5, [True]),
    "rcond": (NAN, INF, -INF, 5, 1, 1.0, -0.1, "abc", "1e-6", True, [0.1], np.ones(2)),
    "rank": (*COUNTS, None, 4),
    "strengths": ("abc", [], 1.0, [-1.0], [NAN], [INF], [True], ["a"], [[1.0]], [None], {"a": 1}),
    "towards": ("lasso", "", None, 3, ["rigid"], True),
    "step": ("turn", "", None, 3, [], [["rigid"]], [["rigid", 0]], [["turn", 2]], ["rigid"], {"rigid": 2}),
    "matching": ("best", "", None, 3, ["mutual"], True),
    "iterations": (*COUNTS, None),
    "restarts": COUNTS,
    "subset": COUNTS,
    "clusters": (*COUNTS, None),
    "sample": (*COUNTS, None),
    "finalists": (*COUNTS, None),
    "whitening": (-0.1, 1.5, NAN, INF, "full", True, None, [0.5]),
    "whitenings": (0.5, "all", None, [2.0], ["a"], [NAN], [None], {"a": 1}),
    "contrast": (-0.1, NAN, INF, "x", None, True),
    "forms": (0.5, "all", None, [], [0.5], [[0.5]], [[2.0, None]], [[NAN, None]], [["a", 3]], [[0.5, 0]], [[0.5, 1.5]]),
    "tolerance": (-1, NAN, INF, "x", None, True),
}
# What is called otherwise where it is a part of another.
ALSO = {"step": ("iterations",)}
X, Y = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
LABELS = np.array([0, 0, 1, 1, 2, 2])
SETTINGS = [
    (solver, option, value)
    for solver, row in SOLVERS.items()
    for option in row.options
    for value in WRONG[option]
    if not (option == "step" and solver == "class_means" and isinstance(value, list) and value)
]


def says(error, option, value):
    text = str(error)
    assert any(text.startswith(name) for name in (option, *ALSO.get(option, ()))), text
    assert any(word in text for word in (" must ", " holds NaN or infinity")), text
    if option not in ("strengths", "whitenings", "step", "forms") and not isinstance(value, np.ndarray):
        assert repr(value) in text, text


@pytest.mark.parametrize(("solver", "option", "value"), SETTINGS)
def test_library(solver, option, value):
    known = Known(jax.random.key(0), X, Y, None, LABELS, LABELS)
    needed = {name: 2 for name in SOLVERS[solver].required if name != option}
    with pytest.raises(ValueError) as raised:
        SOLVERS[solver].run(known, **needed, **{option: value})
    says(raised.value, option, value)


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


def has_text(value):
    """Whether a value stays wrong after NAME=: text that reads as a number is one, and no text is another mistake."""
    return not isinstance(value, np.ndarray) and not (isinstance(value, str) and (not value or value[0].isdigit()))


@pytest.mark.parametrize(("solver", "option", "value"), [one for one in SETTINGS if has_text(one[2])])
def test_command_line(solver, option, value):
    """What the command reads reaches the solver as it is meant: a word stays a word, a number a number."""
    needed = [f"{name}=2" for name in SOLVERS[solver].required if name != option]
    read = options.read(solver, [*needed, f"{option}={as_text(value)}"])
    known = Known(jax.random.key(0), X, Y, None, LABELS, LABELS)
    with pytest.raises(ValueError) as raised:
        SOLVERS[solver].run(known, **read)
    says(raised.value, option, read[option])


RECORD = streaming.from_arrays(X, Y)
STREAMED = [
    (solver, option, value)
    for solver, row in SOLVERS.items()
    if row.streams
    for option in row.options
    for value in WRONG[option]
]


@pytest.mark.parametrize(("solver", "option", "value"), STREAMED)
def test_streamed(solver, option, value):
    with pytest.raises(ValueError) as raised:
        streaming.fit(RECORD, solver, **{option: value})
    says(raised.value, option, value)


ELSEWHERE = {
    "inverse": ("rcond", lambda value: AffineMap(np.eye(3), np.zeros(3)).inverse(rcond=value), WRONG["rcond"]),
    "linear_cka": ("unbiased", lambda value: metrics.linear_cka(X, Y, unbiased=value), WRONG["reflection"]),
    "kernel_cka": ("unbiased", lambda value: metrics.kernel_cka(X, Y, unbiased=value), WRONG["reflection"]),
    "procrustes_distance": (
        "normalise",
        lambda value: metrics.procrustes_distance(X, Y, normalise=value),
        WRONG["reflection"],
    ),
    "streaming.procrustes_distance": (
        "normalise",
        lambda value: streaming.procrustes_distance(RECORD, normalise=value),
        WRONG["reflection"],
    ),
    "icp, start": (
        "start",
        lambda value: solvers.icp(jax.random.key(0), X, Y, start=value),
        ("near", 3, [1.0]),
    ),
    "subclass_means, start": (
        "start",
        lambda value: solvers.subclass_means(jax.random.key(0), X, LABELS, Y, LABELS, start=value),
        ("near", 3, [1.0]),
    ),
}


@pytest.mark.parametrize(
    ("call", "value"), [(name, value) for name, (_, _, values) in ELSEWHERE.items() for value in values]
)
def test_elsewhere(call, value):
    option, run, _ = ELSEWHERE[call]
    with pytest.raises(ValueError, match=rf"^{option} must "):
        run(value)


def test_sound_options_are_taken():
    by_numpy = solvers.rigid(X, Y, reflection=np.bool_(False))
    assert np.linalg.det(by_numpy.weight) > 0
    np.testing.assert_array_equal(by_numpy.weight, solvers.rigid(X, Y, reflection=False).weight)
    assert solvers.linear(X, Y, rcond=np.float32(0.9)).rank < 3
    assert solvers.linear(X, Y, rcond=0).rank == 3
    assert jax.jit(lambda rcond: solvers.linear(X, Y, rcond=rcond).rank)(0.9) < 3
    solvers.ridge(X, Y, strengths=[1, 2], towards="zero")
