"""The experiments of the paper, one record each: what is compared, the plan of it, and what is drawn.

A plan lists the trainings and the cells of what is asked for; nothing is loaded but data, and nothing is trained.
"""

import dataclasses
import itertools
from collections.abc import Callable

from align.dataset_names import family, like
from align.paper import ANCHOR_SETTINGS, ARCHITECTURE_SETTINGS, LATENTS
from align_lab.asked import MODELS, Defaults
from align_lab.launch import Experiment
from align_lab.plans import Cell, Networks

MAPS = ("rigid", "linear", "stitching_k1", "stitching_k2", "stitching_k4")
MEANS = ("means_rigid", "means_linear", "means_icp_rigid", "means_icp_linear")
# One cause of decoder_only's failure taken away at a time.
VARIANTS = (
    "decoder_only",
    "decoder_only_layer",
    "decoder_only_standard",
    "decoder_only_averaged",
    "decoder_only_centred",
    "decoder_only_whitened",
    "decoder_only_whitened_averaged",
    "decoder_only_whitened_standard",
)


def autoencoders(wanted, model: str, latent: int) -> Networks:
    """Record the autoencoders of an architecture and latent dimension, all seeds of what is asked for."""
    known = wanted.dataset, wanted.architecture(model), latent
    return Networks("autoencoder", *known, wanted.seeds, wanted.training(latent, model))


def trainings(wanted, store) -> list:
    """Plan the autoencoders alone, one architecture at every latent dimension."""
    return [autoencoders(wanted, wanted.model, latent) for latent in wanted.latents]


def cell(wanted, table: int, source: Networks, target: Networks, **options) -> Cell:
    """Record a cell between two sets of autoencoders.

    Relative representations are trained as all architectures of the table can bear: one network serves all cells.
    """
    relative = wanted.training(source.latent, *wanted.compared(table), relative=True)
    return Cell(table, source, target, **{"methods": wanted.methods, "relative": relative, **options})


def whole_set(table: int) -> Callable:
    """Give the plan of a table whose methods may use the whole training set, its pairs or its labels."""

    def plan(wanted, store):
        networks = trainings(wanted, store)
        return [*networks, *(cell(wanted, table, one, one) for one in networks)]

    return plan


def anchors(wanted, store) -> list:
    """Plan Table 3: anchors at random, others for every ordered pair of networks."""
    networks = {one.latent: one for one in trainings(wanted, store)}
    cells = [cell(wanted, 3, *[networks[latent]] * 2, anchors=count) for latent, count in wanted.settings]
    return [*networks.values(), *cells]


def relative(wanted, store) -> list:
    """Plan Table 2: networks on relative representations, of one architecture."""
    from align_lab.trainings import relative_networks

    networks = {one.latent: one for one in trainings(wanted, store)}
    plan = list(networks.values())
    for latent, count in wanted.settings:
        one = cell(wanted, 2, *[networks[latent]] * 2, anchors=count, shared=True)
        plan += [*relative_networks([one]), one]
    return plan


def architectures(wanted, store) -> list:
    """Plan Tables 5 and 6: the networks' own errors, and the transfers both ways.

    All methods of a setting share their anchors: a decoder is trained on the anchors that it will meet.
    """
    from align_lab.trainings import relative_networks

    networks = {(model, latent): autoencoders(wanted, model, latent) for latent in wanted.latents for model in MODELS}
    cells = []
    for (latent, count), table in itertools.product(wanted.settings, (5, 6)):
        methods = tuple(method for method in wanted.methods if (method == "end2end") == (table == 6))
        for source, target in itertools.product(MODELS, repeat=2) if methods else ():
            own = source == target
            ends = networks[source, latent], networks[target, latent]
            known = {"methods": methods, "anchors": count, "shared": True, "own": own, "transfer": not own}
            cells.append(cell(wanted, table, *ends, **known))
    return [*networks.values(), *relative_networks(cells), *cells]


def paper(wanted, store) -> list:
    """Plan all tables and figures, each record once."""
    return list(dict.fromkeys(record for one, own in _parts(wanted, store) for record in one.plan(own, store)))


