"""Is the map between two networks a rotation? The singular values of linear maps, which are all 1 for a rotation.

    python experiments/rotation.py                # latent dimensions 2 to 50
    python experiments/rotation.py --latent=50    # one of them

Maps are fitted on the whole training set and on twice as many random pairs as there are dimensions. It takes about 16
minutes on two cores, a minute where the networks are trained.
"""

import launch

METHODS = ("linear",)
CELLS = tuple((latent, None) for latent in (2, 10, 30, 50))


def plan(study):
    """List the trainings that the picture needs."""
    from study import training_task

    return [training_task(study, study.model, latent) for latent in study.latents]


def finish(study, say):
    """Draw the singular values, and say from where to where they go."""
    from pictures import singular_values

    for text in singular_values(study):
        say(text)


if __name__ == "__main__":
    launch.run(plan, tables=[], cells=CELLS, methods=METHODS, finish=finish)
