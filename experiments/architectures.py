"""Tables 5 and 6: between a convolutional and a fully connected network, on Fashion-MNIST.

    python experiments/architectures.py                               # the paper's two settings
    python experiments/architectures.py --latent=50 --anchors=100     # one of them

Table 5 has the direct maps and decoder_only, Table 6 end2end. All methods of a setting have the same anchors, one
random draw, since a decoder is trained on the anchors that it will meet. Every pair of seeds is a row, both ways. The
similarity map is not in the paper: a rigid one with a scale, which two architectures need not share.
"""

import itertools

import launch

from align.paper import ARCHITECTURE_SETTINGS as CELLS

METHODS = ("rigid", "similarity", "linear", "decoder_only", "end2end")
MODELS = ("conv", "mlp")
TABLES = {"rigid": 5, "linear": 5, "decoder_only": 5, "end2end": 6}


def cells(study):
    """Give the cells of both tables: the networks' own errors, and the transfers both ways."""
    from cells import Cell
    from representations import shared_anchors

    listed = []
    for (latent, count), table in itertools.product(study.cells, (5, 6)):
        methods = tuple(method for method in study.methods if TABLES.get(method, 5) == table)
        if not methods:
            continue
        indices = shared_anchors(study, latent, count)
        for source, target in itertools.product(MODELS, repeat=2):
            own = source == target
            listed.append(
                Cell(
                    table, source, target, latent, methods, count, lambda s, t, i=indices: i, own=own, transfer=not own
                )
            )
    return listed


def plan(study):
    """List the trainings and the cells of the tables."""
    from cells import cell_task
    from representations import KINDS, relative_task, trained_as
    from study import training_task

    tasks = [training_task(study, name, latent) for latent in study.latents for name in MODELS]
    for latent, count in study.cells:
        kinds = dict.fromkeys(trained_as(kind) for kind in KINDS if kind in study.methods)
        tasks += [relative_task(study, kind, name, latent, count) for kind in kinds for name in MODELS]
    return tasks + [cell_task(study, cell) for cell in cells(study)]


def finish(study, say):
    """Draw the paper's Figures 3 and 4: originals, own reconstructions, and those of every method, both ways."""
    from pictures import reconstructions

    for cell in cells(study):
        if cell.transfer and cell.methods:
            say(f"Picture: {reconstructions(study, cell)}")


if __name__ == "__main__":
    launch.run(
        plan,
        tables=[5, 6],
        cells=CELLS,
        methods=METHODS,
        dataset="fashion_mnist",
        choose_model=False,
        finish=finish,
    )
