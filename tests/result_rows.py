"""A result row that is whole, for tests of what is made of rows."""

SETTINGS = {"epochs": 10, "batch": 64}
ROW = {
    "table": 3,
    "dataset": "mnist",
    "method": "rigid",
    "source_model": "conv",
    "target_model": "conv",
    "latent": 50,
    "anchors": 100,
    "source_seed": 0,
    "target_seed": 1,
    "settings": SETTINGS,
    "test_error": 0.5,
}


def row(**changes):
    """Give the row with other columns."""
    return {**ROW, **changes}
