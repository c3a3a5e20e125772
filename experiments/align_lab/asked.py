"""What the command line asks for: the flags that experiments share, and their values, checked and read once."""

import dataclasses
import importlib.util
import itertools
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from absl import flags

from align.arrays import paths
from align_lab import recipes

if TYPE_CHECKING:
    from align.training import Settings
    from align_lab.store import Store

TRAINING = ("epochs", "batch", "learning_rate", "schedule", "weight_decay", "memory", "initial")
Setting = tuple[int, int | None]
MODELS = ("conv", "mlp")  # the paper's
ARCHITECTURES = (*MODELS, "residual")
# Far beyond what answers anything, and short of what fails for lack of memory or time without a word.
MOST_LATENT, MOST_SEEDS, MOST_EPOCHS, MOST_BATCH, MOST_TEXTS = 10_000, 100, 10_000, 100_000, 10_000_000
DATA = (
    "Images: mnist or fashion_mnist, or the sample of either that is shipped (mnist_sample); a name of TensorFlow "
    "Datasets, such as cifar10 or emnist/letters; or a path: a .npz of x_train, y_train, x_test and y_test, a folder "
    "of one folder a class (within train/ and test/, or a fifth is drawn for the test), or a folder of the IDX files."
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is compared: data, architecture, (latent, anchors) settings, methods and seeds; and changes of training.

    last_layer: what decoders end in, where not as is usual for the data.
    """

    dataset: str
    model: str
    settings: tuple[Setting, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    overrides: recipes.Overrides
    last_layer: str | None = None

    @property
    def latents(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(latent for latent, _ in self.settings))

    def architecture(self, model: str) -> str:
        """Give the name of an architecture with what its decoders end in, where that is not as usual."""
        from align import models

        unusual = self.last_layer and self.last_layer != models.last_layer(model, self.dataset)
        return f"{model}-{self.last_layer}" if unusual else model

    def compared(self, table: int) -> tuple[str, ...]:
        """Give the architectures that a table of the paper compares: both, or the one that is asked for."""
        return MODELS if table in (5, 6) else (self.model,)

    def training(self, latent: int, *models: str, relative: bool = False) -> "Settings":
        """Give how networks of a latent dimension are trained, of one architecture or several alike."""
        return recipes.settings(self.dataset, models or (self.model,), latent, self.overrides, relative=relative)

    def described(self, store: "Store") -> list[str]:
        """Say on what data, and what will be computed, a text for each."""
        data, trained = store.data(self.dataset), [self.training(latent) for latent in self.latents or (50,)]
        size = " x ".join(map(str, data.shape[: 2 if data.shape[2] == 1 else 3]))
        images = f"{len(data.train.images):,} + {len(data.test.images):,} images of {size}"
        epochs = "/".join(sorted({str(one.epochs) for one in trained}))
        training = f"{len(self.seeds)} seeds, epochs: {epochs}, {trained[0].schedule} {trained[0].learning_rate:g}"
        wanted = [f"latent {', '.join(map(self._with_anchors, self.latents))}"] if self.latents else []
        return [
            f"data: {data.name} (from: {data.source}), {images}",
            f"to compute: {'; '.join(filter(None, [*wanted, ', '.join(self.methods), training]))}",
        ]

    def kept(self, store: "Store") -> str:
        """Say where what takes long to make is kept."""
        return f"trained networks: {store.networks}"

    def _with_anchors(self, latent):
        counts = [str(count) for where, count in self.settings if where == latent and count]
        return f"{latent} ({', '.join(counts)} anchors)" if counts else str(latent)


class Defaults(NamedTuple):
    """What an experiment compares unless the flags say otherwise; a flag is there for what has more than one value.

    relative: whether networks on relative representations take part, whose anchors all networks share. decoders:
    whether it is the experiment's to say what these end in.
    """

    dataset: str = "mnist"
    settings: tuple[Setting, ...] = ()
    methods: tuple[str, ...] = ()
    one_model: bool = True
    relative: bool = False
    decoders: bool = True

    def define_flags(self) -> None:
        """Define the flags of what is compared and of training."""
        flags.DEFINE_string("dataset", self.dataset, DATA)
        if self.one_model:
            flags.DEFINE_enum("model", "conv", ARCHITECTURES, "Architecture of the autoencoders.")
        if self.decoders:
            last = "What decoders end in; the default is a sigmoid on MNIST, linear on any other data."
            flags.DEFINE_enum("last_layer", None, ["sigmoid", "linear"], last)
        pixels = "of the pixels, scaled to [0, 1], by which they are standardised: a number, or one a channel, such as "
        own = "; the default is that of each channel of the training images, and what is in use for MNIST and its like."
        flags.DEFINE_list("pixel_mean", None, f"Mean {pixels}0.49,0.48,0.45{own}")
        flags.DEFINE_list("pixel_std", None, f"Standard deviation {pixels}0.25,0.24,0.26{own}")
        if self.settings:
            latents = "Latent dimensions, such as 10,50; by default the paper's; others need --anchors as well."
            flags.DEFINE_list("latent", None, latents)
        if any(anchors for _, anchors in self.settings):
            counts = "Numbers of anchors; by default the paper's at each latent; with --latent all combinations."
            flags.DEFINE_list("anchors", None, counts)
        if self.methods:
            where = "align_lab/methods.py" + (" or align_lab/representations.py" if self.relative else "")
            flags.DEFINE_list("methods", list(self.methods), f"Methods, by their names in {where}.")
        flags.DEFINE_integer(
            "seeds",
            3,
            "Number of networks, of seeds 0, 1 and so on; every ordered pair of them makes a row.",
            lower_bound=2,
            upper_bound=MOST_SEEDS,
        )
        epochs = "Epochs of training; the default is 14, on MNIST below latent 50 12, on Fashion-MNIST 7."
        flags.DEFINE_integer("epochs", None, epochs, 1, MOST_EPOCHS)
        if self.relative:
            words = (
                "Epochs of networks on relative representations, which on Fashion-MNIST are trained at a constant rate "
                "of 1e-3, with weight decay 0.05, unless the flags say otherwise."
            )
            flags.DEFINE_integer("relative_epochs", recipes.Overrides({}).relative_epochs, words, 1, MOST_EPOCHS)
        flags.DEFINE_integer("batch", None, "Images in a step of training; the default is 64.", 1, MOST_BATCH)
        rate = "Learning rate of Adam, at its peak; the default is 5e-3 on MNIST (1e-3 of mlp), 2e-3 on any other data."
        flags.DEFINE_float("learning_rate", None, rate)
        decay = "Weight decay; the default is 0.05 on MNIST below latent 50, 0.1 of mlp on Fashion-MNIST, else 0."
        flags.DEFINE_float("weight_decay", None, decay)
        folder = "Folder of IDX files or prepared sets; the default is $ALIGN_DATA_DIR, or found for you."
        flags.DEFINE_string("data_dir", None, folder)
        schedule = "Schedule of the learning rate; the default is onecycle, the paper's is constant, at 1e-3."
        flags.DEFINE_enum("schedule", None, ["onecycle", "constant"], schedule)
        memory = "Adam's b2, of squared gradients; the default is 0.99 under onecycle, else 0.999."
        flags.DEFINE_float("memory", None, memory)
        initial = (
            "How parameters are drawn: normal as Flax does, uniform as PyTorch does, or orthogonal; the default is "
            "normal."
        )
        flags.DEFINE_enum("initial", None, ["normal", "uniform", "orthogonal"], initial)

    def read(self, given: flags.FlagValues, store: "Store", dataset: str | None = None) -> Asked:
        """Read the flags; ValueError names the one whose value makes no sense. dataset: in the place of --dataset."""
        settings = chosen_settings(self.settings, given)
        methods = tuple(dict.fromkeys(given.methods)) if self.methods else ()
        check_methods(methods, relative=self.relative)
        check_pairs({count for _, count in settings if count}, methods)
        data = store.data(dataset or given.dataset)
        images, most = len(data.train.images), max((count or 0 for _, count in settings), default=0)
        if most > images:
            raise ValueError(f"--anchors must be at most the number of training images, {images}; it is {most}")
        training = {name: given[name].value for name in TRAINING}
        overrides = {name: value for name, value in training.items() if value is not None}
        return Asked(
            dataset=data.name,
            model=given.model if self.one_model else "conv",
            settings=settings,
            methods=methods,
            seeds=tuple(range(given.seeds)),
            overrides=recipes.Overrides(overrides, *([given.relative_epochs] if self.relative else [])),
            last_layer=given.last_layer if self.decoders else None,
        )


def check_methods(methods: Sequence[str], *, relative: bool) -> None:
    """Raise ValueError for names that are no methods, or none for where networks have no anchors in common."""
    from align_lab.methods import METHODS
    from align_lab.representations import KINDS

    known = ("autoencoder", *METHODS, *(KINDS if relative else ()))
    if unknown := [name for name in methods if name not in known]:
        where = "; relative representations are compared by relative.py and architectures.py" if not relative else ""
        raise ValueError(f"--methods has no {', '.join(unknown)}; there are {', '.join(known[1:])}{where}")


def check_pairs(counts: Collection[int], methods: Collection[str]) -> None:
    """Raise ValueError where one pair is asked for and ridge is a method, which leaves one out and fits the others."""
    if 1 in counts and "ridge" in methods:
        raise ValueError("--anchors must be 2 or more for ridge, which leaves pairs out; the least is 1")


def chosen_settings(papers: Sequence[Setting], given: flags.FlagValues) -> tuple[Setting, ...]:
    """Give the (latent, anchors) settings: the paper's, those of it at the values given, or all combinations.

    A flag that is not given stands for the one value that the paper's have, where it is one.
    """
    latents, anchors = integers("latent", given, most=MOST_LATENT), integers("anchors", given)
    usual, counts = {latent for latent, _ in papers}, {count for _, count in papers}
    if (latents or len(usual) == 1) and (anchors or len(counts) == 1):
        return tuple(itertools.product(latents or usual, anchors or counts))
    chosen = tuple(one for one in papers if one[0] in (latents or [one[0]]) and one[1] in (anchors or [one[1]]))
    left = [f"latent {value}" for value in latents if value not in {latent for latent, _ in chosen}]
    left += [f"{value} anchors" for value in anchors if value not in {count for _, count in chosen}]
    if papers and left:
        known = ", ".join(f"({latent}, {count})" for latent, count in papers)
        raise ValueError(
            f"--latent and --anchors must both be given for a setting that is none of the paper's: {known}; none "
            f"asked for has {', '.join(left)}"
        )
    return chosen


def integers(name: str, given: flags.FlagValues, *, most: float = math.inf) -> tuple[int, ...]:
    """Read a flag that is a list of numbers, each of them once, () where it is not given."""
    values = (given[name].value if name in given else None) or []
    if not all(value.strip().isdecimal() and int(value) > 0 for value in values):
        raise ValueError(f"--{name} must be whole numbers from 1, such as 10,50; it is {','.join(values)!r}")
    if above := [value for value in values if int(value) > most]:
        raise ValueError(f"--{name} must be at most {most:,}; it is {', '.join(above)}")
    return tuple(dict.fromkeys(map(int, values)))


def numbers(name: str, given: flags.FlagValues) -> tuple[float, ...] | None:
    """Read a flag that is a list of numbers, None where it is not given."""
    values = given[name].value if name in given else None
    try:
        return None if values is None else tuple(map(float, values))
    except ValueError as error:
        raise ValueError(
            f"--{name} must be numbers, such as 0.5 or 0.49,0.48,0.45; it is {','.join(values)!r}"
        ) from error


def check_some(flag: str, values: Sequence | None) -> None:
    """Raise ValueError for a list that asks for nothing."""
    if not values:
        raise ValueError(f"--{flag} must have one value or more; it is empty")


def check_names(flag: str, names: list[str], known: tuple[str, ...], *, some: bool = True) -> None:
    """Raise ValueError for names that a flag does not know, and for none where it needs some."""
    if some:
        check_some(flag, names)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"--{flag} has no {', '.join(map(repr, unknown))}; there are {', '.join(known)}")


def not_installed(needs: Mapping[str, str]) -> tuple[str, ...]:
    """Give which methods need a package that is not installed, of `{method: its module}`."""
    return tuple(name for name, module in needs.items() if importlib.util.find_spec(module) is None)


def define_places(json_rows: bool) -> None:
    """Define the flags that every experiment has: where things are kept, and what is printed."""
    flags.DEFINE_string("workdir", "workdir", "Where what takes long to make is kept and found again.")
    flags.DEFINE_string("results", None, "Where rows, tables and pictures go; the default is results/ in the workdir.")
    flags.DEFINE_bool("dry_run", False, "List what would be done, and its cost, and stop.")
    flags.DEFINE_bool("quiet", False, "Print errors only.")
    if json_rows:
        flags.DEFINE_bool(
            "json", False, "Print only the rows of the tables (of --dry_run: the tasks), a JSON line each."
        )


def check_folder(name: str, given: flags.FlagValues) -> None:
    """Raise ValueError where a flag names a folder that cannot be made, before anything is trained."""
    place = paths.user_path(given[name].value or ".")
    if not (there := _there(place)).is_dir():
        raise ValueError(f"--{name} must be a folder, there or to be made; it is {place}, and {there} is none")


def check_results(store: "Store") -> None:
    """Raise ValueError where rows cannot be written, before networks are trained for them.

    Where networks cannot be written either, what trains them says so.
    """
    rows, networks = _there(store.results / "rows"), _there(store.networks)
    if os.access(networks, os.W_OK) and not os.access(rows, os.W_OK):
        raise ValueError(f"--results must be a folder that can be written; {rows} cannot be")


def _there(place: Path) -> Path:
    """Give a path, or what is there of it."""
    return next(path for path in (place, *place.parents) if path.exists())
