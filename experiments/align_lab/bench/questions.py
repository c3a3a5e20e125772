"""The questions of the benchmarks, each in a process of its own, on the CPU and then on an accelerator."""

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from absl import app, flags

from align.arrays.paths import user_path
from align_lab import asked, screen

FLAGS = flags.FLAGS
INTERRUPTED = 130


class Question(NamedTuple):
    """The module whose `jobs(small)` measures it, and whether it says something about an accelerator."""

    module: str
    accelerator: bool


QUESTIONS = {
    "startup": Question("startup", False),
    "fits": Question("closed_forms", True),
    "ridge": Question("chosen_strength", True),
    "small_fits": Question("repeats", True),
    "streaming": Question("from_disk", False),
    "neighbours": Question("matches", True),
    "icp": Question("closest_points", True),
    "unpaired": Question("without_pairs", True),
    "encode": Question("encoding", True),
    "training": Question("epochs", True),
    "stages": Question("stages", True),
    "growth": Question("growth", True),
}
# Not asked unless named: they fill a disk.
ON_DISK = {"memory": "footprint", "joins": "joined_files"}
FEWEST_PAIRS = 50_000


def run(folder: Path) -> None:
    """Parse the flags and measure; `folder` is where the published rows are."""
    known = ", ".join((*QUESTIONS, *ON_DISK))
    flags.DEFINE_list("only", list(QUESTIONS), f"Questions, of {known}.")
    flags.DEFINE_bool("small", False, "Sizes that take seconds, to see that everything works; never published.")
    flags.DEFINE_integer("repeats", 5, "Timed rounds of every contender, at least.", 1)
    flags.DEFINE_bool("again", False, "Measure also what has a row.")
    flags.DEFINE_string("results", None, f"Folder of rows and report; workdir/benchmarks with --small, else {folder}.")
    flags.DEFINE_integer(
        "pairs",
        None,
        "Pairs that memory and joins are asked about; the default is 10,000,000 and 1,000,000, with --small "
        f"{FEWEST_PAIRS:,}. Only the default of the full size is added to the rows.",
        FEWEST_PAIRS,
    )
    flags.DEFINE_string("workdir", "workdir", "Where memory and joins have a folder for their files, and remove it.")
    flags.DEFINE_bool("here", False, "Measure in this process, on the platform of JAX_PLATFORMS.")
    for flag in FLAGS.flags_by_module_dict()[__name__]:
        FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    if not screen.helps(FLAGS):
        app.run(lambda words: sys.exit(_main(words[1:], folder)), flags_parser=screen.parsed)


def _main(words, folder):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = [name for name in FLAGS.only if name]
    try:
        if words:
            raise ValueError(f"arguments must be flags, such as --only=fits; there is {' '.join(words)!r}")
        asked.check_names("only", chosen, (*QUESTIONS, *ON_DISK), some=False)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    results = user_path(FLAGS.results or (Path("workdir") / "benchmarks" if FLAGS.small else folder))
    if FLAGS.here:
        return _measure_here(chosen, results)
    failed = []
    try:
        for platform in ("cpu", *_accelerators()) if chosen else ():
            for name in chosen:
                if platform == "cpu" or (name in QUESTIONS and QUESTIONS[name].accelerator):
                    print(f"== {name}, {platform}", flush=True)
                    if _measure(name, platform, results):
                        failed.append(f"{name} on {platform}")
    except KeyboardInterrupt:
        print("Interrupted. The rows so far are kept: the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    from align_lab.bench import bench_report

    try:
        print(f"Report: {bench_report.write(results)}")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if failed:
        print(f"error: these ended early: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _measure_here(names, results):
    from align_lab.bench import harness

    for name in names:
        if name in ON_DISK:
            module = importlib.import_module(f"align_lab.bench.{ON_DISK[name]}")
            count = FLAGS.pairs or (FEWEST_PAIRS if FLAGS.small else module.PAIRS)
            module.measure(user_path(FLAGS.workdir), count, results)
        else:
            jobs = importlib.import_module(f"align_lab.bench.{QUESTIONS[name].module}").jobs(FLAGS.small)
            harness.measure(jobs, results, harness.effort(FLAGS.repeats, FLAGS.small), FLAGS.small, FLAGS.again)
    return 0


def _measure(name, platform, results):
    command = [sys.executable, sys.argv[0], "--here", f"--only={name}", f"--results={results}"]
    command += [f"--{'' if FLAGS[flag].value else 'no'}{flag}" for flag in ("small", "again")]
    command += [f"--{flag}={FLAGS[flag].value}" for flag in ("repeats", "workdir", "pairs") if FLAGS[flag].value]
    places = os.pathsep.join(filter(None, [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH")]))
    return subprocess.run(command, env=os.environ | {"JAX_PLATFORMS": platform, "PYTHONPATH": places}).returncode


def _accelerators():
    """Give the platform of an accelerator that JAX finds, if any."""
    code = "import jax, json; print(json.dumps(jax.default_backend()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    platform = json.loads(found.stdout.splitlines()[-1]) if found.returncode == 0 else "cpu"
    return [] if platform == "cpu" else [{"gpu": "cuda"}.get(platform, platform)]
