"""Pictures as PNG files; matplotlib is imported when the first one is drawn."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from align.arrays import atomic

_MARKERS = "os^Dv<>ph*Pd"
_DASHES = ("-", (0, (6, 1.5)), (0, (8, 1.5, 1.5, 1.5)))
_OUTLINE = {"bbox": {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}}


def image_grid(path: Path, rows: Mapping[str, np.ndarray], *, title: str = "", about: str = "") -> Path:
    """Draw rows of images, grey `[n, h, w]` or coloured `[n, h, w, 3]`, of values from 0 to 1, each with its name."""
    count = min(len(images) for images in rows.values())
    figure, axes = plots().subplots(
        len(rows), count, figsize=(1.6 + 0.62 * count, 0.3 + 0.66 * len(rows)), squeeze=False, layout="constrained"
    )
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for axis, image in zip(line, images, strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return save(figure, path, about=about)


def scatter(path: Path, panels: Mapping[str, np.ndarray], labels: np.ndarray, *, about: str = "") -> Path:
    """Draw panels of points `[n, 2]` side by side, coloured and named by their labels `[n]`.

    The last panel sets the scale of all but the first, which has its own: what is carried over is to be compared with
    the target.
    """
    figure, axes = plots().subplots(
        1, len(panels), figsize=(2.9 * len(panels), 3.2), squeeze=False, layout="constrained"
    )
    labels = np.asarray(labels)
    colour = labels if labels.dtype.kind in "iu" else np.unique(labels, return_inverse=True)[1]
    low, high = np.percentile(list(panels.values())[-1], [0.5, 99.5], axis=0)
    margin = np.where(high > low, 0.15 * (high - low), 1)  # codes of one dimension lie on a line
    colours, largest = ("tab10", 9) if colour.max() <= 9 else ("turbo", int(colour.max()))
    for place, (axis, (name, points)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        axis.scatter(*points.T, c=colour, cmap=colours, vmin=0, vmax=largest, s=2, linewidths=0)
        for label in np.unique(labels):
            centre = np.median(points[labels == label], axis=0)
            axis.annotate(str(label), centre, ha="center", va="center", weight="bold", fontsize=10, **_OUTLINE)
        if place:
            axis.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        axis.set(xticks=[], yticks=[])
        axis.set_title(name, fontsize=10)
    return save(figure, path, about=about)


class Curves(NamedTuple):
    """What a panel shows: lines and points `{name: {x: y}}`, and horizontal levels `{name: y}`.

    `beside` has lines to compare with those of the same name: dotted, with hollow markers of the same shape.
    """

    lines: Mapping[str, Mapping[float, float]]
    levels: Mapping[str, float] = MappingProxyType({})
    points: Mapping[str, Mapping[float, float]] = MappingProxyType({})
    beside: Mapping[str, Mapping[float, float]] = MappingProxyType({})


def curves(
    path: Path,
    panels: Mapping[str, Curves],
    x: str,
    y: str,
    *,
    scales: tuple[str, str] = ("log", "linear"),
    beside: str = "others'",
    about: str = "",
) -> Path:
    """Draw panels of curves, two side by side, by default over a logarithmic x; a name looks the same in all of them.

    beside: whose lines those of `Curves.beside` are, for the legend. A linear vertical scale ends a little
    above the third quartile of the lines: what explodes leaves the picture.
    """
    shared = {"sharey": scales[1] == "log", "squeeze": False, "layout": "constrained"}
    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure, axes = plots().subplots(lines, columns, figsize=(4.6 * columns, 3.8 * lines), **shared)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel.lines))
    for axis, (title, panel) in zip(axes.flat, panels.items(), strict=False):
        _draw_lines(axis, panel, names, beside)
        _set_scales(axis, panel, scales)
        axis.set_xlabel(x)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    for line in axes:
        line[0].set_ylabel(y)
    if scales[1] == "log":
        _plain_numbers(axes[0][0].yaxis)
    legend_below(figure, axes.flat[: len(panels)], 2 * columns)
    return save(figure, path, about=about)


def _draw_lines(axis, panel, names, beside):
    """Draw what a panel shows; a line looks as its place among the names of all panels says."""
    places = {name: place for place, name in enumerate(names)}
    looks = {name: {"color": grade(i, len(names)), "marker": _MARKERS[i % len(_MARKERS)]} for name, i in places.items()}
    hollow = {"linestyle": ":", "linewidth": 0.8, "markersize": 6, "markerfacecolor": "none"}
    for name, line in panel.lines.items():
        dash = _DASHES[places[name] % len(_DASHES)]
        look = {**looks[name], "linestyle": dash, "markersize": 4.5, "linewidth": 1.2, "label": name}
        axis.plot(list(line), list(line.values()), **look)
    for name, line in panel.beside.items():
        axis.plot(list(line), list(line.values()), **looks[name], **hollow)
    if panel.beside:
        axis.plot([], [], marker="o", color="grey", **hollow, label=f"{beside}, hollow")
    for (name, level), dash in zip(panel.levels.items(), ("-", "--", ":", "-."), strict=False):
        axis.axhline(level, color="black", linestyle=dash, linewidth=1, label=name)
    for (name, points), marker in zip(panel.points.items(), "x+*12", strict=False):
        look = {"marker": marker, "color": "grey", "linestyle": "none", "markersize": 7, "label": name}
        axis.plot(list(points), list(points.values()), **look)


def _set_scales(axis, panel, scales):
    """Set the scales of a panel, a tick at each of a few places, and where a linear vertical scale ends."""
    axis.set(xscale=scales[0], yscale=scales[1])
    ticks = sorted({place for line in panel.lines.values() for place in line})
    if scales[0] == "log" and len(ticks) <= 10:
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
        axis.set_xticks([], minor=True)
    elif scales[0] == "linear" and all(float(tick).is_integer() for tick in ticks):
        axis.xaxis.get_major_locator().set_params(integer=True)
    if scales[1] == "linear":
        values = [value for line in panel.lines.values() for value in line.values() if np.isfinite(value)]
        low = min([*values, *panel.levels.values()], default=0)
        high = max([np.percentile(values, 75) if values else 0, *panel.levels.values()])
        if low < high:
            axis.set_ylim(low - 0.05 * (high - low), high + 0.15 * (high - low))


def dots(path: Path, panels: Mapping[str, Mapping[str, Mapping[str, float]]], x: str, *, about: str = "") -> Path:
    """Draw panels `{title: {series: {line: x}}}`: a line per name, a marker per series, over a logarithmic x."""
    lines = list(dict.fromkeys(line for panel in panels.values() for series in panel.values() for line in series))
    size = (2.2 + 3.3 * len(panels), 1.3 + 0.26 * len(lines))
    figure, axes = plots().subplots(
        1, len(panels), figsize=size, squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    for axis, (title, panel) in zip(axes[0], panels.items(), strict=True):
        for place, (name, series) in enumerate(panel.items()):
            marker = _MARKERS[place % len(_MARKERS)]
            look = {"marker": marker, "markersize": 6, "color": "black" if place == 0 else "grey"}
            fill = {} if place == 0 else {"markerfacecolor": "none"}
            axis.plot(list(series.values()), [lines.index(n) for n in series], **look, **fill, ls="none", label=name)
        axis.set(xscale="log", xlabel=x)
        _plain_numbers(axis.xaxis)
        axis.set_yticks(range(len(lines)), lines, fontsize=9)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3, which="both")
    axes[0][0].invert_yaxis()
    legend_below(figure, axes.flat, 4)
    return save(figure, path, about=about)


def _plain_numbers(axis):
    """Label a logarithmic axis without exponents: at round numbers, at 1, 2 and 5 of each power of ten, at the powers.

    Which of these, the factor that it spans says.
    """
    from matplotlib import ticker

    low, high = axis.get_view_interval()
    few, more = ticker.MaxNLocator(5), ticker.LogLocator(subs=(1, 2, 5))
    axis.set_major_locator(few if high < 5 * low else more if high < 1e3 * low else ticker.LogLocator())
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(ticker.NullFormatter())


def legend_below(figure: Any, axes: Iterable[Any], columns: int) -> None:
    """Name what the axes of a figure of constrained layout show once, below all of them, where it hides nothing."""
    shown = {name: mark for axis in axes for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=columns, fontsize=8)


def grade(place: int, count: int) -> tuple[float, ...]:
    """Give the colour of a place among so many: dark to light, apart in grey too, none too light for a white ground."""
    return plots().get_cmap("viridis")(0.85 * place / max(count - 1, 1))


def plots() -> Any:
    """Give matplotlib's pyplot, which draws into files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, path: Path, *, dpi: int = 160, about: str = "") -> Path:
    """Write a figure of matplotlib whole or not at all, and close it; return the path.

    about: what it was made of, kept in the file if it is a PNG, for `made_of`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = about and path.suffix.lower() == ".png"
    try:
        with atomic.replacing(path) as partial:
            figure.savefig(partial, dpi=dpi, metadata={"Description": about} if kept else None)
    finally:
        plots().close(figure)
    return path


def made_of(path: Path) -> str | None:
    """Give what a picture says that it was made of, None where there is none or it says nothing."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.info.get("Description")
    except (FileNotFoundError, UnidentifiedImageError):
        return None
