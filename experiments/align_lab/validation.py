"""Training images that are left out and tested on, so that no choice is made on the test images."""

from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
    from align.data import Dataset, Split


def define_flag() -> None:
    """Define --held_out."""
    text = "Training images, the last, that are tested on in place of the test images, for choices."
    flags.DEFINE_integer("held_out", 0, text, 0)


def checked(count: int, data: "Dataset") -> int:
    """Give the count if at least half of the training images are left; ValueError else."""
    most = len(data.train.images) // 2
    if count > most:
        raise ValueError(f"--held_out must be at most half the training images, {most}; it is {count}")
    return count


def splits(data: "Dataset", count: int) -> tuple["Split", "Split"]:
    """Give what is trained on, and what is tested on: the last so many training images, or the test images for 0."""
    if not count:
        return data.train, data.test
    train = data.train
    return train._make(part[:-count] for part in train), train._make(part[-count:] for part in train)
