"""Every flag of the scripts in experiments/, given what it cannot take."""

import gzip

import pytest

from align_lab.candidates import CANDIDATES

PLACES = len(CANDIDATES)
TINY = ("--dataset=mnist_sample", "--model=mlp", "--latent=4", "--anchors=20", "--seeds=2", "--epochs=1")
WHOLE = "whole numbers from 1, such as 10,50"
SAMPLES = "expected one of 'mnist', 'fashion_mnist', 'mnist_sample', 'fashion_mnist_sample', an image set of TensorFlow"
# Flags of anchors.py, added to those of a sound tiny run; the words that the error must hold: which flag, what came,
# and what was expected.
WRONG = [
    ("--dataset=cifar", "name is 'cifar' (--dataset)", SAMPLES),
    ("--dataset=", "name is '' (--dataset)", SAMPLES),
    ("--dataset=MNIST", "name is 'MNIST' (--dataset)", SAMPLES),
    ("--dataset=手書き", "name is '手書き' (--dataset)", SAMPLES),
    ("--model=resnet", "--model=resnet", "one of <conv|mlp|residual>"),
    ("--model=", "--model=", "one of <conv|mlp|residual>"),
    ("--latent=ten", "--latent", "'ten'", WHOLE),
    ("--latent=0", "--latent", "'0'", WHOLE),
    ("--latent=-4", "--latent", "'-4'", WHOLE),
    ("--latent=4.5", "--latent", "'4.5'", WHOLE),
    ("--latent=1e2", "--latent", "'1e2'", WHOLE),
    ("--latent=4,,5", "--latent", "'4,,5'", WHOLE),
    ("--latent=4;5", "--latent", "'4;5'", WHOLE),
    ("--latent=²", "--latent", "'²'", WHOLE),
    ("--latent=nan", "--latent", "'nan'", WHOLE),
    ("--anchors=few", "--anchors", "'few'", WHOLE),
    ("--anchors=0", "--anchors", "'0'", WHOLE),
    ("--anchors=-20", "--anchors", "'-20'", WHOLE),
    ("--anchors=20,half", "--anchors", "'20,half'", WHOLE),
    ("--anchors=6001", "--anchors", "it is 6001", "at most the number of training images, 6000"),
    ("--anchors=999999999999999999999", "--anchors", "it is 999999999999999999999", "at most the number of training"),
    ("--methods=magic", "--methods", "magic", "there are orthogonal, rigid, "),
    ("--methods=Rigid", "--methods", "Rigid", "there are orthogonal, rigid, "),
    ("--methods=rigid;linear", "--methods", "rigid;linear", "there are orthogonal, rigid, "),
    ("--methods=linear,decoder_only", "--methods has no decoder_only", "relative.py"),
    ("--methods=linear,линейный", "--methods", "линейный", "there are orthogonal, rigid, "),
    ("--latent=10001", "--latent", "at most 10,000", "it is 10001"),
    ("--latent=2,100000000000000000000000", "--latent", "at most 10,000", "it is 100000000000000000000000"),
    ("--seeds=1", "--seeds=1", "in the range [2, 100]"),
    ("--seeds=-2", "--seeds=-2", "in the range [2, 100]"),
    ("--seeds=101", "--seeds=101", "in the range [2, 100]"),
    ("--seeds=100000000000000000000000", "--seeds=1", "in the range [2, 100]"),
    ("--seeds=two", "--seeds=two", "invalid literal for int"),
    ("--seeds=2.5", "--seeds=2.5", "invalid literal for int"),
    ("--seeds=", "--seeds=", "invalid literal for int"),
    ("--epochs=0", "--epochs=0", "in the range [1, 10000]"),
    ("--epochs=-1", "--epochs=-1", "in the range [1, 10000]"),
    ("--epochs=10001", "--epochs=10001", "in the range [1, 10000]"),
    ("--epochs=many", "--epochs=many", "invalid literal for int"),
    ("--epochs=1.5", "--epochs=1.5", "invalid literal for int"),
    ("--relative_epochs=2", "Unknown command line flag 'relative_epochs'"),
    ("--learning_rate=0", "learning_rate", "it is 0.0", "positive and finite"),
    ("--learning_rate=-1", "learning_rate", "it is -1.0", "positive and finite"),
    ("--learning_rate=nan", "learning_rate", "it is nan", "positive and finite"),
    ("--learning_rate=inf", "learning_rate", "it is inf", "positive and finite"),
    ("--learning_rate=1e400", "learning_rate", "it is inf", "positive and finite"),
    ("--learning_rate=small", "--learning_rate=small", "could not convert string to float"),
    ("--schedule=step", "--schedule=step", "one of <onecycle|constant>"),
    ("--schedule=", "--schedule=", "one of <onecycle|constant>"),
    ("--memory=1", "memory", "it is 1.0", "at least 0 and below 1"),
    ("--initial=pytorch", "--initial=pytorch", "one of <normal|uniform|orthogonal>"),
    (
        "--data_dir=nowhere --dataset=mnist",
        "data_dir='nowhere'",
        "is not a folder",
        "Put the published IDX files there",
    ),
    ("--data_dir=file --dataset=mnist", "data_dir='file'", "is not a folder", "Put the published IDX files there"),
    ("--data_dir=. --dataset=fashion_mnist", "data_dir='.'", "has no train-images-idx3-ubyte", "Put the published"),
    ("--workdir=file", "--workdir must be a folder", "file is none"),
    ("--workdir=file/within/it", "--workdir must be a folder", "file is none"),
    ("--results=file", "--results must be a folder", "file is none"),
    ("--results=file/results", "--results must be a folder", "file is none"),
    ("--dry_run=maybe", "--dry_run=maybe", "Non-boolean argument to boolean flag"),
    ("--quiet=7", "--quiet=7", "Non-boolean argument to boolean flag"),
    ("--latnet=4", "Unknown command line flag 'latnet'", "latent"),
    ("--", "arguments must be flags", "'surplus'", "such as --latent=50"),
    ("surplus", "arguments must be flags", "'surplus'", "such as --latent=50"),
    ("--latent", "Missing value for flag --latent"),
]


