"""Pictures: what is asked for is in the file, and a file is whole or not there."""

import matplotlib.image
import numpy as np
import pytest

from align import drawing


def rows(count=3):
    """Give a row of black and a row of white images."""
    return {"black": np.zeros((count, 8, 8)), "white": np.ones((count, 8, 8))}


def black_images(path):
    """Count the black images side by side: runs of pixel columns that are black for at least 40 pixels."""
    grey = matplotlib.image.imread(path)[..., :3].mean(-1)
    black = (grey < 0.02).sum(0) >= 40
    return int((black[1:] & ~black[:-1]).sum())


def test_image_grid_shows_every_image_in_its_row(tmp_path):
    path = drawing.image_grid(tmp_path / "new" / "three.png", rows(3), title="three")
    assert path == tmp_path / "new" / "three.png"
    assert black_images(path) == 3


def test_values_are_absolute_grey_values(tmp_path):
    grey = {"same": np.full((1, 8, 8), 0.5)}  # a scale fitted to the image would show it black
    picture = matplotlib.image.imread(drawing.image_grid(tmp_path / "grey.png", grey))[..., 0]
    assert np.isclose(picture, 0.5, atol=0.01).sum() > 1000


def test_rows_of_unequal_length_show_what_all_have(tmp_path):
    path = drawing.image_grid(tmp_path / "grid.png", {**rows(6), "grey": np.full((4, 8, 8), 0.5)})
    assert black_images(path) == 4


def test_scatter_draws_every_panel(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 50)
    points = rng.normal(size=(100, 2)) + 4 * labels[:, None]
    narrow = drawing.scatter(tmp_path / "one.png", {"a": points}, labels)
    wide = drawing.scatter(tmp_path / "three.png", {"a": points, "b": points, "c": points}, labels)
    height, width = matplotlib.image.imread(narrow).shape[:2]
    assert matplotlib.image.imread(wide).shape[:2] == (height, 3 * width)


def test_codes_of_one_dimension_lie_on_a_line(tmp_path):
    """Drawn without a warning that the limits of an axis are the same."""
    line = np.stack([np.arange(9.0), np.zeros(9)], axis=1)
    assert drawing.scatter(tmp_path / "line.png", {"a": line, "b": line}, np.arange(9) % 3).is_file()


def test_labels_may_be_words_and_pictures_of_another_kind(tmp_path):
    points = np.random.default_rng(0).normal(size=(6, 2))
    pictures = [
        drawing.scatter(tmp_path / "points.jpg", {"a": points}, labels, about="some points")
        for labels in (["b", "a", "b", "a", "b", "a"], [1, 0, 1, 0, 1, 0])
    ]
    assert all(matplotlib.image.imread(path).shape[2] == 3 for path in pictures)


def test_a_curve_may_lack_a_value(tmp_path):
    gap, none = ({"line": {1: value, 2: np.nan}} for value in (1.0, np.nan))
    path = drawing.curves(tmp_path / "curves.png", {"gap": drawing.Curves(gap), "none": drawing.Curves(none)}, "x", "y")
    assert path.exists()


def coloured(path):
    """Count the pixels of a picture that are not grey."""
    picture = matplotlib.image.imread(path)[..., :3]
    return int((np.ptp(picture, axis=-1) > 0.1).sum())


def test_lines_may_be_more_than_there_are_markers(tmp_path):
    panel = drawing.Curves({str(place): {1.0: 0.1, 10.0: 0.1 * place} for place in range(1, 20)})
    assert coloured(drawing.curves(tmp_path / "many.png", {"first": panel}, "x", "y")) > 1000


def test_curves_of_every_panel_and_those_beside_them(tmp_path):
    line = {1.0: 0.1, 10.0: 0.2, 100.0: 0.3}
    panel = drawing.Curves({"a": line, "b": {x: 2 * y for x, y in line.items()}})
    one = drawing.curves(tmp_path / "one.png", {"first": panel}, "x", "y")
    two = drawing.curves(tmp_path / "two.png", {"first": panel, "second": panel}, "x", "y", scales=("log", "log"))
    three = drawing.curves(tmp_path / "three.png", dict.fromkeys("abc", panel), "x", "y")
    (height, width), *others = (matplotlib.image.imread(path).shape[:2] for path in (one, two, three))
    assert others == [(height, 2 * width), (2 * height, 2 * width)]
    beside = panel._replace(
        beside={"a": {x: 3 * y for x, y in line.items()}}, levels={"goal": 0.15}, points={"p": {5: 1}}
    )
    more = drawing.curves(tmp_path / "more.png", {"first": beside}, "x", "y", scales=("log", "log"))
    assert coloured(more) > 1.05 * coloured(one)
    assert 1.7 * coloured(one) < coloured(two)


def test_curves_are_told_apart_in_grey():
    greys = [np.dot(drawing.grade(place, 6)[:3], [0.3, 0.59, 0.11]) for place in range(6)]
    assert min(np.diff(greys)) > 0.05 and greys[-1] < 0.8


def test_dots_mark_every_line_of_every_panel(tmp_path):
    few = {"panel": {"ours": {"a": 1.0}}}
    many = {"panel": {"ours": {"a": 1.0, "b": 10.0}, "theirs": {"b": 5.0, "c": 1.0}}, "other": {"ours": {"a": 2.0}}}
    (low, narrow), (high, wide) = (
        matplotlib.image.imread(drawing.dots(tmp_path / f"{len(panels)}.png", panels, "error")).shape[:2]
        for panels in (few, many)
    )
    assert high > low and wide > narrow


def test_a_failed_picture_leaves_the_one_before_and_nothing_else(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    path = drawing.image_grid(tmp_path / "grid.png", rows())
    before = path.read_bytes()

    def full_disk(self, file, **options):
        file.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="no space left"):
        drawing.image_grid(path, rows(6))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
