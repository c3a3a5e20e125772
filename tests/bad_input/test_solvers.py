"""Every solver against arrays, labels, weights and options that do not fit."""

import functools

import jax
import numpy as np
from jax import numpy as jnp
from refusals import Refusal, every

from align import solvers, streaming
from align.stitching import stitch_pairs, stitching

KEY = jax.random.key(0)
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(2, 6, 3)).astype(np.float32)
ONES, LABELS = np.ones(6, np.float32), np.array([0, 0, 1, 1, 2, 2])


def with_one(value, array=X):
    changed = array.copy()
    changed.flat[4] = value
    return changed


# From pairs

PAIRED = {
    **{name: getattr(solvers, name) for name in ("orthogonal", "rigid", "similarity", "scaling", "linear", "affine")},
    "reduced_rank": functools.partial(solvers.reduced_rank, rank=2),
    "ridge": functools.partial(solvers.ridge, towards="zero"),
}
# What is given in place of sound pairs, and what must be said of it.
ARRAYS = {
    "one axis": ({"source": X[:, 0]}, "source", "(6,)", "[rows, dimensions]"),
    "three axes": ({"target": Y[None]}, "target", "(1, 6, 3)", "[rows, dimensions]"),
    "a number": ({"source": 3.0}, "source", "()", "[rows, dimensions]"),
    "no dimensions": ({"source": X[:, :0]}, "source", "(6, 0)", "at least one"),
    "complex numbers": ({"source": X.astype(np.complex64)}, "source", "complex64", "real numbers"),
    "truth values": ({"target": Y > 0}, "target", "bool", "real numbers"),
    "strings": ({"source": np.full((6, 3), "a")}, "source", "<U1 (6, 3)", "array of real numbers"),
    "objects": ({"target": Y.astype(object)}, "target", "object (6, 3)", "array of real numbers"),
    "dates": ({"source": np.zeros((6, 3), "datetime64[s]")}, "source", "datetime64[s] (6, 3)", "real numbers"),
    "rows of unequal length": ({"target": [[1.0, 2.0], [3.0]]}, "target", "list", "array of real numbers"),
    "text": ({"source": "codes.npy"}, "source", "str", "array of real numbers"),
    "a dictionary": ({"source": {"x": X}}, "source", "dict", "array of real numbers"),
    "nothing": ({"target": None}, "target", "NoneType", "array of real numbers"),
    "NaN": ({"source": with_one(np.nan)}, "source", "holds NaN or infinity"),
    "infinity": ({"target": with_one(-np.inf)}, "target", "holds NaN or infinity"),
}
OF_PAIRS = {
    "rows that do not correspond": ({"source": X[:5]}, "source and target", "(5, 3) and (6, 3)", "as many rows"),
    "no rows": ({"source": X[:0], "target": Y[:0]}, "source and target", "(0, 3) and (0, 3)", "need at least"),
    "values whose squares overflow": ({"target": 1e30 * Y}, "target", "e+30", "expected a smaller scale"),
    "too few weights": ({"weights": ONES[:5]}, "weights", "(5,)", "[6], one per row of source"),
    "weights of two axes": ({"weights": ONES[:, None]}, "weights", "(6, 1)", "[6], one per row of source"),
    "strings as weights": ({"weights": ["a"] * 6}, "weights", "list", "array of real numbers"),
    "complex weights": ({"weights": 1j * ONES}, "weights", "complex", "real numbers"),
    "NaN among the weights": ({"weights": with_one(np.nan, ONES)}, "weights", "holds NaN or infinity"),
    "a negative weight": ({"weights": with_one(-1, ONES)}, "weights", "negative", "must not be"),
    "weights of zero": ({"weights": 0 * ONES}, "weights", "", "one of them must be positive"),
}


def refused(solve, changes, *words):
    given = {"source": X, "target": Y, "weights": ONES}
    return Refusal(lambda: solve(**{**given, **changes}), *words)


