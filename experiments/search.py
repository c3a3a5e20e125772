"""The search for the network: the paper names its layers and its errors, not its sizes. One network per candidate.

    python experiments/search.py --latent=50                       # all candidates at a latent
    python experiments/search.py --latent=50 --candidates=0,2      # some of them

The figure to search on is the excess of the test error over 0.4694, the part of MNIST that a sigmoid cannot reach.
Rows are appended to search.jsonl in --results; candidates with a row are not trained again.
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import jax
from absl import app, flags
from rich.console import Console
from rich.table import Table

FLAGS = flags.FLAGS
# Channels, kernel sizes, dense layers between convolutions and latent, epochs, peak learning rate, schedule.
CANDIDATES = (
    ((16, 32), (3, 3), (), 14, 1e-3, "constant"),
    ((16, 32), (3, 3), (), 14, 5e-3, "onecycle"),
    ((16, 32), (5, 3), (), 14, 5e-3, "onecycle"),
    ((32, 32), (5, 3), (), 14, 5e-3, "onecycle"),
    ((32, 64), (5, 3), (), 14, 5e-3, "onecycle"),
    ((16, 32), (5, 3), (128,), 14, 5e-3, "onecycle"),
    ((32, 32), (5, 3), (128,), 14, 5e-3, "onecycle"),
    ((32, 32), (5, 3), (256,), 14, 5e-3, "onecycle"),
)


def main(_):
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    from align import evaluation, models, networks, paper, training
    from align.data import load

    console, file = Console(highlight=False), Path(FLAGS.results) / "search.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    data = load(FLAGS.dataset, FLAGS.data_dir)
    chosen = range(len(CANDIDATES)) if FLAGS.candidates is None else map(int, FLAGS.candidates)
    for channels, sizes, hidden, epochs, rate, schedule in (CANDIDATES[i] for i in chosen):
        settings = training.Settings(FLAGS.epochs or epochs, learning_rate=rate, schedule=schedule)
        row = {"dataset": data.name, "latent": FLAGS.latent, "channels": channels, "sizes": sizes, "hidden": hidden}
        row = json.loads(json.dumps({**row, **asdict(settings)}))
        if any(all(other[name] == value for name, value in row.items()) for other in rows):
            continue
        decoder = models.ConvDecoder(channels, sizes, hidden, sigmoid=True)
        model = models.Autoencoder(models.ConvEncoder(FLAGS.latent, channels, sizes, hidden), decoder)
        began = time.perf_counter()
        images = jax.numpy.asarray(data.train.images)
        identity = {"kind": "search", "dataset": data.name, "latent": FLAGS.latent, "seed": 0}
        (params,) = networks.obtain(model, [identity], images, images, settings, Path(FLAGS.workdir) / "networks")
        codes = models.encode(model, params, jax.numpy.asarray(data.test.images))
        error = evaluation.reconstruction_error(*models.decoder_of(model, params), codes, data.test.images)
        row |= {"parameters": sum(x.size for x in jax.tree.leaves(params)), "test_error": float(error)}
        rows.append({**row, "seconds": round(time.perf_counter() - began, 1)})
        with file.open("a") as output:
            output.write(json.dumps(rows[-1]) + "\n")
    table = Table("latent", "channels", "sizes", "hidden", "epochs", "rate", "parameters", "error", "excess · 10³")
    for row in sorted(rows, key=lambda row: (row["latent"], row["test_error"])):
        shown = (str(row[name]) for name in ("latent", "channels", "sizes", "hidden", "epochs"))
        rate, error = f"{row['schedule']} {row['learning_rate']:g}", row["test_error"]
        excess = f"{1e3 * (error - paper.MNIST_FLOOR):.1f}"
        table.add_row(*shown, rate, f"{row['parameters']:,}", f"{error:.4f}", excess)
    console.print(table)


if __name__ == "__main__":
    flags.DEFINE_integer("latent", 50, "Latent dimension.", 1)
    flags.DEFINE_list("candidates", None, "Which candidates, by their place in the list; all without it.")
    flags.DEFINE_integer("epochs", None, "Epochs in place of a candidate's own.", 1)
    flags.DEFINE_enum("dataset", "mnist", ["mnist", "mnist_sample"], "Data.")
    flags.DEFINE_string("data_dir", None, "Folder of the IDX files.")
    flags.DEFINE_string("workdir", "workdir", "Where trained networks are kept and found again.")
    flags.DEFINE_string("results", str(Path(__file__).parent / "results"), "Where the rows go.")
    app.run(main)
