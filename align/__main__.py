"""The command `align`, also `python -m align`: fit a map between files of embeddings, apply it, score it, look at it.

Exit codes: 0 done; 2 a mistake in the arguments or the files, said in one line; 130 and 143 interrupted.
"""

import argparse
import math
import os
import signal
import sys

from align import cli

_EXAMPLES = """examples:
  align fit old.npy new.npy -o map.safetensors --solver ridge --holdout 0.1
  align apply map.safetensors old_index.npy -o new_index.npy
  align score map.safetensors held_out.npz:old held_out.npz:new
  align inspect map.safetensors

files: .npy, .npz, .safetensors, rows in correspondence; file.npz:key and file.safetensors:key name an array within.
exit codes: 0 done; 2 a mistake in the arguments or the files, said in one line; 130 and 143 interrupted.
"""


def main(argv=None) -> int:
    """Run the command line `argv` and return its exit code."""
    arguments = _parser().parse_args(argv)
    import jax  # only now: --help and mistakes in the arguments answer at once

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in handlers.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, cli.stop)  # so that temporary files are removed
    cli.received.clear()
    wide = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)  # float64 files are computed in float64, float32 ones stay float32
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        print(f"align {arguments.name}: interrupted; no output was written", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"align {arguments.name}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    finally:
        jax.config.update("jax_enable_x64", wide)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="align",
        description="Fit a map between two files of embeddings, apply it, score it, look at it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, command, summary):
        sub = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        sub.set_defaults(command=command, name=name)
        sub.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
        sub.add_argument("--quiet", action="store_true", help="no progress bar")
        return sub

    def add_sample(sub):
        sub.add_argument(
            "--sample", type=_positive, default=10_000, metavar="N", help="score retrieval on N rows (%(default)s)"
        )
        sub.add_argument(
            "--metric", choices=["cosine", "euclidean"], default="cosine", help="of retrieval (%(default)s)"
        )
        sub.add_argument("--seed", type=int, default=0, help="of every choice of rows (%(default)s)")

    def add_output(sub):
        sub.add_argument("-o", "--output", required=True, help="file to write")
        sub.add_argument("--force", action="store_true", help="replace the output if it exists")

    fit = add("fit", cli.fit, "fit a map from the rows of one file to those of another")
    fit.add_argument("source", help="array [n, d_source]")
    fit.add_argument("target", help="array [n, d_target], rows in correspondence with source")
    fit.add_argument(
        "--solver", default="affine", help="a name in align.solvers: rigid, affine, ridge, … (%(default)s)"
    )
    fit.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the solver, as reflection=false"
    )
    fit.add_argument("--weights", help="array [n, 1] of weights of the rows")
    fit.add_argument("--anchors", type=_positive, metavar="N", help="fit on N rows at random instead of all")
    fit.add_argument("--holdout", type=_fraction, default=0.0, metavar="SHARE", help="keep a share of rows to score on")
    fit.add_argument(
        "--memory", type=float, default=4, metavar="GIB", help="stream rows that take more than this (%(default)s)"
    )
    add_sample(fit)
    add_output(fit)

    apply = add("apply", cli.apply, "apply a map to the rows of a file, block by block")
    apply.add_argument("map", help="file written by align fit")
    apply.add_argument("input", help="array [n, d_source]")
    apply.add_argument("--inverse", action="store_true", help="apply the least-squares inverse, from target to source")
    apply.add_argument("--dtype", choices=["float16", "float32", "float64"], help="of the output; that of the product")
    add_output(apply)

    score = add("score", cli.score, "score a map on pairs of rows that it was not fitted on")
    score.add_argument("map", help="file written by align fit")
    score.add_argument("source", help="array [n, d_source]")
    score.add_argument("target", help="array [n, d_target], rows in correspondence with source")
    add_sample(score)

    look = add("inspect", cli.inspect, "print what a map is: its family, shape, rank, condition, residual")
    look.add_argument("map", help="file written by align fit")
    return parser


def _positive(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def _fraction(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return value


def console() -> None:
    """Run the command line and end the process: after a signal at once, as JAX at work can crash Python's own end."""
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    if cli.received:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    console()
