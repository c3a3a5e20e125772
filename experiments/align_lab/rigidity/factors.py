"""The factors as an experiment: its variants, its flags, its plan, and what is shown of it."""

import dataclasses
from typing import TYPE_CHECKING

from absl import flags

from align_lab.asked import Asked, Defaults, check_names
from align_lab.launch import Experiment
from align_lab.rigidity.variant_plans import Relations, Varied
from align_lab.rigidity.variants import Architecture, Variant

if TYPE_CHECKING:
    from align.training import Settings

TABLE = "rigidity"
CONSTANT = {"learning_rate": 1e-3, "schedule": "constant"}
TRAININGS = {
    "pytorch": ({"initial": "uniform"}, "PyTorch's initial parameters"),
    "orthogonal": ({"initial": "orthogonal"}, "orthogonal initial kernels"),
    "decay": ({"weight_decay": 0.05}, "weight decay 0.05"),
    "b2": ({"memory": 0.99}, "Adam's b2 0.99 in place of 0.999"),
    "batch256": ({"batch": 256}, "batches of 256 in place of 64"),
    "rate3e-3": ({"learning_rate": 3e-3}, "a rate of 3e-3 in place of 1e-3"),
    "onecycle": ({"learning_rate": 5e-3, "schedule": "onecycle"}, "one cycle up to 5e-3"),
}
NARROW = {"channels": (16, 32), "sizes": (3, 3)}
NETWORKS = {
    "deep": ({"channels": (16, 32, 64), "sizes": (3, 3, 3)}, "narrow", "three convolutions in place of two"),
    "dense1024": ({"encoder": (1024,), "decoder": (1024,)}, "narrow", "a dense layer of 1,024 on either side"),
    "dense256": ({"encoder": (256,), "decoder": (256,)}, "narrow", "a dense layer of 256 on either side"),
    "dense64": ({"encoder": (64,), "decoder": (64,)}, "narrow", "a dense layer of 64 on either side"),
    "encoder64": ({"encoder": (64,)}, "narrow", "a dense layer of 64 in the encoder"),
    "decoder64": ({"decoder": (64,)}, "narrow", "a dense layer of 64 in the decoder"),
    "ReLU": ({"rectified": True}, "narrow", "a ReLU on the latents"),
    "mlp": ({"channels": (), "sizes": (), "encoder": (512, 256), "decoder": (512, 256)}, "narrow", "fully connected"),
}


def _varied(of, architecture):
    """Give what differs from a variant in training alone."""
    named = {f"{of}+{name}": given for name, given in TRAININGS.items()}
    return {name: Variant(architecture, {**CONSTANT, **how}, of, words) for name, (how, words) in named.items()}


# "ours" is what the tables of the paper are made of, "constant" has the paper's own training.
VARIANTS = {
    "ours": Variant(),
    "constant": Variant(training=CONSTANT, of="ours", factor="a constant rate of 1e-3, b2 0.999"),
    "ours+decay": Variant(training={"weight_decay": 0.05}, of="ours", factor="weight decay 0.05"),
    "constant+pytorch": Variant(
        training={**CONSTANT, "initial": "uniform"}, of="constant", factor="PyTorch's initial parameters"
    ),
    "narrow": Variant(Architecture(**NARROW), CONSTANT, "constant", "16 and 32 channels, kernels of 3 x 3"),
}
for _name, (_parts, _of, _words) in NETWORKS.items():
    VARIANTS[_name] = Variant(Architecture(**{**NARROW, **_parts}), CONSTANT, _of, _words)
for _name in ("narrow", "dense64", "dense256", "mlp"):
    VARIANTS |= _varied(_name, VARIANTS[_name].architecture)
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

    def training(self, latent: int, *, relative: bool = False) -> "Settings":
        """Give how the networks of the first variant are trained."""
        return self.varied(self.variants[0], latent).settings


class Choices:
    """The flags of the factors, and those of training."""

    networks = Defaults(settings=((50, 100),), one_model=False)

    def define_flags(self) -> None:
        """Define the flags."""
        variants = "Variants, each one step from another, by their names in align_lab/rigidity/factors.py."
        flags.DEFINE_list("variants", list(USUAL), variants)
        self.networks.define_flags()
        flags.FLAGS["epochs"].help = "Epochs of training, of all variants alike; the default is 14."

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
    return plan


def pictures(wanted: Factors, store):
    """Write the tables of all rows, and draw them."""
    from align_lab.rigidity import rigidity_page

    yield f"Tables: {rigidity_page.write(store.rows(TABLE), store.results)}"


RIGIDITY = Experiment(Choices(), plan, pictures, (TABLE,))
