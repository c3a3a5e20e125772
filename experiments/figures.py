"""Figure 1: the idea as a picture, two networks' latents before and after alignment; Figures 3 and 4 for the transfers.

    python experiments/figures.py                # the latents of two networks of latent dimension 2
    python experiments/figures.py --latent=10    # of another dimension, by its first two principal components

Figures 3 and 4 (reconstructions between architectures) are drawn by experiments/architectures.py, from its networks.
"""

import launch

METHODS = ("rigid", "linear")
CELLS = ((2, None),)


def plan(study):
    """List the trainings that the picture needs."""
    from study import training_task

    return [training_task(study, study.model, latent) for latent in study.latents]


def finish(study, say):
    """Draw the latents."""
    from pictures import latents

    for latent in study.latents:
        say(f"Picture: {latents(study, latent)}")


if __name__ == "__main__":
    launch.run(plan, tables=[], cells=CELLS, methods=METHODS, finish=finish)