@pytest.mark.parametrize(("flags", "words"), [pytest.param(flags, words, id=flags) for flags, *words in WRONG])
def test_flags_of_anchors(refused, tmp_path, flags, words):
    (tmp_path / "file").touch()
    surplus = ["surplus"] if flags == "--" else []
    said = refused("anchors", *TINY, *flags.split(), *surplus)
    assert [word for word in words if word not in said] == [], said


# A flag that a script does not have, and a value that one of its own cannot take.
OTHERS = {
    "rotation": ("--methods=rigid", "Unknown command line flag 'methods'"),
    "rigidity": ("--model=mlp", "Unknown command line flag 'model'"),
    "classify": ("--last_layer=linear", "Unknown command line flag 'last_layer'"),
    "full": ("--anchors=20", "Unknown command line flag 'anchors'"),
    "geometry": ("--anchors=20", "Unknown command line flag 'anchors'"),
    "relative": ("--relative_epochs=0", "--relative_epochs=0"),
    "architectures": ("--model=conv", "Unknown command line flag 'model'"),
    "ablation": ("--model=conv", "Unknown command line flag 'model'"),
    "paper": ("--latent=4", "Unknown command line flag 'latent'"),
    "figures": ("--methods=magic", "--methods has no magic"),
    "search": ("--latent=0", "--latent=0"),
    "report": ("--result=here", "Unknown command line flag 'result'"),
    "embedding_switch": ("--documents=all", "--documents=all"),
    "trust": ("--dimensions=2000000", "--dimensions must be whole numbers from 2 to 1,000,000; it is '2000000'"),
    "benchmarks": ("--only=foo", "--only has no 'foo'; there are startup, fits"),
}


@pytest.mark.parametrize(
    ("script", "flags", "name"),
    [
        ("knowledge", ("--steps=",), "steps"),
        ("classify", ("--models=",), "models"),
        ("classify", ("--steps=",), "steps"),
        ("rigidity", ("--variants=",), "variants"),
        ("trust", ("--rows=",), "rows"),
        ("embedding_switch", ("--vectors=sample", "--groups="), "groups"),
        ("embedding_switch", ("--solvers=",), "solvers"),
    ],
)
def test_flags_that_ask_for_nothing(refused, script, flags, name):
    assert refused(script, *flags) == f"error: --{name} must have one value or more; it is empty\n"


