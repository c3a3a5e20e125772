"""The arguments of the command `align`."""

import argparse
import math

from align.arrays import paths

_EXAMPLES = """examples:
  align fit old.npy new.npy -o map.safetensors --solver ridge --holdout 0.1
  align fit old.npy new.npy -o map.safetensors --solver auto --for search
  align fit few_old.npy few_new.npy -o map.safetensors --solver auto --clouds old_index.npy new_queries.npy
  align fit old.npy new.npy -o map.safetensors --solver labels --source-labels a.npy --target-labels b.npy
  align fit old.npy new.npy -o map.safetensors --unpaired --pairs few_old.npy few_new.npy
  align fit old.parquet new.parquet -o map.safetensors --id doc_id --column embedding --normalize
  align apply map.safetensors old_index.npy -o new_index.npy
  align score map.safetensors held_out.npz:old held_out.npz:new
  align score map.safetensors old_queries.npy new_queries.npy --corpus old_index.npy new_index.npy
  align inspect map.safetensors

files: .npy, .npz, .safetensors, .parquet, .arrow, .feather, .h5, .vec, .bin, .fvecs, .faiss, ...; file.npz:key and
file.parquet:column name what is within; a folder, or 'parts/*.parquet', is all files in it, by their names, part-2
before part-10. Rows are in correspondence, by their order or by --id, except for solvers that need class labels (such
as labels) or nothing (such as unpaired).
exit codes: 0 done; 2 a mistake in the arguments or the files, or no memory left, said in one line; 3 done, but the map
is not to be trusted, or, with --strict, there was a warning; 4 done, but a figure is below --fail-under; 130 and 143
interrupted.
"""

# What `align apply` writes in place of mapped rows, so that an index can stay as it is.
_SENT = {
    "queries": "input is of the target: write queries [n, d_source + 1] of unmapped rows, the last column to be added",
    "norms": "write the lengths [n, 1] of the mapped rows, which scores of --queries are divided by",
    "documents": "write rows [n, d_source + 1], over these lengths, which --queries search by inner product",
}
# The names of `align.solvers.SOLVERS`, which takes JAX to import.
SOLVERS = (
    "rigid", "similarity", "orthogonal", "scaling", "linear", "affine", "ridge", "reduced_rank", "labels",
    "class_means", "class_gaussians", "subclass_means", "icp", "unpaired",
)  # fmt: skip
# What is taken where an option is not given, so that a command can refuse one that would do nothing.
USUAL = {"memory": 4, "holdout": 0.0, "sample": 10_000, "metric": "cosine"}
TOP = 10  # documents to be found, where --top says no other number
_DTYPES = ["float16", "float32", "float64", "int8", "uint8"]


def build() -> argparse.ArgumentParser:
    """Return the parser of all commands; the chosen one is `arguments.name`."""
    parser = argparse.ArgumentParser(
        prog="align",
        description="Fit a map between two files of embeddings, apply it, score it, look at it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version of the package")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fit(_add(commands, "fit", "fit a map from the rows of one file to those of another"))
    _add_apply(_add(commands, "apply", "apply a map to the rows of a file, block by block"))
    _add_score(_add(commands, "score", "score a map on pairs of rows that it was not fitted on"))
    look = _add(commands, "inspect", "print what a map is: its family, shape, rank, condition, residual")
    look.add_argument("map", type=_path, help="file written by align fit")
    return parser


