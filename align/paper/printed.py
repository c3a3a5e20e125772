"""The paper's own numbers, as data: Lähner & Moeller, "On the Direct Alignment of Latent Spaces", Tables 1 to 6.

Means are as printed. Standard deviations are printed in units of 1e-3 and kept so here (`std`); `Printed.deviation` is
in the units of the mean. A column "method" is the transfer N → M, "method.own" the network's own reconstruction.
"""

from typing import NamedTuple


class Key(NamedTuple):
    """What a cell is about; the names are those of the result rows. `own`: source and target are one network."""

    table: int
    dataset: str
    method: str
    source_model: str
    target_model: str
    latent: int
    anchors: int | None
    own: bool

    @property
    def title(self) -> str:
        """Name the method, and whether it is a network by itself, which an autoencoder always is."""
        return f"{self.method} (own)" if self.own and self.method != "autoencoder" else self.method

    @property
    def direction(self) -> str:
        """Name the architecture, or those of source and target where they differ."""
        same = self.source_model == self.target_model
        return self.source_model if same else f"{self.source_model} → {self.target_model}"


class Printed(NamedTuple):
    """A mean and the standard deviation in units of 1e-3, as printed."""

    mean: float
    std: float

    @property
    def deviation(self) -> float:
        """Give the standard deviation in the units of the mean."""
        return self.std * 1e-3


_TABLE_1 = """
latent  autoencoder.own  rigid       linear      stitching_k1  stitching_k2  stitching_k4
2       0.646 3.0        0.899 64.7  0.795 20.0  0.803 33.1    0.721 9.5     0.704 13.6
10      0.514 1.9        0.704 78.6  0.549 12.1  0.552 10.1    0.538 3.6     0.531 3.8
30      0.483 0.6        0.535 20.9  0.492 1.5   0.499 1.9     0.495 0.6     0.493 1.2
50      0.476 0.1        0.536 14.0  0.485 3.0   0.491 2.8     0.486 0.2     0.486 0.7
100     0.473 0.2        0.508 20.9  0.476 0.9   0.481 1.1     0.481 0.7     0.484 1.1
150     0.472 0.2        0.487 9.7   0.474 0.2   0.479 0.5     0.481 0.7     0.490 3.6
"""
_TABLE_2 = """
latent  anchors  autoencoder.own  decoder_only.own  decoder_only  end2end.own  end2end
2       10       0.646 3.0        0.698 0.3         0.845 4.7     0.751 8.3    0.821 11.0
2       50       0.646 3.0        0.698 0.1         0.848 5.8     0.665 2.2    0.700 17.2
10      50       0.514 1.9        0.522 0.6         0.616 0.8     0.528 0.3    0.548 0.6
10      100      0.514 1.9        0.521 0.2         0.618 0.8     0.529 2.1    0.577 14.8
30      100      0.483 0.6        0.484 0.2         0.575 2.1     0.494 0.7    0.505 0.9
30      300      0.483 0.6        0.485 0.2         0.548 0.6     0.494 0.1    0.504 2.0
50      100      0.476 0.1        0.479 0.4         0.839 6.1     0.488 0.8    0.498 2.0
50      200      0.476 0.1        0.479 0.1         0.813 10.1    0.488 0.5    0.499 2.2
100     200      0.473 0.2        0.477 0.3         0.498 0.2     0.485 0.1    0.491 1.0
100     300      0.473 0.2        0.478 1.4         0.496 1.7     0.489 0.6    0.495 0.2
"""
_TABLE_3 = """
latent  anchors  autoencoder.own  rigid       linear      stitching_k1  stitching_k2  stitching_k4
2       10       0.646 3.0        0.897 61.4  0.810 16.9  0.888 5.8     0.900 11.5    0.902 19.6
2       50       0.646 3.0        0.889 60.2  0.810 29.8  0.909 26.1    0.892 13.9    0.889 14.6
10      50       0.514 1.9        0.705 79.5  0.560 19.2  0.921 48.1    0.909 52.4    0.863 55.7
10      100      0.514 1.9        0.708 80.9  0.554 12.7  0.898 47.2    0.860 42.1    0.795 59.4
30      100      0.483 0.6        0.539 19.6  0.483 2.1   0.813 17.5    0.759 21.9    0.708 15.1
30      300      0.483 0.6        0.536 20.8  0.494 1.9   0.704 15.9    0.665 24.7    0.611 9.7
50      100      0.476 0.1        0.551 17.6  0.500 8.9   0.768 13.5    0.714 11.7    0.673 3.7
50      200      0.476 0.1        0.542 11.3  0.490 4.9   0.703 5.0     0.662 10.8    0.639 20.0
100     200      0.473 0.2        0.522 19.7  0.480 1.5   0.649 12.1    0.625 10.5    0.635 15.0
100     300      0.473 0.2        0.517 24.4  0.478 1.2   0.615 12.2    0.594 8.9     0.589 6.8
"""
_TABLE_4 = """
latent  autoencoder.own  means_rigid  means_linear  means_icp_rigid  means_icp_linear
2       0.646 3.0        0.887 70.5   0.801 19.8    0.937 74.4       0.958 68.7
10      0.514 1.9        0.707 79.9   0.702 111.4   0.956 29.4       1.062 15.5
30      0.483 0.6        0.730 25.9   0.659 3.1     0.957 4.2        0.976 27.4
50      0.476 0.1        0.660 4.0    0.747 25.4    0.950 7.5        0.987 12.0
"""
_TABLE_5_CONV_MLP = """
latent  anchors  rigid        linear      decoder_only
50      100      1.805 372.4  0.241 8.9   4.00 858.4
100     200      0.355 10.8   0.162 10.8  0.712 11.3
"""
_TABLE_5_MLP_CONV = """
latent  anchors  rigid        linear     decoder_only
50      100      0.558 17.0   0.217 9.7  1.363 102.6
100     200      0.713 64.6   0.141 6.5  0.745 19.1
"""
_TABLE_5_CONV = """
latent  anchors  autoencoder.own
50      100      0.066 3.4
100     200      0.045 0.8
"""
_TABLE_5_MLP = """
latent  anchors  autoencoder.own
50      100      0.094 0.8
100     200      0.058 0.6
"""
_TABLE_6 = {
    ("conv", "conv"): "latent anchors end2end.own\n50 100 0.096 1.7\n100 200 0.079 0.9",
    ("mlp", "mlp"): "latent anchors end2end.own\n50 100 0.138 1.2\n100 200 0.107 2.6",
    ("conv", "mlp"): "latent anchors end2end\n50 100 0.298 10.0\n100 200 0.249 13.2",
    ("mlp", "conv"): "latent anchors end2end\n50 100 0.288 10.2\n100 200 0.304 13.5",
}


