"""Training images that are left out and tested on, so that no choice is made on the test images."""

from typing import TYPE_CHECKING

from absl import flags

from align.dataset_names import FAMILIES, family

if TYPE_CHECKING:
    import numpy as np

    from align.data import Dataset, Split


def define_flag() -> None:
    """Define --held_out."""
    text = "Training images that are tested on in place of the test images, for choices: the last of MNIST and "
    text += "Fashion-MNIST as they are standardised by themselves, of other images a draw."
    flags.DEFINE_integer("held_out", 0, text, 0)


def checked(count: int, data: "Dataset") -> int:
    """Give the count if at least half of the training images are left, otherwise raise ValueError."""
    most = len(data.train.images) // 2
    if count > most:
        raise ValueError(f"--held_out must be at most half the training images, {most}; it is {count}")
    return count


def order(name: str, count: int) -> "np.ndarray":
    """Give an order `[count]` of the images of a data set that says nothing of what they show.

    That in which they are, or, as other images may lie class by class, a draw, always the same.
    """
    import numpy as np  # --help answers without it

    return np.arange(count) if family(name) in FAMILIES else np.random.default_rng(0).permutation(count)


def identity(name: str, count: int) -> dict:
    """Give what tells networks and rows with images held out from those without."""
    if not count:
        return {}
    return {"held_out": count} if family(name) in FAMILIES else {"held_out": count, "drawn": True}


def splits(data: "Dataset", count: int) -> tuple["Split", "Split"]:
    """Give what is trained on, and what is tested on: so many training images, the last in `order`, or the test's."""
    if not count:
        return data.train, data.test
    rows = order(data.name, len(data.train.images))
    return tuple(data.train._make(part[some] for part in data.train) for some in (rows[:-count], rows[-count:]))  # type: ignore[return-value]
