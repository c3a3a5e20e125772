"""How the networks are trained on each data set: what it takes to reach the errors of the paper's autoencoders."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from align.dataset_names import family

if TYPE_CHECKING:
    from align.training import Settings

# From which latent dimension up. experiments/search.py lists what else was tried.
AUTOENCODERS = {
    "mnist": ((50, {"epochs": 14}), (1, {"epochs": 12, "weight_decay": 0.05})),
    "fashion_mnist": ((1, {"epochs": 7, "learning_rate": 2e-3}),),
}
# What an architecture changes in it: at the rate of convolutional ones, fully connected networks come to nothing on
# MNIST; without weight decay, their codes of Fashion-MNIST are narrower than those of convolutional ones, which no
# rotation makes up for.
OF_MODEL = {("mnist", "mlp"): {"learning_rate": 1e-3}, ("fashion_mnist", "mlp"): {"weight_decay": 0.1}}
# Of any other data: the rate that decoders without a sigmoid are trained with.
OTHER = ((1, {"learning_rate": 2e-3}),)
# What networks on relative representations change in it. Between architectures a faster rate brings a network's own
# error down and the other one's distances out of the range that its decoder has seen.
RELATIVE = {
    "mnist": {},
    "fashion_mnist": {"learning_rate": 1e-3, "schedule": "constant", "weight_decay": 0.05},
}


class Overrides(NamedTuple):
    """What the command line gives in place of a recipe, by the names of the settings; and the epochs end to end.

    End to end all anchors are encoded at every step, several times the cost of an autoencoder's: these networks have a
    number of epochs of their own.
    """

    given: dict[str, Any]
    relative_epochs: int = 4


def settings(
    dataset: str, models: Sequence[str], latent: int, overrides: Overrides, *, relative: bool = False
) -> "Settings":
    """Give the training settings of a data set's autoencoders, or of its networks on relative representations.

    models: architectures that are trained alike, as each of them can bear.
    """
    from align.training import Settings

    name, given = family(dataset), overrides.given
    ours = next((chosen for least, chosen in AUTOENCODERS.get(name, OTHER) if least <= latent), {})
    for model in models:
        ours = {**ours, **OF_MODEL.get((name, model.partition("-")[0]), {})}
    if relative:
        given = {**RELATIVE.get(name, {}), **given, "epochs": overrides.relative_epochs}
    return Settings(**{**ours, **given})
