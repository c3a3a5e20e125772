"""What serves a search, given what it cannot take: the library raises, the command says it in one line."""

import jax
import numpy as np
import pytest

from align import search
from align.__main__ import main
from align.maps import AffineMap

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
MAP = AffineMap(np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32))
BATCH = AffineMap(np.stack([MAP.weight] * 2), np.stack([MAP.bias] * 2))
NOT_FINITE = AffineMap(np.full((3, 3), np.nan, np.float32), np.zeros(3, np.float32))


def found(corpus=((X, X[:, :2]),), old=X, new=X[:, :2], **options):
    return search.found(MAP, old, new, corpus, **options)


# Of the library: a call, and the words that its error must hold.
CALLS = {
    "queries of the source": (lambda: MAP.queries(np.ones((4, 3))), "x must be [..., 2]", "maps to", "(4, 3)"),
    "a number": (lambda: MAP.queries(1.0), "x must be [..., 2]", "it is ()"),
    "text": (lambda: MAP.queries(["a", "b"]), "x must be an array of real numbers"),
    "complex queries": (lambda: MAP.queries(np.ones(2, complex)), "x must hold real numbers", "complex"),
    "documents of the target": (lambda: MAP.documents(np.ones((4, 2))), "x must be [..., 3]", "(4, 2)"),
    "a point for a batch of maps": (lambda: BATCH(X[0]), "x must be [..., n, 3]", "(2, 3, 2)", "(3,)"),
    "a query for a batch of maps": (lambda: BATCH.queries(X[0, :2]), "x must be [..., n, 2]", "(2, 3, 2)", "(2,)"),
    "points for more maps": (lambda: BATCH(np.ones((5, 4, 3))), "x must be [2, n, 3]", "(5, 4, 3)"),
    "queries for more maps": (lambda: BATCH.queries(np.ones((5, 4, 2))), "x must be [2, n, 2]", "(5, 4, 2)"),
    "norms of the target": (lambda: MAP.norms(np.ones((4, 2))), "x must be [..., 3]", "(4, 2)"),
}
CASES = {
    "weights": (lambda: search.auto(X, X, weights=X[:, 0]), "weights must be None"),
    "another purpose": (lambda: search.auto(X, X, purpose="fun"), "purpose must be one of search, codes", "'fun'"),
    "nothing to find": (lambda: search.auto(X, X, top=0), "top must be a whole number", "it is 0"),
    "two pairs": (lambda: search.auto(X[:2], X[:2]), "at least 3 row(s)", "(2, 3)"),
    "unequal pairs": (lambda: search.auto(X, X[:9]), "as many rows", "(9, 3)"),
    "pairs that are not finite": (lambda: search.auto(np.nan * X, X), "source holds NaN or infinity"),
    "others of another space": (lambda: search.auto(X, X, among=X[:, :2]), "among must be [rows, 3]", "(20, 2)"),
    "others that are not finite": (lambda: search.auto(X, X, among=np.nan * X), "among holds NaN or infinity"),
    "complex others": (lambda: search.auto(X, X, among=1j * X), "among must hold real numbers", "complex"),
    "others that are true or false": (lambda: search.auto(X, X, among=X > 0), "among must hold real numbers", "bool"),
    "no map to go towards": (lambda: search.auto(X, X, towards="rigid"), "towards must be an AffineMap from 3 to 3"),
    "a map of other spaces": (lambda: search.auto(X, X, towards=MAP), "from 3 to 3 dimensions", "(3, 2)"),
    "traced pairs": (lambda: jax.jit(search.auto)(X, X), "source must be concrete, not traced", "jit and vmap"),
    "a batch of targets": (lambda: jax.vmap(lambda y: search.auto(X, y))(X[None]), "target must be concrete"),
    "traced others": (lambda: jax.jit(lambda z: search.auto(X, X, among=z))(X), "among must be concrete, not traced"),
    "a map that is not finite": (lambda: search.auto(X, X, towards=NOT_FINITE), "towards holds NaN or infinity"),
    "one value": (lambda: search.estimate([0.5]), "values must be [queries], at least two", "(1,)"),
    "a table of values": (lambda: search.estimate(np.ones((4, 2))), "values must be [queries]", "(4, 2)"),
    "values that are not finite": (lambda: search.estimate([0.5, np.nan, 1]), "values holds NaN or infinity"),
    "all confidence": (lambda: search.estimate(X[:, 0], confidence=1), "confidence must be", "0 and 1; it is 1"),
    **{
        f"the seed {seed!r}": (lambda seed=seed: search.estimate(X[:, 0], seed=seed), "seed must be", f"it is {seed!r}")
        for seed in (None, -1, 1.5)
    },
    "no confidence": (lambda: search.estimate(X[:, 0], confidence=0.0), "confidence must be", "it is 0.0"),
    "no draws": (lambda: search.estimate(X[:, 0], draws=0), "draws must be a whole number, at least 1", "it is 0"),
    "no documents to find": (lambda: found(top=0), "top must be a whole number", "it is 0"),
    "half a document to find": (lambda: found(top=2.5), "top must be a whole number", "it is 2.5"),
    "fewer new queries": (lambda: found(new=X[:9, :2]), "must be the same queries", "(20, 3) and (9, 2)"),
    "old queries of the target": (lambda: found(old=X[:, :2]), "old_queries must be [queries, 3]", "(20, 2)"),
    "new queries of the source": (lambda: found(new=X), "new_queries must be [queries, 2]", "(20, 3)"),
    "documents that are not finite": (lambda: found([(X, X[:, :2]), (X, np.inf * X[:, :2])]), "new", "block 1"),
    "old documents that are not finite": (lambda: found([(np.nan * X, X[:, :2])]), "NaN", "old documents of block 0"),
    "a map of NaN": (lambda: search.found(NOT_FINITE, X, X, [(X, X)]), "fitted is a map of NaN or infinity"),
    "no queries": (lambda: found(old=X[:0], new=X[:0, :2]), "old_queries must be", "at least one", "(0, 3)"),
    "queries that are not finite": (lambda: found(old=np.nan * X), "old_queries holds NaN or infinity"),
    "blocks of other rows": (lambda: found([(X, X[:9, :2])]), "corpus must be blocks [n, 3] and [n, 2]", "(9, 2)"),
    "blocks of one encoder": (lambda: found([(X, X)]), "of the same documents", "(20, 3) and (20, 3)"),
    "a query of zeros": (lambda: found(new=np.r_[0 * X[:1, :2], X[1:, :2]]), "new_queries holds a row of zeros"),
    "an old query of zeros": (lambda: found(old=np.r_[0 * X[:1], X[1:]]), "old_queries holds a row of zeros"),
    "a corpus that is one block": (lambda: found((X, X[:, :2])), "corpus must be blocks (old, new)", "is ndarray"),
    "documents that are numbers": (lambda: found([(1, 2)]), "corpus must be blocks [n, 3]", "() and ()"),
    "one number of candidates": (lambda: found(candidates=20), "candidates must be whole numbers", "they are 20"),
    "candidates of text": (lambda: found(candidates="abc"), "candidates must be whole numbers", "they are 'abc'"),
    "half a candidate": (lambda: found(candidates=(20.5,)), "candidates must be whole numbers", "(20.5,)"),
    "no candidate": (lambda: found(candidates=(0,)), "candidates must be whole numbers, at least 1", "(0,)"),
    "masked values": (lambda: search.estimate(np.ma.masked_less(X[:, 0], 0)), "values", "masked, float32 (20,)"),
    "complex values": (lambda: search.estimate(1j * X[:, 0]), "values must hold real numbers", "complex64"),
    "values of text": (lambda: search.estimate(["a", "b"]), "values must hold real numbers", "<U1"),
    "masked queries": (lambda: found(old=np.ma.masked_less(X, 0)), "old_queries must be an array", "MaskedArray"),
    "complex new queries": (lambda: found(new=1j * X[:, :2]), "new_queries must hold real numbers", "complex64"),
    "masked documents": (lambda: found([(np.ma.array(X), X[:, :2])]), "corpus must be an array", "MaskedArray"),
    "a batch of maps": (lambda: search.found(BATCH, X, X, []), "fitted must be one AffineMap", "weight (2, 3, 2)"),
    "no map": (lambda: search.found(None, X, X, []), "fitted must be one AffineMap", "NoneType"),
    "no corpus": (lambda: found(None), "corpus must be blocks (old, new)", "it is None"),
    "a verdict on nothing": (lambda: search.verdict(None), "measured must be what `found` returns", "NoneType"),
    "few documents": (lambda: found([(X[:4], X[:4, :2])]), "4 documents", "more than the 10"),
}  # fmt: skip
CALLS |= CASES
FIT = ("fit", "x.npy", "y.npy", "-o", "new.safetensors")
SCORE = ("score", "map.safetensors", "x.npy", "y.npy")
APPLY = ("apply", "map.safetensors")
OUT = ("-o", "z.npy")
WRONG = [
    ((*APPLY, "x.npy", "--queries", *OUT), "x.npy has 3 dimensions", "--queries", "map.safetensors maps to", "has 2"),
    ((*APPLY, "y.npy", "--norms", *OUT), "y.npy has 2 dimensions", "map.safetensors takes 3"),
    ((*APPLY, "y.npy", "--documents", *OUT), "y.npy has 2 dimensions", "map.safetensors takes 3"),
    ((*FIT, "--for", "search"), "--for is for --solver auto", "--solver is ridge"),
    ((*FIT, "--clouds", "x.npy", "y.npy"), "--clouds is for --solver auto", "--solver is ridge"),
    ((*FIT, "--solver", "auto", "--clouds", "y.npy", "x.npy"), "--clouds y.npy has 2 dimensions", "pairs there 3"),
    ((*FIT, "--among", "x.npy"), "--among is for --solver auto", "--solver is ridge"),
    ((*FIT, "--solver", "auto", "--among", "y.npy"), "--among y.npy has 2 dimensions", "the source 3"),
    ((*FIT, "--solver", "auto", "--weights", "w.npy"), "--weights w.npy", "equally good"),
    ((*FIT, "--column", "name"), "--column name", "none of x.npy, y.npy has any"),
    ((*SCORE, "--column", "name"), "--column name", "none of x.npy, y.npy has any"),
    ((*APPLY, "x.npy", "--column", "name", *OUT), "--column name", "none of x.npy has any"),
    ((*FIT, "--solver", "auto", "--set", "folds=3"), "--set folds=3", "auto takes purpose, top"),
    ((*FIT, "--solver", "auto", "--memory", "0"), "auto needs them at once", "allow more"),
    ((*FIT, "--solver", "auto", "--set", "purpose=codes", "--for", "search"), "--for search and --set purpose=codes"),
    ((*SCORE, "--corpus", "y.npy", "x.npy"), "--corpus y.npy has 2 dimensions", "x.npy 3", "the same encoder"),
    ((*SCORE, "--corpus", "x.npy", "few_y.npy"), "x.npy has 20 rows and few_y.npy 4", "in correspondence"),
    ((*SCORE, "--corpus", "few.npy", "few_y.npy"), "--corpus few.npy has 4 rows", "more than --top 10"),
    ((*SCORE, "--corpus", "no.npy", "y.npy"), "no.npy", "no such file"),
    ((*SCORE, "--fail-under", "recall@10=0.9"), "--fail-under recall@10", "recall@K needs --corpus"),
    ((*SCORE, "--corpus", "x.npy", "y.npy", "--fail-under", "recall@5=1"), "recall@5", "expected one of recall@10, "),
    ((*SCORE, "--fail-under", "residual=1"), "--fail-under residual", "expected one of r_squared, "),
]
UNPARSED = [
    ((*APPLY, "x.npy", "--queries", "--norms", *OUT), "--norms", "not allowed with argument --queries"),
    ((*APPLY, "x.npy", "--documents", "--inverse", *OUT), "--inverse", "not allowed with argument --documents"),
    ((*FIT, "--solver", "auto", "--for", "fun"), "--for", "'fun'", "choose from"),
    ((*SCORE, "--corpus", "x.npy"), "--corpus", "expected 2 arguments"),
    ((*SCORE, "--top", "0"), "--top", "'0'", "not a positive integer"),
    ((*SCORE, "--fail-under", "recall@10"), "--fail-under", "'recall@10' is not NAME=VALUE"),
    ((*SCORE, "--fail-under", "top_1=high"), "--fail-under", "'top_1=high' is not NAME=VALUE"),
    ((*SCORE, "--fail-under", "top_1=nan"), "--fail-under", "'top_1=nan' is not NAME=VALUE with a finite number"),
    ((*SCORE, "--fail-under", "top_1=-inf"), "--fail-under", "'top_1=-inf' is not NAME=VALUE with a finite number"),
    ((*APPLY, "x.npy", "--queries=yes", *OUT), "--queries", "'yes'", "ignored explicit argument"),
]


