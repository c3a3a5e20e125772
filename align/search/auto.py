"""The map that serves best, chosen on pairs that were left out, and what was compared."""

from collections.abc import Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.maps import AffineMap
from align.search import bootstrap, families, goals, held_out
from align.search.bootstrap import Estimate

PURPOSES = ("search", "codes")
FEWEST = 20  # pairs from which on a choice is better than none
_FOLDS, _ENOUGH, _MANY = 5, 400, 1000  # left-out rows: enough to choose by, and as many as are looked at
_DRAWS = 500
_ERRORS = 2.0  # standard errors by which another must be better than what is taken without a choice
# What is taken without a choice, where no map known beforehand helps: for a search, from _PLENTY pairs on, a blend.
_PLENTY, _BLEND = 50, "both ridges and reweighted"
_SHARES = (0.25, 0.5, 1.0)


class Line(NamedTuple):
    """What left-out pairs say of one family, each with its interval.

    score: what was chosen by: for "search" the correlation of similarities, for "codes" the share of the variance that
    is explained. recall: the share found of the nearest `top` of the left-out pairs; hub_corrected: the same after hub
    correction; hit: whether a pair's own document is found among all that were given, None where none were.
    """

    score: Estimate
    recall: Estimate
    hub_corrected: Estimate
    hit: Estimate | None


class Choice(NamedTuple):
    """How a map was chosen: the `details` of the map of `auto`.

    chosen: the name of a family; purpose; lines: what was compared, by name, empty for too few pairs. left_out: pairs
    in a search among those left out; top: documents looked for. curve: pairs fitted, and the score and recall of the
    chosen family. leave_one_out: the residual of left-out rows by the best multiple of the map about the mean, as a
    search asks for no scale; NaN for too few pairs. explanation: why, in words, and what more pairs would bring.
    """

    chosen: str
    purpose: str
    lines: dict[str, Line]
    left_out: int
    top: int
    curve: list[tuple[int, Estimate, Estimate]]
    leave_one_out: float
    explanation: str

    def summary(self) -> dict:
        """Return what was chosen and what was compared, as numbers and words by name."""
        recall = f"recall@{self.top} among {self.left_out} left out"
        columns = {"score": 0, recall: 1, f"{recall}, hub-corrected": 2, f"own row in {self.top} among all given": 3}
        compared = {
            title: {name: _figures(line[place]) for name, line in self.lines.items()}
            for title, place in columns.items()
            if self.lines and self.lines[self.chosen][place] is not None
        }
        curve = {
            title: {f"{at[0]} pairs": _figures(at[place]) for at in self.curve}
            for title, place in (("score by pairs", 1), (f"{recall}, by pairs", 2))
        }
        told = {"chosen": self.chosen, "purpose": self.purpose, "explanation": self.explanation}
        return told | ({"compared": compared} if compared else {}) | ({"more_pairs": curve} if self.curve else {})


def _figures(estimate):
    return [round(each, 4) for each in estimate]


