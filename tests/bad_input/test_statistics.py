"""Records of rows, and fits from them, against arrays and options that do not fit."""

import functools

import jax
import numpy as np
import scipy.sparse
from refusals import Refusal, every
from wrong_arrays import LABELS, ONES, X, Y

from align import streaming


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
        "masked rows": Refusal(
            lambda: streaming.from_arrays(np.ma.masked_array(X, X > 0), Y), "source", "masked", "array of real numbers"
        ),
        "complex numbers": Refusal(lambda: streaming.from_arrays(X, 1j * Y), "target", "complex64", "real numbers"),
        "truth values": Refusal(lambda: streaming.from_blocks([(X > 0, Y)]), "source", "bool", "real numbers"),
        "sparse rows": Refusal(
            lambda: streaming.from_arrays(scipy.sparse.csr_matrix(X), Y), "blocks", "csr_matrix (6, 3)", "real numbers"
        ),
        "masked weights": Refusal(
            lambda: streaming.from_arrays(X, Y, weights=np.ma.masked_array(ONES, ONES > 0)), "weights", "masked"
        ),
        "no rows": Refusal(lambda: streaming.from_arrays(X[:0], Y[:0]), "blocks", "there was none", "at least one row"),
        "no blocks": Refusal(lambda: streaming.from_blocks([]), "blocks", "there was none", "at least one row"),
        "a block of one array": Refusal(
            lambda: streaming.from_blocks([(X,)]), "blocks", "one has 1", "(source, target)"
        ),
        "numbers for blocks": Refusal(lambda: streaming.from_blocks([1, 2]), "blocks", "one is 1", "(source, target)"),
        "no dimensions": Refusal(
            lambda: streaming.from_arrays(X[:, :0], Y[:, :0]), "source and target", "(6, 0), (6, 0)", "at least one"
        ),
        "blocks without dimensions of the target": Refusal(
            lambda: streaming.from_blocks([(X, Y[:, :0])]), "source and target", "(6, 3), (6, 0)", "at least one"
        ),
        "nothing for a source": Refusal(lambda: streaming.from_arrays(None, Y), "source and target", "()", "[n, d]"),
        "a list of one axis": Refusal(
            lambda: streaming.from_sharded([1.0, 2.0], Y[:2], jax.make_mesh((2,), ("rows",))),
            "source",
            "(2,)",
            "[rows, d]",
        ),
        "a list of records": Refusal(lambda: streaming.merge([record()]), "parts", "one is list", "merge(*parts)"),
        "arrays for records": Refusal(lambda: streaming.merge(X, Y), "parts", "one is ndarray", "Statistics"),
        **{
            f"rows for a record: {name}": Refusal(call, "statistics", "it is ndarray", "must be Statistics")
            for name, call in {
                "fit": lambda: streaming.fit(X, "affine"),
                "ridge": lambda: streaming.ridge(X),
                "linear_cka": lambda: streaming.linear_cka(X),
                "procrustes_distance": lambda: streaming.procrustes_distance(X),
            }.items()
        },
        "no records": Refusal(streaming.merge, "parts", "there was none", "at least one"),
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
        "shards of complex numbers": Refusal(
            lambda: streaming.from_sharded(1j * X, Y, jax.make_mesh((2,), ("rows",))),
            "source",
            "complex64",
            "real numbers",
        ),
        "shards of negative weight": Refusal(
            lambda: streaming.from_sharded(X, Y, jax.make_mesh((2,), ("rows",)), weights=ONES - 2 * (LABELS == 1)),
            "weights",
            "the least is -1",
            "must not be negative",
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
        "an option of another solver": Refusal(
            lambda: streaming.fit(record(), "ridge", rcond=0.1),
            "ridge takes strengths, towards, reflection",
            "there is rcond",
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
