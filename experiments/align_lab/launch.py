"""How an experiment is run: its flags are read, its plan is carried out, and what came of it is shown.

Nothing of JAX is imported before the flags are read: --help answers at once, and a CPU can be split into devices first.
"""

import contextlib
import hashlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import app, flags, logging

from align.arrays import paths
from align.command import terminal
from align_lab import asked, screen

if TYPE_CHECKING:
    from align_lab.plans import Record
    from align_lab.store import Store

FLAGS = flags.FLAGS
INTERRUPTED = 130


class Experiment(NamedTuple):
    """A question: what it compares by default, its plan, and what is shown when that is done.

    defaults: its `define_flags()` and `read(flags, store)` say what is asked, which plan and pictures receive with the
    store. plan: lists the records. pictures: draws and writes what is made of rows and networks, a line to say for
    each. tables: whose rows are printed, beside the paper's.
    """

    defaults: Any
    plan: "Callable[[Any, Store], list[Record]]"
    pictures: "Callable[[Any, Store], Iterable[str]]" = lambda wanted, store: ()
    tables: tuple[int | str, ...] = ()


def run(experiment: Experiment) -> None:
    """Define and parse the flags, do what the experiment plans, show it, and exit.

    Exit code 0: done; 1: could not be done, the last line says why; 130: interrupted, the same command goes on from
    there.
    """
    terminal.tolerate()
    # OpenBLAS reads it when NumPy is loaded. Its threads spin between decompositions and take the cores from JAX's own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    experiment.defaults.define_flags()
    asked.define_places(json_rows=bool(experiment.tables))
    if not screen.helps(FLAGS):
        app.run(lambda argv: _end(_main(argv[1:], experiment)), flags_parser=screen.parsed)


def _main(words, experiment):
    out = screen.Screen(quiet=FLAGS.quiet, as_json="json" in FLAGS and FLAGS.json)
    logging.set_verbosity(logging.WARNING)
    logging.get_absl_logger().setLevel("CRITICAL")  # Orbax: what matters it raises, with the same words
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words:
            raise ValueError(f"arguments must be flags, such as --latent=50; there is {' '.join(words)!r}")
        store = open_store()
        wanted = experiment.defaults.read(FLAGS, store)
        store.asked = hashlib.sha256(repr(wanted).encode()).hexdigest()[:8]
        plan = experiment.plan(wanted, store)
        costs = estimated(plan, store)
        out.introduce(wanted.described(store), costs)
        if FLAGS.dry_run:
            out.list_plan(plan, costs)
            return 0
        if any(costs):
            asked.check_results(store)
        carry_out(plan, costs, store, out)
        began = time.perf_counter()
        for text in experiment.pictures(wanted, store):
            out.say(text)
        if any(costs):
            store.log_time("pictures", time.perf_counter() - began)
        for table in experiment.tables:
            out.show_rows(table, rows_of(plan, store, table))
        out.say(f"Rows and pictures: {store.results}; {wanted.kept(store)}")
        return 0
    except KeyboardInterrupt:
        out.complain("Interrupted. What was finished is kept: the same command goes on from there.")
        return INTERRUPTED
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        out.complain(str(error), "error: ")
        return 1


def open_store() -> "Store":
    """Split the CPU into devices and open the store that the flags name."""
    for name in ("workdir", "results"):
        asked.check_folder(name, FLAGS)
    import jax

    from align.arrays import devices
    from align_lab.store import Store

    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    devices.check_device()
    results = paths.user_path(FLAGS.results) if FLAGS.results else None
    pixels = asked.numbers("pixel_mean", FLAGS), asked.numbers("pixel_std", FLAGS)
    data_dir = FLAGS.data_dir if "data_dir" in FLAGS else None
    return Store(paths.user_path(FLAGS.workdir), results, data_dir, pixels, experiment=Path(sys.argv[0]).stem)


def worker(record: "Record"):
    """Give the module that does what a record asks for."""
    return importlib.import_module(record.worker)


def estimated(plan: "Sequence[Record]", store: "Store") -> list[float]:
    """Estimate the seconds that each record of a plan takes; ValueError where rows by its names are of other things."""
    for record in plan:
        note_origin(record, store)
    return [worker(record).cost(record, store) for record in plan]


def note_origin(record: "Record", store: "Store") -> None:
    """Tell the store what the rows of a record are of, where its worker can say that; see `Store.come_from`."""
    if origin := getattr(worker(record), "origin", None):
        store.come_from(*origin(record, store))


def carry_out(plan: "Sequence[Record]", costs: Sequence[float], store: "Store", out: screen.Screen) -> None:
    """Do what is left of a plan, record by record; what was interrupted goes on where it was."""
    with out.progress(sum(costs)) as progress:
        for record, cost in zip(plan, costs, strict=True):
            if not cost:
                continue
            began = time.perf_counter()
            note_origin(record, store)
            try:
                worker(record).work(record, store, progress.of(record.name, cost))
            finally:  # an interrupted task goes on later: its time is the sum
                with contextlib.suppress(OSError):  # a full disk stopped the task first, and that is what is said
                    store.log_time(record.name, time.perf_counter() - began)
            out.say_done(record.name)


def rows_of(plan: "Sequence[Record]", store: "Store", table: int | str) -> list[dict]:
    """Give the rows of a table that a plan asks for, in the order in which they were made."""
    wanted = [row for record in plan if hasattr(worker(record), "rows") for row in worker(record).rows(record)]
    return store.among(table, [row for row in wanted if row["table"] == table])


def _end(code):
    """End the process: where it was interrupted at once, since JAX at work can crash Python's own end."""
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
