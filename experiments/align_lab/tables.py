"""The experiments, one record each: which cells, by which methods, on what data, and what is drawn."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import NamedTuple

from align.paper import ANCHOR_SETTINGS, ARCHITECTURE_SETTINGS, LATENTS
from align_lab import launch

MODELS = ("conv", "mlp")
# The tables between architectures, by the method; what is in neither is shown with the direct maps.
ACROSS = {"end2end": 6}


def nothing(study, say):
    """Draw no picture of the networks."""


class Experiment(NamedTuple):
    """What is compared, and the functions of a study that list its tasks and draw its pictures."""

    plan: Callable
    settings: tuple[tuple[int, int | None], ...]
    methods: tuple[str, ...]
    tables: tuple[int, ...] = ()
    dataset: str = "mnist"
    choose_model: bool = True
    finish: Callable = nothing
    define_flags: Callable = list


def trainings(study):
    """List the trainings of the autoencoders."""
    from align_lab.study import training_task

    return [training_task(study, study.model, latent) for latent in study.latents]


def whole_set(table):
    """Give the plan of a table whose methods know the whole training set, its pairs or its labels."""

    def plan(study):
        from align_lab.cells import Cell, cell_task

        cells = [Cell(table, study.model, study.model, latent, study.methods) for latent in study.latents]
        return trainings(study) + [cell_task(study, cell) for cell in cells]

    return plan


def anchor_cells(study):
    """Give the cells of Table 3: anchors at random, others for every ordered pair of networks."""
    from align_lab.cells import Cell, draw_per_pair

    return [
        Cell(3, study.model, study.model, latent, study.methods, count, draw_per_pair(study, latent, count))
        for latent, count in study.cells
    ]


def anchor_plan(study):
    """List the trainings and the cells of Table 3."""
    from align_lab.cells import cell_task

    return trainings(study) + [cell_task(study, cell) for cell in anchor_cells(study)]


def anchor_pictures(study, say):
    """Draw originals, the target's own reconstructions, and every method's transferred ones."""
    from align_lab.pictures import reconstructions

    for cell in anchor_cells(study):
        say(f"Picture: {reconstructions(study, cell)}")


def relative_plan(study):
    """List the trainings and the cells of Table 2."""
    from align_lab.cells import Cell, cell_task
    from align_lab.representations import relative_task

    tasks = trainings(study)
    for latent, count in study.cells:
        tasks += [relative_task(study, kind, study.model, latent, count) for kind in study.methods]
        tasks.append(cell_task(study, Cell(2, study.model, study.model, latent, study.methods, count)))
    return tasks


def architecture_cells(study):
    """Give the cells of Tables 5 and 6: the networks' own errors, and the transfers both ways."""
    from align_lab.cells import Cell
    from align_lab.representations import shared_anchors

    listed = []
    for (latent, count), table in itertools.product(study.cells, (5, 6)):
        methods = tuple(method for method in study.methods if ACROSS.get(method, 5) == table)
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


def architecture_plan(study):
    """List the trainings and the cells of Tables 5 and 6."""
    from align_lab.cells import cell_task
    from align_lab.representations import KINDS, relative_task, trained_as
    from align_lab.study import training_task

    tasks = [training_task(study, name, latent) for latent in study.latents for name in MODELS]
    for latent, count in study.cells:
        kinds = dict.fromkeys(trained_as(kind) for kind in KINDS if kind in study.methods)
        tasks += [relative_task(study, kind, name, latent, count) for kind in kinds for name in MODELS]
    return tasks + [cell_task(study, cell) for cell in architecture_cells(study)]


def architecture_pictures(study, say):
    """Draw the paper's Figures 3 and 4: originals, own reconstructions, and those of every method, both ways."""
    from align_lab.pictures import reconstructions

    for cell in architecture_cells(study):
        if cell.transfer and cell.methods:
            say(f"Picture: {reconstructions(study, cell)}")


def latent_pictures(study, say):
    """Draw the latents of two networks before and after alignment."""
    from align_lab.pictures import latents

    for latent in study.latents:
        say(f"Picture: {latents(study, latent)}")


def singular_value_pictures(study, say):
    """Draw the singular values of linear maps, and say from where to where they go."""
    from align_lab.pictures import singular_values

    for text in singular_values(study):
        say(text)


def _over(latents):
    return tuple((latent, None) for latent in latents)


MAPS = ("rigid", "linear", "stitching_k1", "stitching_k2", "stitching_k4")
FULL = Experiment(whole_set(1), _over(LATENTS), MAPS, (1,))
ANCHORS = Experiment(anchor_plan, ANCHOR_SETTINGS, MAPS, (3,), finish=anchor_pictures)
GEOMETRY = Experiment(
    whole_set(4),
    _over((2, 10, 30, 50)),
    ("means_rigid", "means_linear", "means_icp_rigid", "means_icp_linear"),
    (4,),
)
RELATIVE = Experiment(relative_plan, ANCHOR_SETTINGS, ("decoder_only", "end2end"), (2,))
FIGURES = Experiment(trainings, ((2, None),), ("rigid", "linear"), finish=latent_pictures)
ROTATION = Experiment(trainings, _over((2, 10, 30, 50)), ("linear",), finish=singular_value_pictures)
ARCHITECTURES = Experiment(
    architecture_plan,
    ARCHITECTURE_SETTINGS,
    ("rigid", "similarity", "linear", "decoder_only", "end2end"),
    (5, 6),
    dataset="fashion_mnist",
    choose_model=False,
    finish=architecture_pictures,
)
ABLATION = Experiment(
    architecture_plan,
    ((50, 100),),
    (
        "decoder_only",
        "decoder_only_layer",
        "decoder_only_standard",
        "decoder_only_averaged",
        "decoder_only_centred",
        "decoder_only_whitened",
        "decoder_only_whitened_averaged",
        "decoder_only_whitened_standard",
    ),
    (5,),
    dataset="fashion_mnist",
    choose_model=False,
)
# The paper's, in the order in which they reuse what is trained.
EXPERIMENTS = (FULL, ANCHORS, GEOMETRY, RELATIVE, FIGURES, ROTATION, ARCHITECTURES, ABLATION)


def studies(study):
    """Give every experiment with its own study: the same seeds and settings, its own data, cells and methods."""
    from align.data import load

    suffix = "_sample" if study.data.name.endswith("_sample") else ""
    data = {}
    for name in {one.dataset for one in EXPERIMENTS}:
        data[name] = study.data if study.data.name == name + suffix else load(name + suffix, study.data_dir)
    return [
        (
            one,
            dataclasses.replace(
                study,
                data=data[one.dataset],
                settings=launch.settings(one.dataset),
                relative_settings=launch.settings(one.dataset, relative=True),
                cells=one.settings,
                methods=one.methods,
            ),
        )
        for one in EXPERIMENTS
    ]


def paper_plan(study):
    """List the tasks of all experiments, each training once."""
    tasks = {}
    for one, own in studies(study):
        for task in one.plan(own):
            # Tasks of one cell are not the same: an experiment may ask for methods that another has not asked for.
            tasks.setdefault(task.name if task.name.startswith("train") else (one.tables, task.name, one), task)
    return list(tasks.values())


def paper_pictures(study, say):
    """Draw all pictures and write the report."""
    from align_lab import whole_report

    for one, own in studies(study):
        one.finish(own, say)
    say(f"Report: {whole_report.write(study.results)}")


PAPER = Experiment(paper_plan, (), (), choose_model=False, finish=paper_pictures)
