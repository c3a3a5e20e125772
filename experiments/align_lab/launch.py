"""How an experiment is started: flags, devices, a first and a last line, progress, and a clean way to stop."""

import contextlib
import itertools
import json
import os
import platform
import signal
import sys
import time
from pathlib import Path

from absl import app, flags, logging

FLAGS = flags.FLAGS
DATASETS = ("mnist", "fashion_mnist", "mnist_sample", "fashion_mnist_sample")
# What networks on relative representations change in it. End2end encodes all anchors at every step, several times the
# cost of an autoencoder's, and has --relative_epochs. Between architectures a faster rate brings a network's own error
# down and the other one's distances out of the range that its decoder has seen.
RELATIVE = {
    "mnist": {},
    "fashion_mnist": {"learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.05},
}
INTERRUPTED = 130
# What --help lists under which heading; flags of the script itself come first.
GROUPS = {
    "what is compared": ("dataset", "model", "latent", "anchors", "methods", "seeds"),
    "training": ("epochs", "relative_epochs", "learning_rate", "weight_decay", "schedule"),
    "places": ("data_dir", "workdir", "results"),
    "output": ("dry_run", "quiet", "json"),
}
# What it takes to reach the paper's errors of the autoencoders: by dataset, and from which latent dimension up.
# experiments/search.py lists what else was tried. Any other dataset has the defaults of align.training.
TRAINING = {
    "mnist": ((50, {"epochs": 14}), (1, {"epochs": 12, "weight_decay": 0.05})),
    "fashion_mnist": ((1, {"epochs": 7, "learning_rate": 2e-3}),),
}


def run(experiment) -> None:
    """Define and parse the flags, do what the experiment plans, print its tables beside the paper's, and exit.

    Its settings and methods are the defaults of --latent, --anchors and --methods. Exit code 0: done; 1: could not be
    done, the last line says why; 130: interrupted, the same command goes on from there.
    """
    plan, cells, methods, tables = experiment.plan, experiment.settings, experiment.methods, experiment.tables
    dataset, choose_model, finish = experiment.dataset, experiment.choose_model, experiment.finish
    experiment.define_flags()
    flags.DEFINE_enum("dataset", dataset, DATASETS, "Data; a sample is the 6,000 + 1,000 images that are shipped.")
    if choose_model:
        flags.DEFINE_enum("model", "conv", ["conv", "mlp"], "Architecture of the autoencoders.")
    if cells:
        flags.DEFINE_list("latent", None, "Latent dimensions, such as 10,50; the default are the paper's.")
    if any(anchors for _, anchors in cells):
        flags.DEFINE_list("anchors", None, "Numbers of anchors; the default are the paper's at each latent.")
    if methods:
        flags.DEFINE_list("methods", list(methods), "Methods, by their names in experiments/align_lab/methods.py.")
    flags.DEFINE_integer("seeds", 3, "Number of networks; every ordered pair of them makes a row.", lower_bound=2)
    flags.DEFINE_integer(
        "epochs", None, "Epochs of training; the default is 14 on MNIST (12 below latent 50), 7 on Fashion-MNIST.", 1
    )
    flags.DEFINE_integer("relative_epochs", 4, "Epochs of networks on relative representations.", 1)
    flags.DEFINE_float(
        "learning_rate", None, "Learning rate of Adam, at its peak; the default is 5e-3, 2e-3 on Fashion-MNIST."
    )
    flags.DEFINE_float("weight_decay", None, "Weight decay; the default is 0.05 on MNIST below latent 50, else 0.")
    flags.DEFINE_enum("schedule", None, ["onecycle", "constant"], "Its schedule; the paper's is constant, at 1e-3.")
    flags.DEFINE_string("data_dir", None, "Folder of the IDX files; the default is $ALIGN_DATA_DIR, or found for you.")
    flags.DEFINE_string("workdir", "workdir", "Where trained networks are kept and found again.")
    flags.DEFINE_string("results", None, "Where rows and pictures go; the default is results/ in the workdir.")
    flags.DEFINE_bool("dry_run", False, "List what would be done, and its cost, and stop.")
    flags.DEFINE_bool("quiet", False, "Print errors only.")
    if tables:
        flags.DEFINE_bool(
            "json", False, "Print only the rows of the tables (of --dry_run: the tasks), a JSON line each."
        )
    if {"--help", "-help", "-h"} & set(sys.argv[1:]):
        print(_help())
        return
    app.run(lambda argv: _end(_main(argv[1:], plan, tables, cells, finish)))


def _as_json():
    return "json" in FLAGS and FLAGS.json


def _help():
    """Lay out the script's docstring, which has its examples, and its flags in groups."""
    listed = [name for names in GROUPS.values() for name in names]
    own = [flag.name for flag in FLAGS.get_flags_for_module("align_lab.spaces")]
    lines = [(sys.modules["__main__"].__doc__ or "").strip()]
    for title, names in {"this experiment": [name for name in own if name not in listed], **GROUPS}.items():
        there = [FLAGS[name] for name in names if name in FLAGS]
        lines += ["", f"{title}:"] if there else []
        for flag in there:
            default = f" (default: {flag.default_as_str.strip(chr(39))})" if flag.default not in (None, False) else ""
            text = f"--{'[no]' if flag.boolean else ''}{flag.name}: {flag.help}{default}"
            lines.append(flags.text_wrap(text, 100, "      ", "  "))
    return "\n".join(lines)


def _end(code):
    """End the process: where it was interrupted at once, since JAX at work can crash Python's own end."""
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _main(words, plan, tables, cells, finish):
    from rich.console import Console

    console = Console(quiet=FLAGS.quiet or _as_json(), highlight=False, soft_wrap=True)
    console.width = max(console.width, 100) if not console.is_terminal else console.width
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    logging.set_verbosity(logging.WARNING)
    logging.get_absl_logger().setLevel("CRITICAL")  # Orbax: what matters it raises, with the same words
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if words:
            raise ValueError(f"arguments must be flags, such as --latent=50; there is {' '.join(words)!r}")
        # JAX is imported after the flags are read: --help answers at once, and a CPU can be split into devices first.
        study = _study(cells)
        tasks = plan(study)
        _introduce(console, study, tasks)
        if FLAGS.dry_run:
            _list(console, tasks)
            return 0
        _work(console, study, tasks)
        began = time.perf_counter()
        finish(study, console.print)
        _draw(console, study, tables)
        if any(task.cost for task in tasks):
            from align_lab.study import log_time

            log_time(study, "pictures", time.perf_counter() - began)
        for number in tables:
            _show(console, study, number)
        console.print(f"Rows and pictures: {study.results}; trained networks: {study.workdir / 'networks'}")
        return 0
    except KeyboardInterrupt:
        errors.print("Interrupted. What was finished is kept: the same command goes on from there.")
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        errors.print("[red]error:[/] ", end="")
        errors.print(str(error), markup=False)
        return 1


def _study(cells):
    import jax

    from align.data import load
    from align_lab.cells import METHODS, OWN
    from align_lab.study import Study

    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    for name in ("workdir", "results"):
        _check_folder(name)
    workdir = Path(FLAGS.workdir)
    cells = _cells(cells)
    methods = tuple(dict.fromkeys(FLAGS.methods)) if "methods" in FLAGS else ()
    if unknown := [name for name in methods if name not in (*METHODS, *OWN)]:
        raise ValueError(f"--methods has no {', '.join(unknown)}; there are {', '.join((*METHODS, *OWN))}")
    data = load(FLAGS.dataset, FLAGS.data_dir)
    images, most = len(data.train.images), max((count or 0 for _, count in cells), default=0)
    if most > images:
        raise ValueError(f"--anchors must be at most the number of training images, {images}; it is {most}")
    return Study(
        data=data,
        model=FLAGS.model if "model" in FLAGS else "conv",
        cells=cells,
        methods=methods,
        seeds=tuple(range(FLAGS.seeds)),
        settings=settings(FLAGS.dataset),
        relative_settings=settings(FLAGS.dataset, relative=True),
        workdir=workdir,
        results=Path(FLAGS.results) if FLAGS.results else workdir / "results",
        data_dir=FLAGS.data_dir,
    )


def _check_folder(name):
    place = Path(FLAGS[name].value or ".")
    there = next(path for path in (place, *place.parents) if path.exists())
    if not there.is_dir():  # said before anything is trained
        raise ValueError(f"--{name} must be a folder, there or to be made; it is {place}, and {there} is none")


def settings(dataset: str, *, relative: bool = False):
    """Give the training settings that the flags ask for on a dataset, as a function of the latent dimension.

    Those of networks on relative representations have their own number of epochs.
    """
    from align.training import Settings

    chosen = {name: FLAGS[name].value for name in ("epochs", "learning_rate", "schedule", "weight_decay")}
    given = {name: value for name, value in chosen.items() if value is not None}

    name = dataset.removesuffix("_sample")
    changes = RELATIVE.get(name, {}) if relative else {}
    if relative:
        given["epochs"] = FLAGS.relative_epochs

    def at(latent):
        ours = next((chosen for least, chosen in TRAINING.get(name, ()) if least <= latent), {})
        return Settings(**{**ours, **changes, **given})

    return at


def _cells(papers):
    """Give the (latent, anchors) settings: the paper's, those of the paper at the values given, or all combinations."""
    latents, anchors = (_integers(name) for name in ("latent", "anchors"))
    if latents and (anchors or not any(count for _, count in papers)):
        return tuple(itertools.product(latents, anchors or (None,)))
    cells = tuple(cell for cell in papers if cell[0] in (latents or [cell[0]]) and cell[1] in (anchors or [cell[1]]))
    if papers and not cells:
        known = ", ".join(f"({latent}, {count})" for latent, count in papers)
        raise ValueError(
            f"--latent and --anchors must both be given for a setting that is none of the paper's: {known}"
        )
    return cells


def _integers(name):
    values = (FLAGS[name].value if name in FLAGS else None) or []
    if not all(value.strip().isdecimal() and int(value) > 0 for value in values):
        raise ValueError(f"--{name} must be whole numbers from 1, such as 10,50; it is {','.join(values)!r}")
    return tuple(int(value) for value in values)


def _introduce(console, study, tasks):
    """Say on what device and by which versions, from what data, and what will be computed."""
    import flax
    import jax

    devices = f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
    versions = f"jax {jax.__version__}, flax {flax.__version__}, python {platform.python_version()}"
    data = f"{study.data.name} (from: {study.data.source}), "
    data += f"{len(study.data.train.images):,} + {len(study.data.test.images):,} images"
    settings = [study.settings(latent) for latent in study.latents] or [study.settings(50)]
    epochs = "/".join(sorted({str(one.epochs) for one in settings}))
    wanted = [_asked(study), ", ".join(study.methods)]
    wanted += [f"{len(study.seeds)} seeds, epochs: {epochs}, {settings[0].schedule} {settings[0].learning_rate:g}"]
    minutes = sum(task.cost for task in tasks) / 60
    left = sum(bool(task.cost) for task in tasks)
    wanted += [f"{left} of {len(tasks)} tasks to do" + (f", {minutes:.1f} minutes on two cores" if left else "")]
    text = f"on {devices}, {versions}; data: {data}; to compute: {'; '.join(filter(None, wanted))}"
    console.print(f"[bold]{Path(sys.argv[0]).stem}[/] {text}", soft_wrap=False)


def _asked(study):
    """Name the latent dimensions with the numbers of anchors at each."""
    texts = []
    for latent in study.latents:
        counts = [str(count) for where, count in study.cells if where == latent and count]
        texts.append(f"{latent} ({', '.join(counts)} anchors)" if counts else str(latent))
    return f"latent {', '.join(texts)}" if texts else ""


def _list(console, tasks):
    from rich.table import Table

    if _as_json():
        for task in tasks:
            print(json.dumps({"task": task.name, "minutes": round(task.cost / 60, 2)}))
        return
    table = Table("task", "minutes on two cores", title="What would be done")
    for task in tasks:
        table.add_row(task.name, f"{task.cost / 60:.1f}" if task.cost else "done")
    table.add_row("total", f"{sum(task.cost for task in tasks) / 60:.1f}", style="bold")
    console.print(table)


def _work(console, study, tasks):
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from align_lab.study import log_time

    to_do = [task for task in tasks if task.cost]
    remaining = (TextColumn("left"), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), *remaining)
    with Progress(*columns, console=console, disable=console.quiet or not to_do) as progress:
        bar = progress.add_task("", total=sum(task.cost for task in to_do))
        for task in to_do:
            progress.update(bar, description=task.name)
            began = time.perf_counter()
            try:
                task.run(lambda share, cost=task.cost: progress.advance(bar, share * cost))
            finally:  # an interrupted task goes on later: its time is the sum
                with contextlib.suppress(OSError):  # a full disk stopped the task first, and that is what is said
                    log_time(study, task.name, time.perf_counter() - began)
            if not console.is_terminal:
                console.print(f"done: {task.name}")


