"""Candidates for the network of the paper, each trained and measured: its own error, and that of a linear map."""

import itertools
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import jax
from absl import app, flags
from rich.console import Console
from rich.table import Table

FLAGS = flags.FLAGS
PLAIN, SMALL = ((32, 32), (5, 3), ()), ((16, 32), (3, 3), ())
DENSE = ((32, 32), (5, 3), (256,))
# Encoder and decoder (channels, kernel sizes, dense layers between convolutions and latent), and the training.
CANDIDATES = (
    (SMALL, SMALL, {"epochs": 14, "learning_rate": 1e-3, "schedule": "constant"}),
    (SMALL, SMALL, {"epochs": 14}),
    (((16, 32), (5, 3), ()), ((16, 32), (5, 3), ()), {"epochs": 14}),
    (PLAIN, PLAIN, {"epochs": 14}),
    (((32, 64), (5, 3), ()), ((32, 64), (5, 3), ()), {"epochs": 14}),
    (((16,), (5,), ()), DENSE, {"epochs": 6}),
    (SMALL, DENSE, {"epochs": 14}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.05}),
    (SMALL, DENSE, {"epochs": 12, "weight_decay": 0.1}),
    (((32, 32), (5, 3), (128,)), ((32, 32), (5, 3), (128,)), {"epochs": 14, "learning_rate": 3e-3}),
)


def _main(_):
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    from align import models, training
    from align.data import load

    console, file = Console(highlight=False), Path(FLAGS.results) / "rows" / "search.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    data = load(FLAGS.dataset, FLAGS.data_dir)
    chosen = range(len(CANDIDATES)) if FLAGS.candidates is None else map(int, FLAGS.candidates)
    for encoder, decoder, options in (CANDIDATES[i] for i in chosen):
        settings = training.Settings(**options | ({"epochs": FLAGS.epochs} if FLAGS.epochs else {}))
        row = {"dataset": data.name, "latent": FLAGS.latent, "seeds": FLAGS.seeds, "encoder": encoder}
        row = json.loads(json.dumps({**row, "decoder": decoder, "settings": asdict(settings)}))
        if any(all(other[name] == value for name, value in row.items()) for other in rows):
            continue
        model = models.Autoencoder(
            models.ConvEncoder(FLAGS.latent, *encoder), models.ConvDecoder(*decoder, sigmoid=True)
        )
        rows.append({**row, **measure(data, model, settings)})
        with file.open("a") as output:
            output.write(json.dumps(rows[-1]) + "\n")
    show(console, [row for row in rows if row["latent"] == FLAGS.latent])


def measure(data, model, settings) -> dict:
    """Train a candidate from several seeds; give its own error and that of linear maps between its seeds."""
    from align import evaluation, models, networks, solvers

    began = time.perf_counter()
    train, test = (jax.numpy.asarray(split.images) for split in (data.train, data.test))
    identity = {"kind": "autoencoder", "dataset": data.name, "model": "conv", "latent": FLAGS.latent}
    identities = [{**identity, "seed": seed} for seed in range(FLAGS.seeds)]
    trained = networks.obtain(model, identities, train, train, settings, Path(FLAGS.workdir) / "networks")
    codes = [[models.encode(model, params, images) for images in (train, test)] for params in trained]

    def error(target, at_test):
        return float(evaluation.reconstruction_error(*models.decoder_of(model, trained[target]), at_test, test))

    own = [error(i, at_test) for i, (_, at_test) in enumerate(codes)]
    linear = [error(t, solvers.linear(codes[s][0], codes[t][0])(codes[s][1])) for s, t in pairs(len(codes))]
    return {
        "parameters": sum(x.size for x in jax.tree.leaves(trained[0])),
        "autoencoder": fmean(own),
        "linear": fmean(linear) if linear else None,
        "seconds": round(time.perf_counter() - began, 1),
    }


def pairs(count):
    return itertools.permutations(range(count), 2)


def show(console, rows):
    from align import paper

    columns = ("encoder", "decoder", "training", "parameters", "own error", "excess · 10³", "linear map")
    table = Table(*columns, title=f"Candidates, latent {FLAGS.latent}")
    for row in sorted(rows, key=lambda row: row["autoencoder"]):
        settings, own = row["settings"], row["autoencoder"]
        decay = f", decay {settings['weight_decay']:g}" if settings["weight_decay"] else ""
        training = f"{settings['epochs']} epochs, {settings['schedule']} {settings['learning_rate']:g}{decay}"
        linear = "" if row["linear"] is None else f"{row['linear']:.4f}"
        texts = [" ".join(map(str, row[name])) for name in ("encoder", "decoder")]
        table.add_row(
            *texts, training, f"{row['parameters']:,}", f"{own:.4f}", f"{1e3 * (own - paper.MNIST_FLOOR):.1f}", linear
        )
    console.print(table)


def run(folder: Path) -> None:
    """Parse the flags and measure; `folder` is where the rows go if --results does not say."""
    flags.DEFINE_integer("latent", 50, "Latent dimension.", 1)
    flags.DEFINE_list("candidates", None, "Which candidates, by their place in the list; all without it.")
    flags.DEFINE_integer("seeds", 2, "Networks per candidate; a linear map needs two.", 1)
    flags.DEFINE_integer("epochs", None, "Epochs in place of a candidate's own.", 1)
    flags.DEFINE_enum("dataset", "mnist", ["mnist", "mnist_sample"], "Data.")
    flags.DEFINE_string("data_dir", None, "Folder of the IDX files.")
    flags.DEFINE_string("workdir", "workdir", "Where trained networks are kept and found again.")
    flags.DEFINE_string("results", str(folder), "Where the rows go.")
    app.run(_main)
