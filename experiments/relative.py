"""Table 2: relative representations, with new decoders for old encoders (decoder_only) or all trained anew (end2end).

    python experiments/relative.py                              # the paper's ten settings
    python experiments/relative.py --latent=50 --anchors=100    # one of them

The paper's errors for the second are, own and transferred, 0.479 and 0.839 (decoder_only), 0.488 and 0.498 (end2end).
"""

import launch

from align.paper import ANCHOR_SETTINGS as CELLS

METHODS = ("decoder_only", "end2end")


def plan(study):
    """List the trainings and the cells of the table."""
    from cells import Cell, cell_task
    from representations import relative_task
    from study import training_task

    tasks = [training_task(study, study.model, latent) for latent in study.latents]
    for latent, count in study.cells:
        tasks += [relative_task(study, kind, study.model, latent, count) for kind in study.methods]
        tasks.append(cell_task(study, Cell(2, study.model, study.model, latent, study.methods, count)))
    return tasks


if __name__ == "__main__":
    launch.run(plan, tables=[2], cells=CELLS, methods=METHODS)