def check_both_families(dataset: str) -> None:
    """Raise ValueError for one of the two families where both are compared, each by its own name."""
    if family(dataset) == "fashion_mnist":
        both = dataset.replace("fashion_mnist", "mnist")
        raise ValueError(f"--dataset={both} takes both families, MNIST and Fashion-MNIST; there is no {dataset} alone")


def _parts(wanted, store):
    """Give every experiment with what is asked of it: the same seeds and training, its own data, cells and methods."""
    published = store.published(wanted.dataset)
    check_both_families(published)
    for one in PARTS:
        dataset = store.data(like(one.defaults.dataset, published)).name
        settings, methods = one.defaults.settings, one.defaults.methods
        yield one, dataclasses.replace(wanted, dataset=dataset, settings=settings, methods=methods)


# What is drawn


def charts(*tables: int) -> Callable:
    """Give what draws the charts of tables whose rows have changed."""

    def pictures(wanted, store):
        from align_lab import charts

        yield from charts.redraw(wanted, store, tables)

    return pictures


def with_reconstructions(plan: Callable, *tables: int) -> Callable:
    """Give what draws the images of a plan's transfers, and the charts of its tables."""

    def pictures(wanted, store):
        from align_lab.pictures import reconstructions

        for one in plan(wanted, store):
            if isinstance(one, Cell) and one.transfer:
                yield f"Picture: {reconstructions(one, store)}"
        yield from charts(*tables)(wanted, store)

    return pictures


def latent_pictures(wanted, store):
    """Draw the latents of two networks before and after alignment."""
    from align_lab.pictures import latents

    maps = [method for method in wanted.methods if method != "autoencoder"]
    for networks in trainings(wanted, store):
        yield f"Picture: {latents(networks, maps, store)}"


def rotations(wanted, store) -> list:
    """Plan the autoencoders of what is drawn of maps; ValueError where there are too few images for these."""
    images, most = len(store.data(wanted.dataset).train.images), max(wanted.latents, default=0)
    if 2 * most > images:
        raise ValueError(f"--latent must be at most {images // 2}, as there are {images} training images; it is {most}")
    return trainings(wanted, store)


def singular_value_pictures(wanted, store):
    """Draw the singular values of linear maps, and say from where to where they go."""
    from align_lab.pictures import singular_values

    yield from singular_values(trainings(wanted, store), store)


def paper_pictures(wanted, store):
    """Draw all pictures and write the report."""
    from align_lab.report import page

    for one, own in _parts(wanted, store):
        yield from one.pictures(own, store)
    yield f"Report: {page.write(store.results)}"


def _over(*latents):
    return tuple((latent, None) for latent in latents)


def _fashion(settings, methods):
    return Defaults("fashion_mnist", settings, methods, one_model=False, relative=True)


FULL = Experiment(Defaults("mnist", _over(*LATENTS), MAPS), whole_set(1), charts(1), (1,))
_OF_TABLE_2 = Defaults("mnist", ANCHOR_SETTINGS, ("decoder_only", "end2end"), relative=True)
RELATIVE = Experiment(_OF_TABLE_2, relative, charts(2), (2,))
ANCHORS = Experiment(Defaults("mnist", ANCHOR_SETTINGS, MAPS), anchors, with_reconstructions(anchors, 3), (3,))
GEOMETRY = Experiment(Defaults("mnist", _over(2, 10, 30, 50), MEANS), whole_set(4), charts(4), (4,))
FIGURES = Experiment(Defaults("mnist", _over(2), ("rigid", "linear")), trainings, latent_pictures)
ROTATION = Experiment(Defaults("mnist", _over(2, 10, 30, 50)), rotations, singular_value_pictures)
ARCHITECTURES = Experiment(
    _fashion(ARCHITECTURE_SETTINGS, ("rigid", "similarity", "linear", "decoder_only", "end2end")),
    architectures,
    with_reconstructions(architectures, 5, 6),
    (5, 6),
)
ABLATION = Experiment(_fashion(((50, 100),), VARIANTS), architectures, charts(5, 6), (5, 6))
# In the order in which they reuse what is trained.
PARTS = (FULL, ANCHORS, GEOMETRY, RELATIVE, FIGURES, ROTATION, ARCHITECTURES, ABLATION)
PAPER = Experiment(Defaults(one_model=False, relative=True), paper, paper_pictures)