@every(
    {
        f"{name}: {what}": refused(solve, *case)
        for name, solve in PAIRED.items()
        for what, case in {**ARRAYS, **OF_PAIRS}.items()
    }
)
def test_pairs(refusal):
    refusal.check()


WIDER = ("source", "(6, 3) and (6, 2)", "must not have more dimensions than target")


def short(name):
    return lambda **changes: getattr(solvers, name)(**{"source": X, "target": Y, **changes})


@every(
    {
        **{
            f"{name}: more dimensions than the target": Refusal(lambda n=name: short(n)(target=Y[:, :2]), *WIDER)
            for name in ("orthogonal", "rigid", "similarity")
        },
        "scaling: unequal dimensions": Refusal(
            lambda: solvers.scaling(X, Y[:, :2]), "source and target", "(6, 3) and (6, 2)", "share their dimensions"
        ),
        "reduced_rank: rank 0": Refusal(lambda: solvers.reduced_rank(X, Y, rank=0), "rank", "it is 0", "1 to 3"),
        "reduced_rank: rank -1": Refusal(lambda: solvers.reduced_rank(X, Y, rank=-1), "rank", "it is -1", "1 to 3"),
        "reduced_rank: rank 2.5": Refusal(lambda: solvers.reduced_rank(X, Y, rank=2.5), "rank", "it is 2.5", "1 to 3"),
        "reduced_rank: rank 4": Refusal(lambda: solvers.reduced_rank(X, Y, rank=4), "rank", "it is 4", "1 to 3"),
        "reduced_rank: rank above the narrower side": Refusal(
            lambda: solvers.reduced_rank(X, Y[:, :1], rank=2), "rank", "it is 2", "1 to 1"
        ),
        "ridge: unknown towards": Refusal(
            lambda: solvers.ridge(X, Y, towards="lasso"), "towards", "'lasso'", "one of ('zero', 'rigid'"
        ),
        "ridge: towards nothing": Refusal(lambda: solvers.ridge(X, Y, towards=None), "towards", "None", "one of"),
        "ridge: towards rigid into fewer dimensions": Refusal(
            lambda: solvers.ridge(X, Y[:, :2], towards="rigid"), *WIDER
        ),
        "ridge: one row": Refusal(lambda: solvers.ridge(X[:1], Y[:1]), "source and target", "(1, 3)", "at least 2 row"),
        "ridge: no strengths": Refusal(lambda: solvers.ridge(X, Y, strengths=[]), "strengths", "(0,)", "at least one"),
        "ridge: one strength": Refusal(lambda: solvers.ridge(X, Y, strengths=1.0), "strengths", "()", "[k]"),
        "ridge: a negative strength": Refusal(
            lambda: solvers.ridge(X, Y, strengths=[1.0, -1.0], towards="zero"), "strengths", "negative", "must not be"
        ),
        "ridge: a strength of NaN": Refusal(
            lambda: solvers.ridge(X, Y, strengths=[1.0, np.nan], towards="zero"), "strengths", "holds NaN or infinity"
        ),
        "ridge: weights that sum to one": Refusal(
            lambda: solvers.ridge(X, Y, weights=ONES / 6, towards="zero"), "weights", "sum to 1.0", "more than one"
        ),
        "stitching: one axis": Refusal(lambda: stitching(KEY, X[:, 0], Y), "source", "(6,)", "[rows, dimensions]"),
        "stitching: rows that do not correspond": Refusal(
            lambda: stitching(KEY, X[:5], Y), "source and target", "(5, 3) and (6, 3)", "as many rows"
        ),
        "stitching: no rows": Refusal(
            lambda: stitching(KEY, X[:0], Y[:0]), "source and target", "(0, 3)", "at least 1"
        ),
        "stitching: strings": Refusal(
            lambda: stitching(KEY, np.full((6, 3), "a"), Y), "source", "<U1 (6, 3)", "array of real numbers"
        ),
        "stitching: complex numbers": Refusal(lambda: stitching(KEY, X, 1j * Y), "target", "complex", "real numbers"),
        "stitching: NaN": Refusal(
            lambda: stitching(KEY, X, with_one(np.nan)), "source and target", "hold NaN or infinity", "finite"
        ),
        "stitching: factor 0": Refusal(lambda: stitching(KEY, X, Y, factor=0), "factor", "it is 0", "at least 1"),
        "stitch_pairs: one of the pairs": Refusal(
            lambda: stitch_pairs([KEY] * 2, [X, X[:4]], [Y, Y]),
            "source and target",
            "(4, 3) and (6, 3)",
            "as many rows",
        ),
    }
)
def test_options_of_pairs(refusal):
    refusal.check()


