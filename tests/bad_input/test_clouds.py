"""Every solver from two clouds against arrays, labels and options that do not fit."""

import jax
import numpy as np
from jax import numpy as jnp
from refusals import Refusal, every
from wrong_arrays import ARRAYS, KEY, LABELS, X, Y

from align import solvers

CLOUDS = {
    "icp": lambda source, target: solvers.icp(KEY, source, target),
    "class_means": lambda source, target: solvers.class_means(source, LABELS, target, LABELS),
    "class_gaussians": lambda source, target: solvers.class_gaussians(KEY, source, LABELS, target, LABELS),
    "subclass_means": lambda source, target: solvers.subclass_means(KEY, source, LABELS, target, LABELS),
    "labels": lambda source, target: solvers.labels(KEY, source, LABELS, target, LABELS),
    "unpaired": lambda source, target: solvers.unpaired(KEY, source, target),
}
NO_ROWS = {"no rows": ({"source": X[:0]}, "source", "(0, 3)", "at least one of each")}


def refused_clouds(solve, changes, *words):
    return Refusal(lambda: solve(**{"source": X, "target": Y, **changes}), *words)


@every(
    {
        f"{name}: {what}": refused_clouds(solve, *case)
        for name, solve in CLOUDS.items()
        for what, case in {**ARRAYS, **NO_ROWS}.items()
    }
)
def test_clouds(refusal):
    refusal.check()


DRAWN = {
    "icp": lambda key: solvers.icp(key, X, Y),
    "class_gaussians": lambda key: solvers.class_gaussians(key, X, LABELS, Y, LABELS),
    "subclass_means": lambda key: solvers.subclass_means(key, X, LABELS, Y, LABELS),
    "labels": lambda key: solvers.labels(key, X, LABELS, Y, LABELS),
    "unpaired": lambda key: solvers.unpaired(key, X, Y),
    "unpaired_many": lambda key: solvers.unpaired_many(key, [X, Y, X]),
}
NO_KEYS = {
    "a seed": (0, "it is 0"),
    "no key": (None, "it is None"),
    "two keys": (jax.random.split(KEY), "(2,)"),
    "numbers": (np.zeros(2), "float64 (2,)"),
}


@every(
    {
        f"{name}: {what}": Refusal(lambda solve=solve, key=key: solve(key), "key", *words, "jax.random.key(0)")
        for name, solve in DRAWN.items()
        for what, (key, *words) in NO_KEYS.items()
    }
)
def test_keys(refusal):
    refusal.check()


LABELLED = {
    "class_means": lambda ours, theirs: solvers.class_means(X, ours, Y, theirs),
    "class_gaussians": lambda ours, theirs: solvers.class_gaussians(KEY, X, ours, Y, theirs),
    "subclass_means": lambda ours, theirs: solvers.subclass_means(KEY, X, ours, Y, theirs),
    "labels": lambda ours, theirs: solvers.labels(KEY, X, ours, Y, theirs),
    "icp": lambda ours, theirs: solvers.icp(KEY, X, Y, source_labels=ours, target_labels=theirs),
}
WRONG_LABELS = {
    "too few labels": (LABELS[:4], LABELS, "source_labels", "(4,)", "[6] integers, one per row of source"),
    "labels of two axes": (LABELS, LABELS[:, None], "target_labels", "(6, 1)", "[6] integers, one per row of target"),
    "no label": (LABELS, [], "target_labels", "(0,)", "[6] integers, one per row of target"),
    "fractions as labels": (LABELS / 2, LABELS, "source_labels", "float64", "[6] integers"),
    "strings as labels": (LABELS, list("aabbcc"), "target_labels", "<U1", "[6] integers"),
    "truth values as labels": (LABELS > 0, LABELS, "source_labels", "bool", "[6] integers"),
    "masked labels": (LABELS, np.ma.masked_equal(LABELS, 1), "target_labels", "masked", "[6] integers"),
    "objects as labels": (LABELS.astype(object), LABELS, "source_labels", "object", "[6] integers"),
    "no class in common": (LABELS, LABELS + 3, "source_labels and target_labels", "no class in common"),
}


@every(
    {
        f"{name}: {what}": Refusal(lambda solve=solve, one=one, other=other: solve(one, other), *words)
        for name, solve in LABELLED.items()
        for what, (one, other, *words) in WRONG_LABELS.items()
    }
)
def test_labels(refusal):
    refusal.check()


