"""The factors as an experiment: its flags, its plan, and what is shown of it."""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from align_lab.asked import Asked, Defaults, check_names
from align_lab.launch import Experiment
from align_lab.rigidity.variant_plans import TABLE, Relations, Varied
from align_lab.rigidity.variants import VARIANTS

if TYPE_CHECKING:
    from align.training import Settings

# What is compared unless the flags say otherwise; what decides most comes first.
USUAL = (
    "narrow",
    "dense64",
    "dense64+orthogonal",
    "dense256",
    "narrow+pytorch",
    "encoder64",
    "decoder64",
    "constant",
    "ours",
    "dense64+pytorch",
    "deep",
    "ReLU",
    "narrow+onecycle",
    "narrow+decay",
    "narrow+b2",
    "narrow+batch256",
    "narrow+rate3e-3",
    "narrow+orthogonal",
    "dense1024",
    "mlp",
)

# What --help says of settings that are the variants' own, and what they are there.
OWN = {
    "batch": ("Images in a step of training", "64 but for ...+batch256"),
    "learning_rate": ("Learning rate of Adam", "1e-3, 5e-3 at the peak of ours and ...+onecycle, 3e-3 of ...+rate3e-3"),
    "schedule": ("Schedule of the rate, onecycle or constant", "constant, onecycle of ours and ...+onecycle"),
    "weight_decay": ("Weight decay", "0 but for ...+decay"),
    "memory": ("Adam's b2, of squared gradients", "0.99 under onecycle and of ...+b2, else 0.999"),
    "initial": (
        "How parameters are drawn: normal as Flax does, uniform as PyTorch does, or orthogonal",
        "normal but for ...+pytorch and ...+orthogonal",
    ),
}


@dataclasses.dataclass(frozen=True)
class Factors(Asked):
    """What is asked: variants, and for how many epochs all of them are trained."""

    variants: tuple[str, ...] = ()

    def varied(self, name: str, latent: int) -> Varied:
        """Record the networks of a variant; what the command line says of training goes before it."""
        from align.training import Settings

        variant = VARIANTS[name]
        settings = Settings(**{**variant.training, **self.overrides.given})
        return Varied(self.dataset, name, variant.architecture, latent, self.seeds, settings)

    def training(self, latent: int, *models: str, relative: bool = False) -> "Settings":
        """Give how the networks of the first variant are trained."""
        return self.varied(self.variants[0], latent).settings


class Choices:
    """The flags of the factors, and those of training."""

    networks = Defaults(settings=((50, 100),), one_model=False, decoders=False)

    def define_flags(self) -> None:
        """Define the flags."""
        variants = "Variants, each one step from another, by their names in align_lab/rigidity/variants.py."
        flags.DEFINE_list("variants", list(USUAL), variants)
        self.networks.define_flags()
        flags.FLAGS["latent"].help = "Latent dimensions, such as 10,50; the default is 50."
        flags.FLAGS["anchors"].help = "Numbers of anchors; the default is 100."
        flags.FLAGS["epochs"].help = "Epochs of training, of all variants alike; the default is 14."
        for name, (what, usual) in OWN.items():
            alike = f"of all variants alike, even of one whose factor it is; the default is each one's own: {usual}"
            flags.FLAGS[name].help = f"{what}, {alike}."

    def read(self, given: flags.FlagValues, store) -> Factors:
        """Read the flags; ValueError names the one whose value makes no sense."""
        check_names("variants", given.variants, tuple(VARIANTS))
        asked = vars(self.networks.read(given, store))
        return Factors(**asked, variants=tuple(dict.fromkeys(given.variants)))


def plan(wanted: Factors, store) -> list:
    """Plan the trainings, each followed by the maps between its networks: what decides most comes first."""
    plan: list = []
    for latent, anchors in wanted.settings:
        for name in wanted.variants:
            networks = wanted.varied(name, latent)
            plan += [networks, Relations(networks, anchors)]
    return list(dict.fromkeys(plan))


def pictures(wanted: Factors, store):
    """Write the tables of all rows, and draw them."""
    from align_lab.rigidity import rigidity_page

    yield f"Tables: {rigidity_page.write(store.reread(TABLE), store.results)}"


RIGIDITY = Experiment(Choices(), plan, pictures, (TABLE,))
