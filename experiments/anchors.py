"""Table 3: alignment from a few anchors, drawn at random from the training set for every ordered pair of networks.

    python experiments/anchors.py                              # the paper's ten settings
    python experiments/anchors.py --latent=50 --anchors=100    # one of them

The paper's errors for the second are 0.476 (autoencoder), 0.551 (rigid), 0.500 (linear), and 0.768, 0.714 and 0.673
(stitching, k = 1, 2, 4). It takes about 7 minutes on two cores the first time, and seconds from then on.
"""

import launch

from align.paper import ANCHOR_SETTINGS as CELLS

METHODS = ("rigid", "linear", "stitching_k1", "stitching_k2", "stitching_k4")


def cells(study):
    """Give the cells of the table."""
    from cells import Cell, draw_per_pair

    return [
        Cell(3, study.model, study.model, latent, study.methods, count, draw_per_pair(study, latent, count))
        for latent, count in study.cells
    ]


def plan(study):
    """List the trainings and the cells of the table."""
    from cells import cell_task
    from study import training_task

    tasks = [training_task(study, study.model, latent) for latent in study.latents]
    return tasks + [cell_task(study, cell) for cell in cells(study)]


def finish(study, say):
    """Draw originals, the target's own reconstructions, and every method's transferred ones."""
    from pictures import reconstructions

    for cell in cells(study):
        say(f"Picture: {reconstructions(study, cell)}")


if __name__ == "__main__":
    launch.run(plan, tables=[3], cells=CELLS, methods=METHODS, finish=finish)