def auto(
    source: ArrayLike,
    target: ArrayLike,
    *,
    weights: None = None,
    purpose: str = "search",
    top: int = 10,
    among: ArrayLike | None = None,
    towards: AffineMap | None = None,
) -> AffineMap:
    """Choose a map from source `[n, d_source]` to target `[n, d_target]` by what it does for pairs it has not seen.

    The families are rotation, similarity, ridge, ridge from target to source and transposed, whitening with
    reweighting, and blends of these; between as many dimensions no map at all and a ridge towards it, and where
    `towards` is given, it and a ridge towards it. A fifth of the pairs is left out at a time, until 400 were.

    purpose: "search", where target rows ask among mapped source rows by cosine; families are compared by how well the
        similarities agree with those of the target itself. "codes", where mapped rows are used as they are; by the
        variance that is explained.
    top: how many documents a search is for.
    among: further source rows `[m, d_source]` without a pair, as the index; they say how often a pair's own row is
        found among them all, and have no say in the choice.
    towards: a map that is known from elsewhere, and has not seen the pairs, as that of `unpaired` from a cloud of each
        encoder. With a hundred pairs and less it is what finds most.

    Few pairs tell families apart badly. So a usual one is taken unless another is better by two standard errors of the
    difference, row by row; with fewer than 20 pairs it is taken at once. The usual one is the ridge whose left-out rows
    are least off, by itself or towards a map that is known; in place of the one by itself, for a search from 50 pairs
    on, its blend with the ridge reversed and the reweighted map. `details` of the map is a `Choice`. The same rows in
    the same order are left out each time, so nothing is drawn. ValueError for input that does not fit, for weights,
    which no fold would respect, and for rows that are not finite.
    """
    if weights is not None:
        raise ValueError("weights must be None: auto takes all pairs for equally good")
    if purpose not in PURPOSES:
        raise ValueError(f"purpose must be one of {', '.join(PURPOSES)}; it is {purpose!r}")
    checks.check_counts(top=top)
    pairs = inputs.as_pairs(source, target, None, minimum_rows=3)[:2]
    inputs.check_finite(**dict(zip(("source", "target"), pairs, strict=True)))
    inputs.check_squares(**dict(zip(("source", "target"), pairs, strict=True)))
    dtype = pairs[0].dtype
    others = None if among is None else _others(among, pairs[0].shape[1])
    fit, usual = _fitting(*pairs, _given(towards, *pairs), purpose)
    x, y = (np.asarray(each, np.float64) for each in pairs)
    fitted = fit(x, y)
    choice = _choose(x, y, fit, usual, purpose, top, others)
    weight, bias = (jnp.asarray(each, dtype) for each in fitted[choice.chosen])
    spread = ((y - y.mean(0)) ** 2).sum()
    left = ((fitted[choice.chosen](x) - y) ** 2).sum()
    return AffineMap(
        weight,
        bias,
        residual=jnp.asarray(np.sqrt(left / spread) if spread > 0 else np.sqrt(left), dtype),
        iterations=jnp.zeros((), jnp.int32),
        converged=jnp.isfinite(weight).all(),
        details=choice,
    )