# Values that are no settings of the paper's are refused beside those that are: none is dropped without a word.
@pytest.mark.parametrize(
    ("script", "flag", "words"),
    [
        ("anchors", "--latent=50,77", "none asked for has latent 77"),
        ("anchors", "--anchors=100,77", "none asked for has 77 anchors"),
        ("anchors", "--anchors=100,30", "none asked for has 30 anchors"),
        ("relative", "--relative_epochs=few", "invalid literal for int"),
        ("full", "--methods=linear,end2end", "--methods has no end2end"),
        ("figures", "--methods=decoder_only", "--methods has no decoder_only"),
        ("paper", "--dataset=fashion_mnist_sample", "--dataset=mnist_sample takes both families"),
        ("knowledge", "--dataset=fashion_mnist_sample", "--dataset=mnist_sample takes both families"),
        ("knowledge", "--spaces=", "one of them is ''"),
    ],
)
def test_flags_that_would_be_ignored(refused, script, flag, words):
    sample = [] if "--dataset" in flag else ["--dataset=mnist_sample"]
    assert words in " ".join(refused(script, *sample, "--dry_run", flag).split())


@pytest.mark.parametrize("script", OTHERS)
def test_flags_of_the_other_scripts(refused, script):
    flag, words = OTHERS[script]
    said = refused(script, flag)
    assert words in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--latent=0",), ("--latent=0", "in the range [1, 10000]")),
        (("--latent=10001",), ("--latent=10001", "in the range [1, 10000]")),
        (("--seeds=101",), ("--seeds=101", "in the range [1, 100]")),
        (("--latent=wide",), ("--latent=wide", "invalid literal for int")),
        (("--epochs=0",), ("--epochs=0", "in the range [1, 10000]")),
        ((f"--candidates={PLACES}",), ("--candidates", f"'{PLACES}'", f"places from 0 to {PLACES - 1}")),
        (("--dataset=fashion_mnist",), ("--dataset=fashion_mnist", "one of <mnist|mnist_sample>")),
    ],
)
def test_flags_of_search(refused, flags, words):
    said = refused("search", *flags)
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--asking=pictures",), ("--asking", "'pictures'", "there are words, documents")),
        (("--solvers=rigid,magic",), ("--solvers", "'magic'", "there are orthogonal, rigid, ")),
        (("--solvers=AffineMap",), ("--solvers", "'AffineMap'", "there are orthogonal, rigid, ")),
        (("--solvers=icp",), ("--solvers", "'icp'", "there are orthogonal, rigid, ")),
        (("--anchors=few",), ("--anchors", "'few'", "whole numbers from 1")),
        (("--pairs=nowhere",), ("no corpus at nowhere", "name a file of pairs")),
        (("--pairs=cut.gz",), ("cut.gz is damaged",)),
        (("--pairs=one",), ("one, line 2", "expected query<TAB>document")),
        (("--pairs=two", "--anchors=1", "--documents=90", "--queries=11"), ("2 documents in two", "--documents=90")),
        (("--documents=9",), ("--documents=9", "--queries=500", "expected queries + anchors <= documents")),
        (("--queries=9",), ("--queries=9", "more than 10 queries")),
        (("--queries=-1",), ("--queries=-1", "in the range [1, 10000000]")),
        (("--queries=some",), ("--queries=some", "invalid literal for int")),
        (("--seeds=some",), ("--seeds=some", "invalid literal for int")),
        (("--groups=families",), ("--groups goes with --vectors",)),
        (("--vectors=sample", "--old=lsa"), ("--old goes without --vectors",)),
    ],
)
def test_flags_of_embedding_switch(refused, tmp_path, flags, words):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a query\ta document\n" * 50)[:-12])
    (tmp_path / "one").write_text("a query\ta document\nno document\n")
    (tmp_path / "two").write_text("a query\ta document\nanother\tdocument\n")
    said = refused("embedding_switch", *flags)
    assert [word for word in words if word not in said] == [], said