@pytest.mark.parametrize("case", CALLS)
def test_calls(case):
    call, *words = CALLS[case]
    with pytest.raises(ValueError) as raised:
        call()
    assert [word for word in words if word not in str(raised.value)] == [], raised.value


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.save("y.npy", X[:, :2])
    np.save("w.npy", np.ones(20))
    np.save("few.npy", X[:4])
    np.save("few_y.npy", X[:4, :2])
    MAP.save("map.safetensors")
    return tmp_path


@pytest.mark.parametrize(("argv", "words"), [pytest.param(argv, words, id=" ".join(argv)) for argv, *words in WRONG])
def test_wrong_arguments(folder, capsys, argv, words):
    before = sorted(folder.iterdir())
    assert main([*argv, "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert [word for word in words if word not in err] == [], err
    assert err.startswith(f"align {argv[0]}: error: ") and err.count("\n") == 1 and out == ""
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(("argv", "words"), [pytest.param(argv, words, id=" ".join(argv)) for argv, *words in UNPARSED])
def test_arguments_that_cannot_be_parsed(folder, capsys, argv, words):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert ended.value.code == 2 and [word for word in words if word not in last] == [], last


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--vectors=nowhere.npz",), ("nowhere.npz",)),
        (("--vectors=sample", "--groups=all"), ("--groups", "'all'", "there are bars, families")),
        (("--vectors=sample", "--between=minilm:bert"), ("--between", "minilm, mpnet", "'minilm:bert'")),
        (
            ("--vectors=sample", "--documents=7000"),
            ("--documents=7000", "5,998 texts of --vectors without the queries", "2 for a cloud"),
        ),
        (("--vectors=sample", "--queries=10"), ("--queries=10", "more than 10 queries")),
    ],
)
def test_flags_of_a_swap(refused, flags, words):
    said = refused("embedding_switch", *flags)
    assert [word for word in words if word not in said] == [], said
