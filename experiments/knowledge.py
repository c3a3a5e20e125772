"""What must be known: the test error against the number of pairs, with class labels only, and with nothing.

    python experiments/knowledge.py                                                # everything
    python experiments/knowledge.py --spaces=mnist-50 --steps=pairs,labels         # a part of it
    python experiments/knowledge.py --spaces=fashion_mnist-50 --steps=unpaired --keys=1

Spaces: the convolutional autoencoders on MNIST at five latent dimensions, and convolutional ↔ fully connected ones on
Fashion-MNIST at two, both ways; every ordered pair of seeds. Steps:

- pairs: rigid, linear and ridge from 5 to 1,000 random anchors, and from the whole training set.
- selection: 2 · latent anchors, by every strategy of `align.anchors`.
- labels: from class labels; the source network has seen one half of the training images, the target the other.
- unpaired: nothing known, from the same halves.
- controls: clouds that have nothing to do with each other, of which no map may be trusted.

Methods that draw at random without knowing a pair are run with several keys. The paper's best from labels alone is
0.660 at latent 50 (its all-pairs map: 0.485), and it has no map for nothing known.
"""

import dataclasses

import launch
from absl import flags

from align.paper import LATENTS

STEPS = ("pairs", "selection", "labels", "unpaired", "controls")
SPACES = tuple(f"mnist-{latent}" for latent in LATENTS[:-1]) + ("fashion_mnist-50", "fashion_mnist-100")
flags.DEFINE_list("spaces", list(SPACES), "Data sets and latent dimensions, such as mnist-50,fashion_mnist-100.")
flags.DEFINE_list("steps", list(STEPS), "Parts of the ladder.")
flags.DEFINE_integer("keys", 10, "Runs of a method that knows no pair, per ordered pair of networks.", 1)


def studies(study):
    """Give the study of every space that was asked for: its data, its latent, and its networks."""
    from align.data import load

    suffix = "_sample" if study.data.name.endswith("_sample") else ""
    data, found = {study.data.name: study.data}, []
    for space in flags.FLAGS.spaces:
        name, _, latent = space.rpartition("-")
        if name not in ("mnist", "fashion_mnist") or not latent.isdecimal() or int(latent) < 1:
            raise ValueError(f"--spaces must be such as mnist-50 or fashion_mnist-100; one of them is {space!r}")
        if name + suffix not in data:
            data[name + suffix] = load(name + suffix, study.data_dir)
        settings = launch.settings(name)
        cells = ((int(latent), None),)
        found.append(dataclasses.replace(study, data=data[name + suffix], settings=settings, cells=cells))
    return found


def plan(study):
    """List the trainings and the steps of the ladder."""
    import ladder
    from study import training_task

    if unknown := set(flags.FLAGS.steps) - set(STEPS):
        raise ValueError(f"--steps must be of {', '.join(STEPS)}; there is {', '.join(sorted(unknown))}")
    found, tasks = studies(study), []
    # Networks of other data, for maps that must not be trusted: the MNIST networks of the same latent dimension.
    strangers = {one.latents[0]: one for one in found if one.data.name.startswith("mnist")}
    for own in found:
        tasks += [training_task(own, name, latent) for latent in own.latents for name in ladder.networks_of(own)]
        steps = [step for step in STEPS if step in flags.FLAGS.steps]
        tasks += [ladder.task(own, step, flags.FLAGS.keys, strangers.get(own.latents[0])) for step in steps]
    return tasks


def finish(study, say):
    """Draw the ladder of every space, and write the tables."""
    import ladder
    import ladder_report

    for own in studies(study):
        say(f"Picture: {ladder_report.picture(own.results, ladder.rows(own), own.data.name, own.latents[0])}")
    say(f"Tables: {ladder_report.write(study.results)}")


if __name__ == "__main__":
    launch.run(plan, tables=[], cells=(), methods=(), choose_model=False, finish=finish)
