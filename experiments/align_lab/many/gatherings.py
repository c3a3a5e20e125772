"""The consensus as an experiment: its flags, its plan, and what is shown of it."""

import dataclasses

from absl import flags

from align_lab.asked import ARCHITECTURES, MOST_SEEDS, Asked, Defaults, check_some, integers
from align_lab.launch import Experiment
from align_lab.many.many_plans import ALIKE, TABLE, Gathering, Likeness
from align_lab.plans import Networks
from align_lab.tables import autoencoders

METHODS = ("rigid", "similarity", "affine", "ridge", "procrustes", "consensus")
POOLS = (1, 2)  # anchors in all, over those that a network has embedded


@dataclasses.dataclass(frozen=True)
class Gathered(Asked):
    """What is asked: architectures that are brought together, and draws of the anchors."""

    groups: tuple[tuple[str, ...], ...] = ()
    draws: tuple[int, ...] = (0,)


class Choices:
    """The flags of the consensus, and those of training."""

    networks = Defaults(one_model=False)

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_list(
            "groups", ["conv", "conv+mlp", "conv+mlp+residual"], "Architectures that share the seeds and one space."
        )
        flags.DEFINE_list("latent", ["50"], "Latent dimensions.")
        flags.DEFINE_list("anchors", ["10", "20", "50", "100"], "Numbers of anchors for each network.")
        flags.DEFINE_integer("draws", 3, "Draws of the anchors.", 1, MOST_SEEDS)
        flags.DEFINE_list("methods", list(METHODS), "Methods, of these.")
        self.networks.define_flags()
        flags.FLAGS.set_default("seeds", 10)
        flags.FLAGS["seeds"].help = "Number of networks in a group."

    def read(self, given: flags.FlagValues, store) -> Gathered:
        """Read the flags; ValueError names the one whose value makes no sense."""
        if unknown := [name for name in given.methods if name not in METHODS]:
            raise ValueError(f"--methods must be of {', '.join(METHODS)}; there is {', '.join(unknown)}")
        groups = tuple(tuple(text.split("+")) for text in given.groups)
        if wrong := [text for text in given.groups if not set(text.split("+")) <= set(ARCHITECTURES)]:
            raise ValueError(f"--groups must be such as conv or conv+mlp; one of them is {wrong[0]!r}")
        if twice := [text for text, group in zip(given.groups, groups, strict=True) if len({*group}) < len(group)]:
            raise ValueError(f"--groups must name an architecture once in a group; one of them is {twice[0]!r}")
        if given.seeds < 3:
            raise ValueError(f"--seeds must be 3 or more for a circle; it is {given.seeds}")
        for name in ("groups", "latent", "anchors", "methods"):
            check_some(name, given[name].value)
        anchors = integers("anchors", given)
        if min(anchors) < 2:
            raise ValueError(f"--anchors must be 2 or more; the least is {min(anchors)}")
        asked = vars(self.networks.read(given, store)) | {"methods": tuple(dict.fromkeys(given.methods))}
        images, most = len(store.data(asked["dataset"]).train.images), max(anchors)
        if max(POOLS) * most > images:
            limit = images // max(POOLS)
            raise ValueError(f"--anchors must be at most {limit}, as there are {images} training images; it is {most}")
        return Gathered(**asked, groups=groups, draws=tuple(range(given.draws)))


def plan(wanted: Gathered, store) -> list:
    """Plan the trainings, each network once, and the gatherings."""
    trainings: dict[tuple, Networks] = {}
    gatherings: list = []
    for latent in wanted.latents:
        for group in wanted.groups:
            spaces = tuple(_share(wanted, group, place, latent) for place in range(len(group)))
            for space in spaces:
                known = (space.model, latent)
                if len(space.seeds) > len(getattr(trainings.get(known), "seeds", ())):
                    trainings[known] = space
            gatherings += [
                Gathering(spaces, count, pool, wanted.methods, wanted.draws)
                for pool in POOLS
                for where, count in wanted.settings
                if where == latent
            ]
            gatherings.append(Likeness(spaces))
    return [*trainings.values(), *gatherings]


def _share(wanted, group, place, latent):
    """Record the networks of one architecture of a group: its share of the seeds, the first ones."""
    share = len(range(place, len(wanted.seeds), len(group)))
    return dataclasses.replace(autoencoders(wanted, group[place], latent), seeds=wanted.seeds[:share])


def pictures(wanted: Gathered, store):
    """Write the tables, and draw the errors and the networks as points."""
    from align_lab.many import many_page

    gathered = {one.spaces: one for one in plan(wanted, store) if isinstance(one, Gathering)}
    yield from (f"Picture: {many_page.networks_as_points(one, store)}" for one in gathered.values())
    yield f"Table: {many_page.write(store.results)}"


CONSENSUS = Experiment(Choices(), plan, pictures, (TABLE, ALIKE))