def _others(among, dimensions):
    array = np.asarray(inputs.as_array("among", among), np.float64)
    if array.ndim != 2 or array.shape[1] != dimensions or not len(array):
        raise ValueError(f"among must be [rows, {dimensions}], rows of the source space; it is {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("among holds NaN or infinity")
    return array


def _given(towards, source, target):
    if towards is None:
        return None
    shape = (source.shape[1], target.shape[1])
    if not isinstance(towards, AffineMap) or towards.weight.shape != shape:
        came = f"its weight is {towards.weight.shape}" if isinstance(towards, AffineMap) else f"it is {towards!r:.80}"
        raise ValueError(f"towards must be an AffineMap from {shape[0]} to {shape[1]} dimensions; {came}")
    if not bool(np.isfinite(towards.weight).all() & np.isfinite(towards.bias).all()):
        raise ValueError("towards holds NaN or infinity")
    return towards


def _fitting(source, target, given, purpose):
    """Return what fits all families to pairs, shrunk as these say, and the family that is taken without a choice."""
    shrunk = families.penalties(source, target)
    maps = goals.known(source.shape[1], target.shape[1], given)
    ways = goals.penalties(source, target, maps)
    errors = {families.RIDGE: shrunk[0].error} | {goals.TOWARDS[name]: way.error for name, way in ways.items()}
    usual = min(errors, key=lambda name: errors[name])
    if usual == families.RIDGE and purpose == "search" and len(source) >= _PLENTY:
        usual = _BLEND
    return lambda x, y: families.fit(x, y, shrunk) | goals.fit(x, y, maps, ways), usual


def _choose(x, y, fit, usual, purpose, top, others):
    """Compare all families on left-out pairs; see `auto`."""
    if len(x) < FEWEST:
        why = f"{usual}, untried: {len(x)} pairs are too few to tell families apart, which takes {FEWEST}"
        return Choice(usual, purpose, {}, 0, top, [], float("nan"), why)
    values: dict[str, list] = {}
    alike: dict[str, np.ndarray] = {}
    parts = list(_folds(len(x)))
    size = min(len(held) for held, _ in parts)
    top = min(top, max(1, size // 5))
    for held, kept in parts:
        for name, fitted in fit(x[kept], y[kept]).items():
            values.setdefault(name, []).append(_measured(fitted, x[held], y[held], y[kept], purpose, top, others))
            made, true = (each - y[kept].mean(0) for each in (fitted(x[held]), y[held]))
            alike[name] = alike.get(name, np.zeros(3)) + [(made * true).sum(), (made**2).sum(), (true**2).sum()]
    by_row = {name: [np.concatenate(each) for each in zip(*folds, strict=True)] for name, folds in values.items()}
    scores = {name: each[0] for name, each in by_row.items()}
    chosen, why = _best(scores, usual)
    lines = {
        name: Line(*(bootstrap.estimate(each, draws=_DRAWS) for each in rows), *(() if others is not None else (None,)))
        for name, rows in by_row.items()
    }
    curve = _curve(x, y, fit, purpose, top, chosen, parts)
    product, made, true = alike[chosen]
    left = 1 - max(0.0, product) ** 2 / (made * true) if made * true > 0 else 1.0
    why = f"{why}{_hubs(by_row[chosen])}{_more(curve, top, size)}"
    return Choice(chosen, purpose, lines, size, top, curve, max(0.0, left) ** 0.5, why)


def _folds(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows that are left out and those that are fitted: fifths in turn, until enough rows were left out."""
    order = np.random.default_rng(0).permutation(rows)
    size = min(-(-rows // _FOLDS), _MANY)
    for fold in range(min(_FOLDS, -(-_ENOUGH // size))):
        held = np.zeros(rows, bool)
        held[order[fold * size : (fold + 1) * size]] = True
        yield np.flatnonzero(held), np.flatnonzero(~held)


def _measured(fitted, x, y, seen, purpose, top, others):
    mapped = fitted(x)
    if purpose == "search":
        score = held_out.similarity_agreement(mapped, y)
    else:
        score = 1 - ((mapped - y) ** 2).sum(1) / max(((y - seen.mean(0)) ** 2).sum(1).mean(), np.finfo(float).tiny)
    hubs = held_out.hubness(mapped, seen[:_MANY])
    found = [score, held_out.recall(mapped, y, top), held_out.recall(mapped, y, top, hubs)]
    return found if others is None else [*found, held_out.hits(mapped, y, fitted(others), top)]


def _best(scores, usual):
    """Return the family to take and why: another than the usual one only where it is better by two standard errors."""
    best = max(scores, key=lambda name: float(scores[name].mean()))
    if best == usual:
        return usual, f"{usual}: best on pairs left out"
    gain = scores[best] - scores[usual]
    error = gain.std() / len(gain) ** 0.5
    told = f"by {gain.mean():.4f} ± {error:.4f} on pairs left out"
    if gain.mean() > _ERRORS * error:
        return best, f"{best}: better than {usual} {told}"
    return usual, f"{usual}: nothing is better by two standard errors ({best} {told})"


def _curve(x, y, fit, purpose, top, chosen, parts):
    """Return the score and recall of the chosen family from a quarter, half and all of the pairs that are fitted."""
    curve = []
    for share in _SHARES:
        count = int(share * len(parts[0][1]))
        if count < FEWEST // 2:
            continue
        random, rows = np.random.default_rng(1), []
        for held, kept in parts[: 2 if len(x) < _MANY else 1]:
            some = random.permutation(kept)[:count]
            fitted = fit(x[some], y[some])[chosen]
            rows.append(_measured(fitted, x[held], y[held], y[some], purpose, top, None)[:2])
        score, recall = (bootstrap.estimate(np.concatenate(each)) for each in zip(*rows, strict=True))
        curve.append((count, score, recall))
    return curve


def _hubs(rows):
    gain = bootstrap.estimate(rows[2] - rows[1])
    if gain.low > 0:
        return f"; hub correction, which a map cannot hold, would find {gain.mean:.3f} more"
    return ""


def _more(curve, top, size):
    """Say what twice as many pairs would bring, by what the last doublings have brought."""
    if len(curve) < 2:
        return ""
    recalls = [recall.mean for _, _, recall in curve]
    last = recalls[-1] - recalls[-2]
    fading = (
        min(1.0, max(0.0, last / (recalls[-2] - recalls[-3]))) if len(curve) > 2 and recalls[-2] > recalls[-3] else 1
    )
    pairs = curve[-1][0]
    return (
        f"; the last doubling, to {pairs} pairs, took recall@{top} among {size} from {recalls[-2]:.3f} to "
        f"{recalls[-1]:.3f}, and the next should add some {max(0.0, last * fading):.3f}"
    )
