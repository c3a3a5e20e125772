"""Classification as an experiment: its flags, how the classifiers are trained, its plan, and what is shown of it."""

import dataclasses
from itertools import product
from typing import TYPE_CHECKING

from absl import flags

from align_lab import validation
from align_lab.asked import ARCHITECTURES, Asked, Defaults, check_names
from align_lab.heads.head_plans import COUNTS, TABLE, Classifiers, Heads
from align_lab.launch import Experiment

if TYPE_CHECKING:
    from align.training import Settings

STEPS = ("own", "pairs", "labels", "unpaired", "few", "stitching", "relative")
# Steps whose rows take seconds each have fewer rungs.
RUNGS = {"pairs": COUNTS, "few": (10, 20, 50, 100), "stitching": (100, 1000, None), "relative": (100,)}
# Chosen by --held_out=30000 of the training images; what was tried is among the rows.
TRAINING = {"epochs": 3, "batch": 128, "learning_rate": 3e-3}


@dataclasses.dataclass(frozen=True)
class ClassifyAsked(Asked):
    """What is asked: architectures, both ways between any two of them, steps, images held out, and those of a cloud."""

    models: tuple[str, ...] = ARCHITECTURES
    steps: tuple[str, ...] = STEPS
    held_out: int = 0
    cloud: int = 5000

    def training(self, latent: int, *models: str, relative: bool = False) -> "Settings":
        """Give how classifiers are trained, whatever their latent dimension."""
        from align.training import Settings

        return Settings(**{**TRAINING, **self.overrides.given})


class Choices:
    """The flags of the classifiers, and those of training."""

    networks = Defaults(settings=((50, None),), one_model=False, decoders=False)

    def define_flags(self) -> None:
        """Define the flags."""
        flags.DEFINE_list(
            "models", list(ARCHITECTURES), "Architectures: all ordered pairs of them, themselves included."
        )
        flags.DEFINE_list("steps", list(STEPS), "What a map may know, or own: the classifiers by themselves.")
        cloud = "Images a side for maps without pairs, or with few; at most half of those trained on are used."
        flags.DEFINE_integer("cloud", 5000, cloud, 100)
        validation.define_flag()
        self.networks.define_flags()
        flags.FLAGS["latent"].help = "Dimensions of the codes before the head; the default is 50."
        flags.FLAGS["seeds"].help = "Number of networks of each architecture; each one's codes go to the next."
        flags.FLAGS["epochs"].help = "Epochs of training; the default is 3."
        flags.FLAGS["batch"].help = "Images in a step of training; the default is 128."
        flags.FLAGS["learning_rate"].help = "Learning rate of Adam, at its peak; the default is 3e-3."
        flags.FLAGS["weight_decay"].help = "Weight decay; the default is 0."

    def read(self, given: flags.FlagValues, store) -> ClassifyAsked:
        """Read the flags; ValueError names the one whose value makes no sense."""
        check_names("models", given.models, ARCHITECTURES)
        check_names("steps", given.steps, STEPS)
        asked = vars(self.networks.read(given, store))
        left_out = validation.checked(given.held_out, store.data(asked["dataset"]))
        asked |= {"models": tuple(dict.fromkeys(given.models))}
        steps = tuple(step for step in STEPS if step in given.steps)
        return ClassifyAsked(**asked, steps=steps, held_out=left_out, cloud=given.cloud)


def plan(wanted: ClassifyAsked, store) -> list:
    """Plan the trainings, and every step between every two architectures, both ways and within one."""
    images, plan = len(store.data(wanted.dataset).train.images) - wanted.held_out, []
    for latent in wanted.latents:
        known = (latent, wanted.seeds, wanted.training(latent), wanted.held_out)
        trained = {model: Classifiers(wanted.dataset, model, *known) for model in wanted.models}
        plan += trained.values()
        for step, source, target in product(wanted.steps, wanted.models, wanted.models):
            if step == "own" and source != target:
                continue
            counts = tuple(count for count in RUNGS.get(step, (None,)) if (count or 0) <= images)
            cloud = min(wanted.cloud, images // 2) if step in ("labels", "unpaired", "few") else 0
            plan.append(Heads(step, trained[source], trained[target], counts, cloud))
    return plan


def pictures(wanted: ClassifyAsked, store):
    """Write the tables of all rows, and draw them."""
    from align_lab.heads import classify_page

    yield f"Tables: {classify_page.write(store.reread(TABLE), store.results)}"


CLASSIFY = Experiment(Choices(), plan, pictures, (TABLE,))