def _read(table: int, dataset: str, models: tuple[str, str], text: str) -> dict[Key, Printed]:
    header, *lines = text.strip().split("\n")
    columns = header.split()
    settings = [name for name in columns if name in ("latent", "anchors")]
    cells = {}
    for line in lines:
        values = line.split()
        given = dict(zip(settings, map(int, values), strict=False))
        numbers = iter(map(float, values[len(settings) :]))
        for column in columns[len(settings) :]:
            method, _, own = column.partition(".")
            # The plain autoencoder has no anchors, whatever row it stands in.
            anchors = None if method == "autoencoder" else given.get("anchors")
            key = Key(table, dataset, method, *models, given["latent"], anchors, bool(own))
            cells[key] = Printed(next(numbers), next(numbers))
    return cells


CELLS: dict[Key, Printed] = {
    **_read(1, "mnist", ("conv", "conv"), _TABLE_1),
    **_read(2, "mnist", ("conv", "conv"), _TABLE_2),
    **_read(3, "mnist", ("conv", "conv"), _TABLE_3),
    **_read(4, "mnist", ("conv", "conv"), _TABLE_4),
    **_read(5, "fashion_mnist", ("conv", "conv"), _TABLE_5_CONV),
    **_read(5, "fashion_mnist", ("mlp", "mlp"), _TABLE_5_MLP),
    **_read(5, "fashion_mnist", ("conv", "mlp"), _TABLE_5_CONV_MLP),
    **_read(5, "fashion_mnist", ("mlp", "conv"), _TABLE_5_MLP_CONV),
}
for _models, _text in _TABLE_6.items():
    CELLS |= _read(6, "fashion_mnist", _models, _text)

# The (latent, anchors) settings of Tables 2 and 3, and of Tables 5 and 6.
ANCHOR_SETTINGS = (
    (2, 10),
    (2, 50),
    (10, 50),
    (10, 100),
    (30, 100),
    (30, 300),
    (50, 100),
    (50, 200),
    (100, 200),
    (100, 300),
)
ARCHITECTURE_SETTINGS = ((50, 100), (100, 200))
LATENTS = (2, 10, 30, 50, 100, 150)

# The part of a standardised MNIST test image that a sigmoid cannot reach: no error can lie below it.
MNIST_FLOOR = 0.4694