# From two clouds

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
        "unpaired: no forms": Refusal(lambda: solvers.unpaired(KEY, X, Y, forms=()), "forms", "empty", "at least one"),
    }
)
def test_options_of_clouds(refusal):
    refusal.check()


# From statistics


@functools.cache
def record():
    return streaming.from_arrays(X, Y)


BROKEN = functools.cache(lambda: record()._replace(cross=np.full((3, 3), np.nan)))


@every(
    {
        "one axis": Refusal(lambda: streaming.from_arrays(X[:, 0], Y), "source and target", "(6,), (6, 3)", "[n, d]"),
        "rows that do not correspond": Refusal(
            lambda: streaming.from_arrays(X[:5], Y), "source and target", "(5, 3), (6, 3)", "as many rows"
        ),
        "too few weights": Refusal(
            lambda: streaming.from_arrays(X, Y, weights=ONES[:2]), "weights", "(2,)", "[6], one per row of source"
        ),
        "weights of zero": Refusal(
            lambda: streaming.from_arrays(X, Y, weights=0 * ONES), "weights", "it is 0.0", "positive sum"
        ),
        "no rows": Refusal(lambda: streaming.from_arrays(X[:0], Y[:0]), "blocks", "there was none", "at least one row"),
        "no blocks": Refusal(lambda: streaming.from_blocks([]), "blocks", "there was none", "at least one row"),
        "a block of one axis": Refusal(
            lambda: streaming.from_blocks([(X, Y[:, 0])]), "source and target", "(6, 3), (6,)", "[rows, d]"
        ),
        "blocks of unequal dimensions": Refusal(
            lambda: streaming.from_blocks([(X, Y), (X[:, :2], Y)]),
            "blocks",
            "(6, 2) and (6, 3)",
            "share their dimensions",
        ),
        "shards of unequal size": Refusal(
            lambda: streaming.from_sharded(X[:5], Y[:5], jax.make_mesh((2,), ("rows",))),
            "source",
            "(5, 3)",
            "positive multiple of 2 rows",
        ),
        "records of unequal dimensions": Refusal(
            lambda: streaming.merge(record(), record()._replace(cross=np.ones((3, 2)))),
            "parts",
            "(3, 3), (3, 2)",
            "share their dimensions",
        ),
        "an unknown solver": Refusal(lambda: streaming.fit(record(), "icp"), "solver", "'icp'", "one of ('orthogonal'"),
        "more dimensions than the target": Refusal(
            lambda: streaming.fit(record()._replace(target_mean=np.zeros(2)), "rigid"),
            "source",
            "(1, 3) and (1, 2)",
            "must not have more dimensions",
        ),
        "unknown towards": Refusal(
            lambda: streaming.ridge(record(), towards="auto"), "towards", "'auto'", "one of ('zero'"
        ),
        **{
            f"{name} of a record with NaN": Refusal(
                lambda measure=measure: measure(BROKEN()), "statistics", "cross holds NaN or infinity", "must be finite"
            )
            for name, measure in {
                "fit": lambda broken: streaming.fit(broken, "affine"),
                "ridge": streaming.ridge,
                "canonical_correlations": streaming.canonical_correlations,
                "linear_cka": streaming.linear_cka,
                "procrustes_distance": streaming.procrustes_distance,
            }.items()
        },
    }
)
def test_statistics(refusal):
    refusal.check()
