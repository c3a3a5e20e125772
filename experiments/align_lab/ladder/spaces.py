"""The ladder as an experiment: its spaces, which are data sets and latent dimensions, and the steps in each."""

import dataclasses
from typing import NamedTuple

from absl import flags

from align.dataset_names import family, like
from align.paper import LATENTS
from align_lab.asked import MODELS, MOST_LATENT, MOST_SEEDS, Asked, Defaults, check_names, check_pairs, integers
from align_lab.ladder.ladder_plans import Rungs
from align_lab.launch import Experiment
from align_lab.plans import Networks
from align_lab.tables import autoencoders, check_both_families

STEPS = ("pairs", "selection", "labels", "few", "bound", "unpaired", "controls")
COUNTS = (5, 10, 20, 50, 100, 200, 500, 1000)
SPACES = (*(f"mnist-{latent}" for latent in LATENTS[:-1]), "fashion_mnist-50", "fashion_mnist-100")


# Maps lead between the seeds of the only architecture, or from each to the other.
MODELS_OF = {"mnist": MODELS[:1], "fashion_mnist": MODELS}


@dataclasses.dataclass(frozen=True)
class Ladder(Asked):
    """What is asked of the ladder: spaces, (data set, latent dimension), steps, numbers of pairs, and runs.

    keys: runs of what knows no pair.
    """

    spaces: tuple[tuple[str, int], ...] = ()
    steps: tuple[str, ...] = STEPS
    counts: tuple[int, ...] = COUNTS
    keys: int = 10

    def described(self, store) -> list[str]:
        """Say on what data, and what will be computed there, a text for each."""
        settings: dict[str, list] = {}
        for name, latent in self.spaces:
            settings.setdefault(_data(self, store, name).name, []).append((latent, None))
        own = [
            dataclasses.replace(self, dataset=dataset, settings=tuple(chosen), methods=self.steps)
            for dataset, chosen in settings.items()
        ]
        return [text for one in own for text in Asked.described(one, store)]


class Choices(NamedTuple):
    """The flags of the ladder, and those of the networks."""

    networks: Defaults = Defaults(one_model=False)

    def define_flags(self) -> None:
        """Define the flags."""
        spaces = (
            "Data sets and latent dimensions, such as mnist-50,cifar10-100; mnist and fashion_mnist are the sample of "
            "either, or other data, where --dataset is."
        )
        flags.DEFINE_list("spaces", list(SPACES), spaces)
        flags.DEFINE_list("steps", list(STEPS), "Parts of the ladder.")
        counts = "Numbers of pairs in the steps pairs and few; those beyond the number of training images are left out."
        flags.DEFINE_list("anchors", list(map(str, COUNTS)), counts)
        flags.DEFINE_integer(
            "keys", 10, "Runs of a method that knows no pair, per ordered pair of networks.", 1, MOST_SEEDS
        )
        self.networks.define_flags()

    def read(self, given: flags.FlagValues, store) -> Ladder:
        """Read the flags; ValueError for a space or a step that there is none of."""
        check_names("steps", given.steps, STEPS)
        spaces = tuple(dict.fromkeys(map(_space, given.spaces or [""])))
        steps = tuple(step for step in STEPS if step in given.steps)
        counts = integers("anchors", given)
        if {"pairs", "few"} & set(steps):
            check_pairs(counts, ("ridge",))
        of_families = any(name in MODELS_OF for name, _ in spaces)
        asked = self.networks.read(given, store, None if of_families else spaces[0][0])
        if of_families:
            check_both_families(store.published(asked.dataset))
        return Ladder(**vars(asked), spaces=spaces, steps=steps, counts=counts, keys=given.keys)


def _space(text):
    name, _, latent = text.rpartition("-")
    if not name or not latent.isdecimal() or not 1 <= int(latent) <= MOST_LATENT:
        raise ValueError(f"--spaces must be such as mnist-50 or fashion_mnist-100; one of them is {text!r}")
    return name, int(latent)


def plan(wanted: Ladder, store) -> list:
    """Plan the trainings and the steps of every space."""
    spaces = {(name, latent): _networks(wanted, store, name, latent) for name, latent in wanted.spaces}
    plan = []
    for (_, latent), networks in spaces.items():
        # Networks of other data, for maps that must not be trusted: the MNIST networks of the same latent dimension.
        (stranger,) = spaces.get(("mnist", latent), (None,))
        stranger = None if stranger in networks else stranger
        plan += [*networks, *(Rungs(step, networks, wanted.keys, wanted.counts, stranger) for step in wanted.steps)]
    return list(dict.fromkeys(plan))  # two names may be of the same data


def _networks(wanted: Ladder, store, name: str, latent: int) -> tuple[Networks, ...]:
    own = dataclasses.replace(wanted, dataset=_data(wanted, store, name).name)
    models = MODELS_OF.get(family(store.published(own.dataset)), MODELS[:1])
    return tuple(autoencoders(own, model, latent) for model in models)


def _data(wanted: Ladder, store, name: str):
    return store.data(like(name, store.published(wanted.dataset)) if name in MODELS_OF else name)


def pictures(wanted: Ladder, store):
    """Draw the ladder of every space, and write the tables."""
    from align_lab.ladder import ladder_page

    for networks in dict.fromkeys(_networks(wanted, store, *space) for space in wanted.spaces):
        if drawn := ladder_page.picture(networks, store):
            yield f"Picture: {drawn}"
    yield f"Tables: {ladder_page.write(store.results)}"


KNOWLEDGE = Experiment(Choices(), plan, pictures, ("knowledge",))
