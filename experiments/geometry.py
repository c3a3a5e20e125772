"""Table 4: alignment without pairs, from class labels: class means, and iterative closest points within the classes.

python experiments/geometry.py                # the paper's four latent dimensions
python experiments/geometry.py --latent=50    # one of them: 0.660 and 0.747 (means), 0.950 and 0.987 (with ICP)
"""

import launch

METHODS = ("means_rigid", "means_linear", "means_icp_rigid", "means_icp_linear")
CELLS = tuple((latent, None) for latent in (2, 10, 30, 50))


def plan(study):
    """List the trainings and the cells of the table."""
    from cells import Cell, cell_task
    from study import training_task

    tasks = [training_task(study, study.model, latent) for latent in study.latents]
    cells = [Cell(4, study.model, study.model, latent, study.methods) for latent in study.latents]
    return tasks + [cell_task(study, cell) for cell in cells]


if __name__ == "__main__":
    launch.run(plan, tables=[4], cells=CELLS, methods=METHODS)
