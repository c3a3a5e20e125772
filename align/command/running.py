"""One run of the command: its arguments, its signals, its precision, and its exit code."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from align.command import parser, terminal  # no more: --help and mistakes in the arguments answer at once
from align.command.codes import DONE, INTERRUPTED, MISTAKE, NOT_TRUSTED


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` and return its exit code."""
    return _run(_asked(argv))


def _asked(argv):
    terminal.tolerate()
    return parser.build().parse_args(argv)


def _run(arguments: argparse.Namespace) -> int:
    import jax

    from align.arrays import devices
    from align.command import blocks

    try:
        devices.check_device()
    except RuntimeError as error:
        print(f"align {arguments.name}: error: {error}", file=sys.stderr)
        return MISTAKE
    from align import files
    from align.command import apply, fit, inspect, score

    commands = {"fit": fit.fit, "apply": apply.apply, "score": score.score, "inspect": inspect.inspect}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in handlers.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, blocks.stop)  # so that temporary files are removed
    blocks.received.clear()
    wide = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    jax.config.update("jax_enable_x64", True)  # float64 files are computed in float64, float32 ones stay float32
    try:
        outcome = commands[arguments.name](arguments)
    except KeyboardInterrupt:
        print(f"align {arguments.name}: interrupted; no output was written", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ValueError, files.MissingPackage) as error:
        print(f"align {arguments.name}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return MISTAKE
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print(f"align {arguments.name}: error: {_out_of_memory(error, arguments)}", file=sys.stderr)
        return MISTAKE
    finally:
        jax.config.update("jax_enable_x64", wide)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if outcome is None or isinstance(outcome, bool):
        return NOT_TRUSTED if outcome is False else DONE
    return outcome


def _out_of_memory(error: Exception, arguments: argparse.Namespace) -> str:
    """Return in one line what there is no memory for, and which option asks for less."""
    told = str(error).partition("\n")[0]  # JAX goes on with a table of what is held
    text = f"out of memory: {told}" if told else "out of memory"
    from align.solvers import SOLVERS

    if arguments.name != "fit" or arguments.solver not in SOLVERS or not SOLVERS[arguments.solver].streams:
        return text
    memory = parser.filled(arguments).memory
    return f"{text}; --memory {memory} (GiB) streams rows that take more: allow less"


def _interrupted(number: int, frame: object) -> NoReturn:
    """End the process before, or after, a run that could be interrupted."""
    os.write(2, b"align: interrupted\n")
    os._exit(INTERRUPTED)


def console() -> None:
    """Run the command line and end the process: after a signal at once, as JAX at work can crash Python's own end."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupted)  # while JAX is imported, say; a run has a handler of its own
    arguments = _asked(None)
    from align.command import blocks, compiled

    try:
        with contextlib.nullcontext() if arguments.no_cache else compiled.kept():
            code = _run(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    if blocks.received:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
