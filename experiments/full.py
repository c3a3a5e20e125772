"""Table 1: alignment from the whole training set, the lower bound of what a method can do with fewer pairs.

python experiments/full.py                 # the paper's six latent dimensions
python experiments/full.py --latent=50     # one of them: 0.476 autoencoder, 0.536 rigid, 0.485 linear in the paper
"""

import launch

from align.paper import LATENTS

METHODS = ("rigid", "linear", "stitching_k1", "stitching_k2", "stitching_k4")
CELLS = tuple((latent, None) for latent in LATENTS)


def plan(study):
    """List the trainings and the cells of the table."""
    from cells import Cell, cell_task
    from study import training_task

    tasks = [training_task(study, study.model, latent) for latent in study.latents]
    cells = [Cell(1, study.model, study.model, latent, study.methods) for latent in study.latents]
    return tasks + [cell_task(study, cell) for cell in cells]


if __name__ == "__main__":
    launch.run(plan, tables=[1], cells=CELLS, methods=METHODS)