@every(
    {
        f"{name}: labels missing in one space": Refusal(
            lambda solve=solve: solve(LABELS, None),
            "target_labels",
            "given together" if name == "icp" else "() of object",
            "" if name == "icp" else "[6] integers",
        )
        for name, solve in LABELLED.items()
    }
    | {
        f"{name}: traced labels": Refusal(
            lambda solve=solve: jax.jit(lambda labels: solve(labels, LABELS))(LABELS),
            "source_labels",
            "not traced",
            "must be concrete",
        )
        for name, solve in LABELLED.items()
        if name != "subclass_means"
    }
)
def test_labels_that_are_not_there(refusal):
    refusal.check()


FAR = solvers.AffineMap(jnp.eye(4), jnp.zeros(4))


@every(
    {
        "icp: unknown step": Refusal(lambda: solvers.icp(KEY, X, Y, step="turn"), "step", "'turn'", "one of rigid"),
        "icp: unknown step in a schedule": Refusal(
            lambda: solvers.icp(KEY, X, Y, step=(("rigid", 2), ("turn", 2))), "step", "'turn'", "one of rigid"
        ),
        "icp: no iterations": Refusal(
            lambda: solvers.icp(KEY, X, Y, iterations=0), "iterations", "it is 0", "at least 1"
        ),
        "icp: negative iterations in a schedule": Refusal(
            lambda: solvers.icp(KEY, X, Y, step=(("rigid", -2),)), "iterations", "it is -2", "at least 1"
        ),
        "icp: unknown matching": Refusal(
            lambda: solvers.icp(KEY, X, Y, matching="best"), "matching", "'best'", "one of nearest, mutual, csls"
        ),
        **{
            f"icp: {name} {value!r}": Refusal(
                lambda name=name, value=value: solvers.icp(KEY, X, Y, **{name: value}), name, repr(value), "whole"
            )
            for name in ("iterations", "subset", "restarts")
            for value in ("3", 2.5, True)
        },
        "icp: subset 0": Refusal(lambda: solvers.icp(KEY, X, Y, subset=0), "subset", "it is 0", "at least 1"),
        "icp: restarts 0": Refusal(lambda: solvers.icp(KEY, X, Y, restarts=0), "restarts", "it is 0", "at least 1"),
        "icp: a start of other dimensions": Refusal(
            lambda: solvers.icp(KEY, X, Y, start=FAR), "start", "(4, 4)", "must map 3 to 3 dimensions"
        ),
        "class_means: unknown step": Refusal(
            lambda: solvers.class_means(X, LABELS, Y, LABELS, step="ridge"), "step", "'ridge'", "one of rigid, linear"
        ),
        "subclass_means: clusters 0": Refusal(
            lambda: solvers.subclass_means(KEY, X, LABELS, Y, LABELS, clusters=0), "clusters", "it is 0", "at least 1"
        ),
        **{
            f"unpaired: {name} {value}": Refusal(
                lambda name=name, value=value: solvers.unpaired(KEY, X, Y, **{name: value}),
                name,
                f"it is {value}",
                "at least 1",
            )
            for name, value in (
                ("restarts", 0),
                ("finalists", 0),
                ("clusters", -1),
                ("sample", 0),
                ("subset", -5),
                ("restarts", 1.5),
            )
        },
        **{
            f"unpaired: one row of {name}": Refusal(
                lambda given=given: solvers.unpaired(KEY, *given), name, "(1, 3)", "at least 2 rows"
            )
            for name, given in {"source": (X[:1], Y), "target": (X, Y[:1])}.items()
        },
        **{
            f"unpaired: {what}": Refusal(lambda given=given: solvers.unpaired(KEY, X, Y, pairs=given), *words)
            for what, (given, *words) in {
                "pairs of text": ((X, "text"), "pairs[1]", "str", "array of real numbers"),
                "pairs of NaN": ((np.nan * X, Y), "pairs[0]", "holds NaN or infinity"),
                "pairs that do not correspond": ((X, Y[:5]), "pairs[0] and pairs[1]", "(6, 3) and (5, 3)", "as many"),
                "pairs of one axis": ((X[0], Y[0]), "pairs[0] and pairs[1]", "(3,)", "[rows, dimensions]"),
                "one pair": ((X[:1], Y[:1]), "pairs", "they have 1", "at least two rows"),
            }.items()
        },
        "unpaired: no forms": Refusal(lambda: solvers.unpaired(KEY, X, Y, forms=()), "forms", "empty", "at least one"),
    }
)
def test_options_of_clouds(refusal):
    refusal.check()
