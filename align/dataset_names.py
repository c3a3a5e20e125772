"""What the name of a dataset says: which images they are, and whether they are the shipped sample of them."""

SAMPLE = "_sample"


def family(name: str) -> str:
    """Give the images that a dataset is of: "mnist" or "fashion_mnist", whole or sample."""
    return name.removesuffix(SAMPLE)


def like(name: str, other: str) -> str:
    """Give the name of a family as the sample where `other` is one, whole where it is not."""
    return family(name) + (SAMPLE if other.endswith(SAMPLE) else "")
