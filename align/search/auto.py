"""The map that serves best, chosen on pairs that were left out, and what was compared."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from align.arrays import checks, inputs
from align.arrays.copies import first_of_equal
from align.maps import AffineMap
from align.search import bootstrap, choices, families, goals, held_out
from align.search.choices import Choice, Line
from align.search.documents import in_blocks
from align.search.families import Mix

PURPOSES = ("search", "codes")
FEWEST = 20  # pairs from which on a choice is better than none
_FOLDS, _ENOUGH, _MANY = 5, 400, 1000  # left-out rows: enough to choose by, and as many as are looked at
_DRAWS = 500
_ERRORS = 2.0  # standard errors by which another must be better than what is taken without a choice
_PLENTY = 50  # pairs from which on a blend is taken for a search without a choice
_TIE = 1e-4  # share of the error by which leaning towards a map must be better than not: what is less is rounding
_SHARES = (0.25, 0.5, 1.0)


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
    reweighting, where `among` is given a graded ridge, and a blend of these; between as many dimensions no map at all
    and a ridge towards it, and where `towards` is given, it and a ridge towards it. A fifth of the pairs is left out at
    a time, until 400 were.

    purpose: "search", where target rows ask among mapped source rows by cosine; families are compared by how well the
        similarities agree with those of the target itself. "codes", where mapped rows are used as they are; by the
        variance that is explained.
    top: how many documents a search is for.
    among: further source rows `[m, d_source]` without a pair, as the index. With few pairs what they say of the source
        finds most, where no map is known. They also say how often a pair's own row is found among them all, for which
        every family maps them for every fifth, block by block: in bounded memory, in a time that grows with m. A sample
        says nearly as much of the source, and how often a row is found among so many.
    towards: a map that is known from elsewhere, and has not seen the pairs, as that of `unpaired` from a cloud of each
        encoder. With a hundred pairs and less it is what finds most.

    Few pairs tell families apart badly. So a usual one is taken unless another is better by two standard errors of the
    difference, row by row; with fewer than 20 pairs it is taken at once. The usual one is the ridge whose left-out rows
    are least off, by itself, graded, or towards a map that is known. Where none is known that helps a search, it is the
    graded ridge, if there is one, or else the ridge; from 50 pairs on the blend: rotation, both ridges, reweighted and
    graded, each by its score on left-out rows, to the scale at which these are least off, the graded ridge for more the
    fewer the pairs. `details` of the map is a `Choice`. Pairs that are equal count once. The same rows in the same
    order are left out each time, so nothing is drawn. ValueError for input that does not fit, for weights, which no
    fold would respect, for rows that are not finite, and under jit and vmap, as the rows are looked at.
    """
    if weights is not None:
        raise ValueError("weights must be None: auto takes all pairs for equally good")
    if purpose not in PURPOSES:
        raise ValueError(f"purpose must be one of {', '.join(PURPOSES)}; it is {purpose!r}")
    checks.check_counts(top=top)
    for name, value in {"source": source, "target": target, "among": among, "towards": towards}.items():
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
            raise ValueError(f"{name} must be concrete, not traced: auto chooses by looking, outside of jit and vmap")
    pairs = inputs.as_pairs(source, target, None, minimum_rows=3)[:2]
    inputs.check_finite(**dict(zip(("source", "target"), pairs, strict=True)))
    inputs.check_squares(**dict(zip(("source", "target"), pairs, strict=True)))
    pairs = _different(*pairs)
    dtype = pairs[0].dtype
    others = None if among is None else _others(among, pairs[0].shape[1])
    fit, usual, error = _fitting(*pairs, _given(towards, *pairs), others, purpose)
    x, y = (np.asarray(each, np.float64) for each in pairs)
    if len(x) < FEWEST:
        why = f"{usual}, untried: {len(x)} pairs are too few to tell families apart, which takes {FEWEST}"
        choice = Choice(usual, purpose, {}, 0, top, [], error, why)
    else:
        choice = _choose(x, y, fit, usual, purpose, top, others)
    fitted = fit(x, y, choice.mix)
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


