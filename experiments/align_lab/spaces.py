"""The spaces of the ladder of knowledge: data sets and latent dimensions, the steps in each, and their flags."""

import dataclasses

from absl import flags

from align.paper import LATENTS
from align_lab import launch
from align_lab.tables import Experiment

STEPS = ("pairs", "selection", "labels", "unpaired", "controls")
SPACES = tuple(f"mnist-{latent}" for latent in LATENTS[:-1]) + ("fashion_mnist-50", "fashion_mnist-100")


def define_flags():
    """Define what is asked of the ladder alone."""
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
    from align_lab import ladder
    from align_lab.study import training_task

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
    from align_lab import ladder, ladder_report

    for own in studies(study):
        path = ladder_report.picture(own.results / "pictures", ladder.rows(own), own.data.name, own.latents[0])
        say(f"Picture: {path}")
    say(f"Tables: {ladder_report.write(study.results)}")


KNOWLEDGE = Experiment(plan, (), (), choose_model=False, finish=finish, define_flags=define_flags)
