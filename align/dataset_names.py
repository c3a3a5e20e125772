"""What the name of a dataset says: whether they are the paper's images, and whether the shipped sample of them."""

SAMPLE = "_sample"
FAMILIES = ("mnist", "fashion_mnist")


def family(name: str) -> str:
    """Give the images that a dataset is of: "mnist" or "fashion_mnist", whole or sample; any other is its own."""
    return name.removesuffix(SAMPLE)


def like(name: str, other: str) -> str:
    """Give the name of a family as the sample where `other` is one, whole where it is not.

    Where `other` is of neither family, it stands in the place of both.
    """
    if family(other) not in FAMILIES:
        return other
    return family(name) + (SAMPLE if other.endswith(SAMPLE) else "")