def filled(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the arguments of a command with what is usual in the place of those that were not given."""
    known = vars(arguments)
    return argparse.Namespace(**known | {name: usual for name, usual in USUAL.items() if known.get(name) is None})


class _Version(argparse.Action):
    """Look the version up when it is asked for, and print it."""

    def __call__(self, parser, namespace, values, option_string=None):
        import align

        print(f"align {align.__version__}")
        parser.exit()


def _add(commands, name, summary):
    sub = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
    sub.set_defaults(name=name)
    sub.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")
    sub.add_argument("--no-cache", action="store_true", help="keep no compiled programs for the next run, and use none")
    return sub


def _add_fit(fit):
    fit.add_argument("source", type=_path, help="array [n, d_source]")
    fit.add_argument(
        "target", type=_path, help="array [n, d_target], rows in correspondence with source where the solver needs it"
    )
    usual = "ridge"
    fit.set_defaults(solver=usual)  # a default of --solver itself would not be refused beside --unpaired
    named = fit.add_mutually_exclusive_group()
    solver = f"{', '.join(SOLVERS)} ({usual}), or auto, which chooses"
    named.add_argument("--solver", default=argparse.SUPPRESS, help=solver)
    unpaired = "for rows in no correspondence: --solver unpaired"
    named.add_argument(
        "--unpaired", dest="solver", action="store_const", const="unpaired", default=argparse.SUPPRESS, help=unpaired
    )
    fit.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the solver, as reflection=false"
    )
    purpose = "with --solver auto: what the map is chosen for, by pairs that it has not seen (search)"
    fit.add_argument("--for", dest="purpose", choices=["search", "codes"], help=purpose)
    among = "with --solver auto: more rows of the source without a pair, such as the index; they help few pairs most"
    fit.add_argument("--among", type=_path, metavar="FILE", help=among)
    clouds = "with --solver auto: rows of both encoders in no correspondence, between which a map is looked for as well"
    fit.add_argument("--clouds", nargs=2, type=_path, metavar=("X", "Y"), help=clouds)
    fit.add_argument("--weights", type=_path, help="array [n, 1] of weights of the rows; 0 leaves a row out")
    fit.add_argument("--anchors", type=_positive, metavar="N", help="fit on N rows at random instead of all")
    fit.add_argument("--holdout", type=_fraction, metavar="SHARE", help="keep a share of rows to score on")
    memory = f"stream rows that take more than this ({USUAL['memory']})"
    fit.add_argument("--memory", type=_size, metavar="GIB", help=memory)
    known = fit.add_argument_group("rows that are not in correspondence")
    known.add_argument(
        "--pairs", nargs=2, type=_path, metavar=("X", "Y"),
        help="known pairs beside them: arrays [p, d_source] and [p, d_target] whose rows are in correspondence",
    )  # fmt: skip
    known.add_argument(
        "--source-labels", type=_path, metavar="FILE", help="classes of the rows of source, integers [n]"
    )
    known.add_argument("--target-labels", type=_path, metavar="FILE", help="classes of the rows of target, integers")
    _add_named(fit, "what the map's file is to say of its spaces, for align apply and score to ask")
    _add_rows(fit, joined=True)
    _add_sample(fit, " of those held out (--holdout)")
    _add_care(fit)
    _add_output(fit, ", map.safetensors")


def _add_apply(apply):
    apply.add_argument("map", type=_path, help="file written by align fit")
    apply.add_argument("input", type=_path, help="array [n, d_source]")
    sent = apply.add_mutually_exclusive_group()
    sent.add_argument("--inverse", action="store_true", help="apply the least-squares inverse, from target to source")
    for name, text in _SENT.items():
        sent.add_argument(f"--{name}", dest="sent", action="store_const", const=name, default="mapped", help=text)
    _add_rows(apply)
    _add_strict(apply)
    apply.add_argument(
        "--dtype",
        choices=_DTYPES,
        help="of the output, unless given that of the mapped rows; 8 bits are rounded, and cut off at the ends",
    )
    said = apply.add_argument_group("what is known of the rows; the map is refused where its file says otherwise")
    said.add_argument("--input-name", metavar="NAME", help="the encoder that made them")
    said.add_argument("--input-prefix", metavar="TEXT", help="what stood before each text")
    _add_output(apply, anyway=", and apply the map to rows that are not of its space")


def _add_score(score):
    score.add_argument("map", type=_path, help="file written by align fit")
    score.add_argument("source", type=_path, help="array [n, d_source]")
    score.add_argument("target", type=_path, help="array [n, d_target], rows in correspondence with source")
    _add_rows(score, joined=True)
    score.add_argument(
        "--corpus", nargs=2, type=_path, metavar=("X", "Y"),
        help="documents as both encoders embed them, [m, d_source] and [m, d_target]: say what a search finds for the "
        "rows of source and target, with the map, without, and after full re-embedding; where --id names files of the "
        "queries, the rows of X and Y correspond as they come",
    )  # fmt: skip
    found = f"with --corpus: documents to be found ({TOP})"
    score.add_argument("--top", type=_positive, metavar="K", help=found)
    score.add_argument(
        "--fail-under", type=_limit, action="append", default=[], metavar="NAME=VALUE",
        help="exit with 4 where a figure is less, as recall@10=0.9 (of the mapped index) or top_1=0.5",
    )  # fmt: skip
    _add_named(score, "what is known of the rows; the map is refused where its file says otherwise")
    score.add_argument("--force", action="store_true", help="score the map on rows that are not of its spaces")
    _add_sample(score)
    _add_care(score)


def _add_named(sub, title):
    named = sub.add_argument_group(title)
    for side in ("source", "target"):
        named.add_argument(f"--{side}-name", metavar="NAME", help=f"the encoder that made the rows of {side}")
        named.add_argument(f"--{side}-prefix", metavar="TEXT", help=f"what stood before each text of {side}")


def _add_rows(sub, joined=False):
    sub.add_argument("--column", metavar="NAME", help="column or array of the vectors, as :NAME after each file")
    if joined:
        sub.add_argument(
            "--id", type=_path, metavar="KEY", help="join rows by this column or array, words, or file of ids"
        )
        sub.add_argument("--target-id", type=_path, metavar="KEY", help="that of the target where it has another name")
    made = (
        "of both files"
        if joined
        else "of the output (but --queries, --norms and --documents), and of the input where the map was fitted on "
        "such (but for --norms)"
    )
    sub.add_argument("--normalize", action="store_true", help=f"scale rows to length one: {made}")


def _add_care(sub):
    sub.add_argument(
        "--skip-bad-rows", action="store_true", help="leave out rows that are zero or hold NaN or infinity"
    )
    _add_strict(sub)


def _add_strict(sub):
    counted = "exit with 3 where there is a warning; that bad rows were counted is none"
    sub.add_argument("--strict", action="store_true", help=counted)


def _add_sample(sub, of=""):
    sample = f"score retrieval on N rows{of} ({USUAL['sample']})"
    sub.add_argument("--sample", type=_scored, metavar="N", help=sample)
    metric = f"of retrieval among the pairs{of} ({USUAL['metric']})"
    sub.add_argument("--metric", choices=["cosine", "euclidean"], help=metric)
    sub.add_argument("--seed", type=_seed, default=0, help="of all random choices (%(default)s)")


def _add_output(sub, of="", anyway=""):
    sub.add_argument("-o", "--output", required=True, type=_path, help=f"file to write{of}")
    sub.add_argument("--overwrite", action="store_true", help="replace the output if it exists")
    sub.add_argument("--force", action="store_true", help=f"the same as --overwrite{anyway}")


def _positive(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _scored(text):
    if (count := _positive(text)) < 4:
        raise argparse.ArgumentTypeError(f"{text!r} is fewer than the 4 rows that a score takes")
    return count


def _limit(text):
    name, _, value = text.partition("=")
    if not math.isfinite(number := _number(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a finite number, as recall@10=0.9")
    return name, number


def _size(text):
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number from 0")
    return value


def _path(text):
    try:
        return paths.expanded(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seed(text):
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def _fraction(text):
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to below 1")
    return value


def _number(text):
    try:
        return float(text)
    except ValueError:
        return math.nan
