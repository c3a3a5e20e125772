"""The whole paper: every table and figure on full data, resumable, with a report of ours beside the paper's numbers.

    python experiments/paper.py                # everything, from where it was stopped
    python experiments/paper.py --dry_run      # what is left to do, and its cost

The report is written to README.md in --results, next to the rows and pictures that it is made of.
"""

import dataclasses

import ablation
import anchors
import architectures
import figures
import full
import geometry
import launch
import relative
import rotation

# The tables in the order in which they reuse what is trained: the module, and the dataset of its networks.
EXPERIMENTS = (
    (full, "mnist"),
    (anchors, "mnist"),
    (geometry, "mnist"),
    (relative, "mnist"),
    (figures, "mnist"),
    (rotation, "mnist"),
    (architectures, "fashion_mnist"),
    (ablation, "fashion_mnist"),
)


def studies(study):
    """Give every experiment with its own study: the same seeds and settings, its own data, cells and methods."""
    from align.data import load

    suffix = "_sample" if study.data.name.endswith("_sample") else ""
    data = {}
    for name in {name for _, name in EXPERIMENTS}:
        data[name] = study.data if study.data.name == name + suffix else load(name + suffix, study.data_dir)
    return [
        (
            module,
            dataclasses.replace(
                study,
                data=data[name],
                settings=launch.settings(name),
                relative_settings=launch.settings(name, relative=True),
                cells=module.CELLS,
                methods=module.METHODS,
            ),
        )
        for module, name in EXPERIMENTS
    ]


def plan(study):
    """List the tasks of all experiments, each training once."""
    tasks = {}
    for module, own in studies(study):
        for task in module.plan(own):
            # Tasks of one cell are not the same: an experiment may ask for methods that another has not asked for.
            tasks.setdefault(task.name if task.name.startswith("train") else (module, task.name), task)
    return list(tasks.values())


def finish(study, say):
    """Draw all pictures and write the report."""
    import report

    for module, own in studies(study):
        if hasattr(module, "finish"):
            module.finish(own, say)
    say(f"Report: {report.write(study.results)}")


if __name__ == "__main__":
    launch.run(plan, tables=[], cells=(), methods=(), choose_model=False, finish=finish)
