"""Kill a real run of experiments/anchors.py anywhere, give the same command again, and compare the rows bit for bit.

    python tests/reliability/kill.py --kills=30                   # SIGKILL
    python tests/reliability/kill.py --kills=10 --signal=TERM     # or INT: asked to stop, with how long it takes

The run is a tiny one on the shipped sample. The moments are drawn from the seed: the stages take turns, and within a
stage every moment of its time is as likely. Rows are compared without `seconds` (a timing) and `revision` (a fact about
the checkout). The exit code is 0 where every run was recovered.
"""

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
STAGED = str(Path(__file__).with_name("staged.py"))
SCRIPT = str(ROOT / "experiments" / "anchors.py")
# 2 networks, 2 epochs, 2 methods on 2 ordered pairs: every stage of a run, and several checkpoints and appends.
TINY = ("--dataset=mnist_sample", "--latent=4", "--anchors=20", "--seeds=2", "--epochs=2", "--methods=rigid,linear")


class Moment(NamedTuple):
    """When to kill: so many seconds into the n-th time that the run enters a stage."""

    stage: str
    occurrence: int
    delay: float


class Watched(NamedTuple):
    """How a run went: its exit code, the stages with the seconds each began at, and what it printed on stderr.

    `stage` is the one that the signal met, None where the run ended before; `seconds` is how long it then took to end.
    """

    code: int
    stages: list[tuple[str, float]]
    err: str
    stage: str | None
    seconds: float


class Outcome(NamedTuple):
    """What a signal did, and what the same command made of it."""

    moment: Moment
    watched: Watched
    epochs: int
    rows: int
    left: list[str]
    recovered: bool
    why: str


def environment(devices=2):
    """Give the environment of a run: so many devices, and the caller's flags, as threads change bits."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}".strip()
    return {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}


def run(flags: Sequence[str], workdir: Path) -> int:
    """Run the script to its end; return its exit code."""
    return subprocess.run(
        [sys.executable, SCRIPT, *flags, f"--workdir={workdir}", "--quiet"], env=environment(), check=False
    ).returncode


def watch(flags: Sequence[str], workdir: Path, moment: Moment | None = None, number: int = signal.SIGKILL) -> Watched:
    """Run the script and follow its stages; send it a signal at a moment."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [sys.executable, STAGED, str(writing), SCRIPT, *flags, f"--workdir={workdir}"],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=err,
            pass_fds=[writing],
        )
        os.close(writing)
        began, stages, met, due, sent = time.monotonic(), [], None, None, 0.0
        while True:
            wait = None if due is None else max(0.0, due - time.monotonic())
            if select.select([reading], [], [], wait)[0]:
                announced = os.read(reading, 1 << 16).decode().split("\n")[:-1]
                if not announced:
                    break
                now = time.monotonic()
                stages += [(stage, now - began) for stage in announced]
                entered = sum(stage == moment.stage for stage, _ in stages) if moment else 0
                if due is None and met is None and moment and entered > moment.occurrence:
                    due = now + moment.delay
            elif process.poll() is None:
                met, due, sent = stages[-1][0], None, time.monotonic()
                process.send_signal(number)
            else:
                due = None
        os.close(reading)
        code = process.wait()
        if met and number == signal.SIGKILL:  # the last that it could say, be it after the clock was read
            met = stages[-1][0]
        err.seek(0)
        return Watched(code, stages, err.read(), met, time.monotonic() - sent if met else 0.0)


def moments(stages: Sequence[tuple[str, float]], count: int, seed: int) -> list[Moment]:
    """Draw moments from an uninterrupted run's stages, which take turns."""
    draw = random.Random(seed)
    ends = [began for _, began in stages[1:]]
    spans = {}
    for (stage, began), end in zip(stages, ends, strict=False):
        spans.setdefault(stage, []).append(end - began)
    drawn = []
    for number in range(count):
        stage = list(spans)[number % len(spans)]
        (occurrence,) = draw.choices(range(len(spans[stage])), weights=[span + 1e-6 for span in spans[stage]])
        drawn.append(Moment(stage, occurrence, draw.random() * spans[stage][occurrence]))
    return drawn


def rows(workdir: Path) -> list[dict]:
    """Give the finished rows without what another run need not repeat."""
    path = workdir / "results" / "rows" / "table3.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [{**json.loads(line), "seconds": None, "revision": None} for line in lines]


def leftovers(workdir: Path) -> list[str]:
    """Name what a run leaves behind that is neither a checkpoint nor a result."""
    return [
        str(path.relative_to(workdir)) for path in workdir.rglob("*") if "tmp" in path.name or "partial" in path.name
    ]


def interrupt(
    flags: Sequence[str],
    workdir: Path,
    moment: Moment,
    expected: list[dict],
    number: int = signal.SIGKILL,
    recover: Callable[[Sequence[str], Path], int] = run,
) -> Outcome:
    """Send a run a signal at a moment, give the same command again, and compare the rows with those expected."""
    watched = watch(flags, workdir, moment, number)
    left = leftovers(workdir)
    epochs = sum(int(path.name) for path in workdir.glob("networks/*/*") if path.name.isdigit())
    had = len(rows(workdir))
    code = recover(flags, workdir)
    found = rows(workdir)
    why = f"exit code {code}" if code else "" if found == expected else f"rows differ: {found} != {expected}"
    if number != signal.SIGKILL and watched.stage:
        why = why or ("" if watched.code == 130 else f"exit code {watched.code} of what was stopped: {watched.err}")
        why = why or (f"left {left}" if left else "")
    return Outcome(moment, watched, epochs, had, left, not why, why)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--signal", choices=["KILL", "TERM", "INT"], default="KILL")
    parser.add_argument("--model", choices=["conv", "mlp"], default="mlp")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(argv)
    number, flags = getattr(signal, f"SIG{chosen.signal}"), (*TINY, f"--model={chosen.model}")
    with tempfile.TemporaryDirectory(prefix="align-kill-") as folder:
        reference, timed = Path(folder, "reference"), Path(folder, "timed")
        if run(flags, reference):
            return 1
        expected = rows(reference)
        stages = watch(flags, timed).stages
        assert rows(timed) == expected, "following the stages changes the rows"
        print(f"{'':4}{'stage':18}{'into it':>8}  {'epochs saved':>12} {'rows':>5}  {'ended in':>9}  recovered")
        outcomes = []
        for place, moment in enumerate(moments(stages, chosen.kills, chosen.seed)):
            outcome = interrupt(flags, Path(folder, str(place)), moment, expected, number)
            outcomes.append(outcome)
            print(
                f"{place + 1:<4}{outcome.watched.stage or 'ended before':18}{moment.delay:>7.3f}s  "
                f"{outcome.epochs:>12} {outcome.rows:>5}  {outcome.watched.seconds:>8.2f}s  "
                f"{'yes' if outcome.recovered else outcome.why}{f', had left {outcome.left}' if outcome.left else ''}",
                flush=True,
            )
    met = [outcome.watched.stage for outcome in outcomes if outcome.watched.stage]
    print(f"met: {', '.join(f'{stage} {met.count(stage)}' for stage in dict.fromkeys(met))}")
    slowest = max((outcome.watched.seconds for outcome in outcomes), default=0)
    recovered = sum(outcome.recovered for outcome in outcomes)
    print(f"{recovered} of {len(outcomes)} recovered bit for bit; ended within {slowest:.2f} s of SIG{chosen.signal}")
    return int(recovered < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