def _different(source: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
    first = first_of_equal(np.asarray(source), np.asarray(target))
    if first is None:
        return source, target
    kept = np.unique(first)
    if len(kept) < 3:
        raise ValueError(f"source and target need at least 3 different pairs; of {len(first)} there are {len(kept)}")
    return source[kept], target[kept]


def _others(among, dimensions):
    array = np.asarray(inputs.as_floats(among=among)[0])
    if array.ndim != 2 or array.shape[1] != dimensions or not len(array):
        raise ValueError(f"among must be [rows, {dimensions}], rows of the source space; it is {array.shape}")
    if not all(np.isfinite(block).all() for block in in_blocks(array, dimensions)):
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


def _fitting(source, target, given, others, purpose):
    """Return what fits all families to pairs, shrunk as these say, and the family that is taken without a choice.

    Also the residual of this one's left-out rows, NaN of a blend.
    """
    graded = None if others is None else families.grading(others)
    shrunk = families.penalties(source, target, graded)
    maps = goals.known(source.shape[1], target.shape[1], given)
    ways = goals.penalties(source, target, maps)
    by_pairs = [name for name in (families.RIDGE, families.GRADED) if name in shrunk]
    errors = {name: shrunk[name].error for name in by_pairs}
    errors |= {goals.TOWARDS[n]: (1 + _TIE) * way.error for n, way in ways.items()}
    usual = min(errors, key=lambda name: errors[name])
    if usual in by_pairs and purpose == "search":
        usual = families.BLEND if len(source) >= _PLENTY else by_pairs[-1]

    def fit(x, y, mix=None):
        fitted = families.fit(x, y, shrunk, graded)
        blended = {} if mix is None else {families.BLEND: families.blend(fitted, mix, x, y)}
        return fitted | blended | goals.fit(x, y, maps, ways)

    return fit, usual, errors.get(usual, float("nan"))


def _choose(x, y, fit, usual, purpose, top, others):
    """Compare all families on left-out pairs; see `auto`."""
    values: dict[str, list] = {}
    alike: dict[str, np.ndarray] = {}
    parts = list(_folds(len(x)))
    size = min(len(held) for held, _ in parts)
    top = min(top, max(1, size // 5))

    def measure(name, fitted, held, kept):
        values.setdefault(name, []).append(_measured(fitted, x[held], y[held], y[kept], purpose, top, others))
        made, true = (each - y[kept].mean(0) for each in (fitted(x[held]), y[held]))
        alike[name] = alike.get(name, np.zeros(3)) + [(made * true).sum(), (made**2).sum(), (true**2).sum()]

    maps = [fit(x[kept], y[kept]) for _, kept in parts]
    for of_fold, rows in zip(maps, parts, strict=True):
        for name, fitted in of_fold.items():
            measure(name, fitted, *rows)
    mix = _mix(x, y, parts, maps, {name: np.concatenate([fold[0] for fold in each]) for name, each in values.items()})
    for of_fold, (held, kept) in zip(maps, parts, strict=True):
        measure(families.BLEND, families.blend(of_fold, mix, x[kept], y[kept]), held, kept)
    by_row = {name: [np.concatenate(each) for each in zip(*folds, strict=True)] for name, folds in values.items()}
    scores = {name: each[0] for name, each in by_row.items()}
    chosen, why = _best(scores, usual)
    lines = {
        name: Line(*(bootstrap.estimate(each, draws=_DRAWS) for each in rows), *(() if others is not None else (None,)))
        for name, rows in by_row.items()
    }
    curve = _curve(x, y, lambda *rows: fit(*rows, mix)[chosen], purpose, top, parts)
    product, made, true = alike[chosen]
    left = 1 - max(0.0, product) ** 2 / (made * true) if made * true > 0 else 1.0
    why = f"{why}{choices.hubs(by_row[chosen])}{choices.more(curve, top, size)}"
    return Choice(chosen, purpose, lines, size, top, curve, max(0.0, left) ** 0.5, why, mix)


def _mix(x, y, parts, maps, scores):
    """Return the blend whose parts left-out scores give, and its scale at which left-out rows are least off."""
    shares = families.parts(scores, len(x))
    product = square = 0.0
    for of_fold, (held, kept) in zip(maps, parts, strict=True):
        mean = y[kept].mean(0)
        made = families.blend(of_fold, Mix(shares, 1.0), x[kept], y[kept])(x[held]) - mean
        product, square = product + float((made * (y[held] - mean)).sum()), square + float((made**2).sum())
    return Mix(shares, max(0.0, product / square) if square > 0 else 0.0)


def _folds(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows that are left out and those that are fitted: fifths in turn, until enough rows were left out."""
    fifths = [part[:_MANY] for part in np.array_split(np.random.default_rng(0).permutation(rows), _FOLDS)]
    for fifth in fifths[: -(-_ENOUGH // len(fifths[0]))]:
        held = np.zeros(rows, bool)
        held[fifth] = True
        yield np.flatnonzero(held), np.flatnonzero(~held)


def _measured(fitted, x, y, seen, purpose, top, others):
    mapped = fitted(x)
    if purpose == "search":
        score = held_out.similarity_agreement(mapped, y)
    else:
        off, spread = ((mapped - y) ** 2).sum(1), ((y - seen.mean(0)) ** 2).sum(1).mean()
        score = 1 - off / spread if spread > 0 else (off == 0).astype(float)
    hubs = held_out.hubness(mapped, seen[np.sort(np.random.default_rng(0).permutation(len(seen))[:_MANY])])
    found = [score, held_out.recall(mapped, y, top), held_out.recall(mapped, y, top, hubs)]
    if others is None:
        return found
    blocks = in_blocks(others, max(len(x), x.shape[1], y.shape[1]))
    return [*found, held_out.hits(mapped, y, map(fitted, blocks), top)]


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


def _curve(x, y, fit, purpose, top, parts):
    """Return the score and recall of what `fit` returns for a quarter, half and all of the pairs that are fitted."""
    curve = []
    for share in _SHARES:
        count = int(share * len(parts[0][1]))
        if count < FEWEST // 2:
            continue
        random, rows = np.random.default_rng(1), []
        for held, kept in parts[: 2 if len(x) < _MANY else 1]:
            some = random.permutation(kept)[:count]
            fitted = fit(x[some], y[some])
            rows.append(_measured(fitted, x[held], y[held], y[some], purpose, top, None)[:2])
        score, recall = (bootstrap.estimate(np.concatenate(each)) for each in zip(*rows, strict=True))
        curve.append((count, score, recall))
    return curve
