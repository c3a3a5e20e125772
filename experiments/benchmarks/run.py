"""Measure everything, each question in a process of its own, and write the report.

    python experiments/benchmarks/run.py                  # what has no row yet; about 45 minutes on two cores
    python experiments/benchmarks/run.py --only=fits,icp  # some of the scripts
    python experiments/benchmarks/run.py --again          # what has rows too, as after a change of the code
    python experiments/benchmarks/run.py --small          # minutes, to see that everything works; publishes nothing

The peers are those of `pip install -e '.[bench]'`; one that is not installed is left out. Nothing else should run on
the machine meanwhile: rows say what other processes took of it. After the CPU comes an accelerator, if JAX finds one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from absl import app, flags

FLAGS = flags.FLAGS
HERE = Path(__file__).parent
# The scripts in order, and whether they say something about an accelerator.
SCRIPTS = {
    "startup": False,
    "fits": True,
    "ridge": True,
    "small_fits": True,
    "streaming": False,
    "neighbours": True,
    "icp": True,
    "encode": True,
    "training": True,
    "stages": True,
    "growth": True,
}
INTERRUPTED = 130


def main(words):
    if words[1:]:
        raise app.UsageError(f"arguments must be flags; there is {' '.join(words[1:])!r}")
    if unknown := [name for name in FLAGS.only if name not in SCRIPTS]:
        raise app.UsageError(f"--only has no {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    results = Path(FLAGS.results or (Path("workdir") / "benchmarks" if FLAGS.small else HERE))
    failed = []
    try:
        for platform in ("cpu", *_accelerators()):
            for name in FLAGS.only:
                if platform == "cpu" or SCRIPTS[name]:
                    print(f"== {name}, {platform}", flush=True)
                    if _measure(name, platform, results):
                        failed.append(f"{name} on {platform}")
    except KeyboardInterrupt:
        print("Interrupted. The rows so far are kept: the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    import tables

    print(f"Report: {tables.write(results)}")
    if failed:
        print(f"error: these ended early: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _measure(name, platform, results):
    command = [sys.executable, str(HERE / f"{name}.py"), f"--results={results}", f"--repeats={FLAGS.repeats}"]
    command += [f"--{'' if FLAGS[flag].value else 'no'}{flag}" for flag in ("small", "again")]
    places = os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH")]))
    return subprocess.run(command, env=os.environ | {"JAX_PLATFORMS": platform, "PYTHONPATH": places}).returncode


def _accelerators():
    """Give the platform of an accelerator that JAX finds, if any."""
    code = "import jax, json; print(json.dumps(jax.default_backend()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    platform = json.loads(found.stdout.splitlines()[-1]) if found.returncode == 0 else "cpu"
    return [] if platform == "cpu" else [{"gpu": "cuda"}.get(platform, platform)]


if __name__ == "__main__":
    flags.DEFINE_list("only", list(SCRIPTS), f"Scripts to run, of {', '.join(SCRIPTS)}.")
    flags.DEFINE_bool("small", False, "Sizes that take seconds, to see that everything works; never published.")
    flags.DEFINE_integer("repeats", 5, "Timed rounds of every contender, at least.", 1)
    flags.DEFINE_bool("again", False, "Measure also what has a row.")
    flags.DEFINE_string("results", None, "Folder of rows and report; workdir/benchmarks with --small, else here.")
    app.run(lambda words: sys.exit(main(words)))