def _draw(console, study, tables):
    """Draw the tables, unless their pictures are newer than their rows."""
    from align_lab.cells import comparable
    from align_lab.charts import PICTURES, draw
    from align_lab.study import rows_path

    def changed(table):
        return rows_path(study, table).stat().st_mtime_ns if rows_path(study, table).exists() else 0

    pictures = [study.results / "pictures" / f"{name}.png" for name, of in PICTURES.items() if set(of) & set(tables)]
    drawn = max((path.stat().st_mtime_ns for path in pictures if path.exists()), default=-1)
    if drawn < max(map(changed, tables), default=-1):
        for path in draw(tables, lambda table: comparable(study, table), study.results / "pictures"):
            console.print(f"Picture: {path}")


def _show(console, study, number):
    from rich import box
    from rich.table import Column, Table

    from align import paper
    from align_lab.cells import rows_of

    rows = rows_of(study, number)
    if _as_json():
        for row in rows:
            print(json.dumps(row))
        return
    records = paper.comparison(rows)
    if records:
        table = Table(
            *(Column(name, no_wrap=name != "method", overflow="fold") for name in records[0]),
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            title=f"Table {number}: test reconstruction error, mean ± standard deviation",
        )
        for record in records:
            table.add_row(*record.values())
        console.print(table)
