"""`align fit`: from two files of codes to the file of a map."""

import argparse
import itertools

import jax
import numpy as np

from align import files
from align.arrays.copies import first_of_equal, row_keys
from align.clouds import far_out
from align.command import (
    belonging,
    blocks,
    classes_of_size,
    faults,
    options,
    pairing,
    parser,
    places,
    printing,
    streamed,
)
from align.command.score import scores
from align.linalg import threads
from align.maps import fingerprint
from align.maps.description import describe
from align.solvers import SOLVERS, Known

_OF_SCORES = ("sample", "metric")
_OF_PAIRS = ("weights", "anchors", "holdout", "id", "target-id", "memory", *_OF_SCORES)
_WITHOUT_FAR_ROWS = ("labels", "unpaired")  # solvers that leave out what is far out


def fit(arguments: argparse.Namespace) -> bool:
    """Fit a map on the rows of two files and write it; return whether nothing speaks against it."""
    solver = options.choose(arguments)
    chosen = options.read(arguments.solver, arguments.set)
    if arguments.purpose is not None and chosen.setdefault("purpose", arguments.purpose) != arguments.purpose:
        raise ValueError(f"--for {arguments.purpose} and --set purpose={chosen['purpose']} contradict each other")
    places.check_output(arguments, suffixes=(".safetensors",))
    fit_rows = _from_pairs if solver.needs == "pairs" else _from_clouds
    _check_used(solver, arguments)
    beside = (arguments.pairs or ()), (arguments.clouds or ()), (arguments.among,)
    places.check_column(arguments, arguments.source, arguments.target, *itertools.chain(*beside))
    arguments = parser.filled(arguments)
    fitted, known, spaces = fit_rows(solver, chosen, arguments)

    with threads.for_dimensions(max(fitted.weight.shape)):
        described = describe(fitted)
    result = described | known | {"output": arguments.output}
    kept = {name: _as_text(value) for name, value in known.items() if name not in ("warnings", "bad_rows")}
    told = {name: fingerprint.as_text(space) for name, space in spaces.items()}
    fitted.save(arguments.output, metadata=kept | told, overwrite=places.replaces(arguments))
    printing.show(arguments, result)
    doubtful = fitted.trusted is not None and not bool(fitted.trusted)
    return not (doubtful or (arguments.strict and "warnings" in result))


def _check_used(solver, arguments):
    """Raise ValueError for an option that would do nothing."""
    given = [name for name in _OF_PAIRS if getattr(arguments, name.replace("-", "_")) is not None]
    if solver.needs != "pairs" and given:
        raise ValueError(f"--{given[0]} is of rows in correspondence, which {arguments.solver} does not need")
    if scored := [name for name in _OF_SCORES if name in given and not arguments.holdout]:
        raise ValueError(f"--{scored[0]} is of scores, of rows that are held out: it needs --holdout")


def _from_pairs(solver, chosen, arguments):
    """Fit rows in correspondence, all at once or streamed, and score the map on the rows held out, if any."""
    source, target, weights, joined = pairing.open_pairs(arguments)
    places.check_room(source, target)
    arrays = [source, target, *weights]
    sound, bad = faults.usable(arguments, source, target, weights=weights)
    counts = _counts(arguments, weights[0], sound) if weights else None
    if counts is not None:
        sound &= counts != 0
    held, used = _selections(sound, arguments)
    copies = _copies_of_held(arguments, source, target, held, used)
    used &= ~copies
    rows, between, equal, far = int(used.sum()), {}, None, []
    if sum(array.nbytes for array in arrays) / len(used) * rows > arguments.memory * 2**30:
        # Of y, the ends of its blocks.
        fitted, spaces, y = streamed.fit(solver, chosen, arguments, arrays, used, counts)
    else:
        parts = zip(*(part[1:] for part in blocks.chosen(used, arguments, *arrays)), strict=True)
        x, y, *w = (np.concatenate(part) for part in parts)
        rows_of = (x, y, w[0][:, 0] if w else None)
        equal = first_of_equal(x, y)
        sides = zip((source, target), (x, y), strict=True)
        far = [(array, lie) for array, side in sides if (lie := faults.far_out(side)).any()]
        with threads.for_dimensions(max(x.shape[1], y.shape[1])):
            beside, between, of_others = _beside(arguments, x, y)
            fitted, bad = _run(arguments, solver, rows_of, chosen | beside), bad | of_others
        spaces = belonging.spaces(arguments, x, y, (rows, rows))
    if fitted.converged is not None and not bool(fitted.converged):
        raise ValueError(f"{arguments.solver} did not converge on {rows} rows; nothing was written")
    known = _told(fitted, chosen, arguments) | between | {"rows": rows}
    known |= {"joined": joined} if joined else {}
    known |= {"copies_of_held_out": int(copies.sum())} if copies.any() else {}
    if held.any():
        known["held_out"], doubt = scores(fitted, source, target, arguments, held)
    else:
        counted = faults.effective(np.ones(rows) if counts is None else counts[used], equal)
        mean = faults.as_the_mean(faults.corrected_residual(fitted, counted, solver), rows)
        doubt = mean or faults.unchecked(fitted, counted, solver)
    warnings = [faults.constant(y, rows, fitted.rank) or doubt]
    for array, lie in far:
        bad.setdefault(array.name, {})["far_out"] = int(lie.sum())
        warnings.append(faults.may_decide(lie, array.name, array.number(int(np.flatnonzero(used)[np.argmax(lie)]))))
    if any(warnings):
        known["warnings"] = list(filter(None, warnings))
    return fitted, known | ({"bad_rows": bad} if bad else {}), spaces


def _copies_of_held(arguments, source, target, held, used):
    """Return the mask of rows to fit on that equal one that is held out: a map that has seen them would be told so."""
    copies = np.zeros_like(used)
    if not held.any():
        return copies
    leads, seen = [], set()
    for _, x, y in blocks.chosen(held, arguments, source, target):
        leads.append(_lead(x, y))
        seen.update(row_keys(x, y))
    leads = np.unique(np.concatenate(leads))
    for block, x, y in blocks.chosen(used, arguments, source, target):
        alike = np.flatnonzero(np.isin(_lead(x, y), leads))  # few, but where there are copies
        copies[block.start + np.flatnonzero(used[block])[alike]] = [key in seen for key in row_keys(x[alike], y[alike])]
    if (copies == used).all():
        raise ValueError(f"--holdout {arguments.holdout} leaves no row to fit on but copies of those held out")
    return copies


def _lead(x, y):
    """Return a number `[n]` for each pair of rows, alike where they are equal."""
    return x[:, 0] + 1j * y[:, 0]


def _run(arguments, solver, rows, options):
    """Fit rows (x, y, weights or None), made up to a number that programs are kept for."""
    known = Known(_key(arguments), *rows)
    if arguments.solver not in SOLVERS:  # `auto` judges by rows that it holds out
        return solver.run(known, **options)
    try:
        return solver.run(Known(known.key, *classes_of_size.made_up(*rows)), **options)
    except ValueError:  # which should speak of the rows that there are
        return solver.run(known, **options)


def _from_clouds(solver, chosen, arguments):
    """Fit two clouds whose rows are in no correspondence, with the labels and the pairs that are known."""
    rows = {name: _opened(getattr(arguments, name), arguments) for name in ("source", "target")}
    places.check_room(**rows)
    found = {name: faults.usable(arguments, array) for name, array in rows.items()}
    clouds = {name: _chosen(found[name][0], arguments, array) for name, array in rows.items()}
    given = {name: getattr(arguments, f"{name}_labels") for name in rows}
    labels = {
        f"{name}_labels": file and places.read_labels(file, rows[name])[found[name][0]] for name, file in given.items()
    }
    bad = {array: counts for _, counted in found.values() for array, counts in counted.items()}
    for name, cloud in clouds.items() if arguments.solver in _WITHOUT_FAR_ROWS else ():
        if far := int(far_out.which(cloud).sum()):
            bad.setdefault(rows[name].name, {})["far_out"] = far
    pairs = arguments.pairs and places.open_pairs(*arguments.pairs, arguments.column)
    if pairs:
        pairs = [files.unit(each) if arguments.normalize else each for each in pairs]
        sound, counted = faults.usable(arguments, *pairs)
        pairs, bad = tuple(_chosen(sound, arguments, each) for each in pairs), bad | counted
    with threads.for_dimensions(max(cloud.shape[1] for cloud in clouds.values())):
        fitted = solver.run(Known(_key(arguments), **clouds, **labels, pairs=pairs), **chosen)
    sizes = {f"{name}_rows": len(cloud) for name, cloud in clouds.items()}
    known = _told(fitted, chosen, arguments) | sizes | ({"pairs": len(pairs[0])} if pairs else {})
    known |= {"bad_rows": bad} if bad else {}
    of_target = clouds["target"], sizes["target_rows"]
    of_labels = faults.unlabelled(clouds, labels) if any(given.values()) else None
    constant = faults.constant(*of_target) or of_labels or faults.constant(*of_target, fitted.rank)
    if warnings := list(filter(None, [constant, faults.restless(fitted)])):
        known["warnings"] = warnings
    return fitted, known, belonging.spaces(arguments, *clouds.values(), tuple(map(len, clouds.values())))


def _beside(arguments, x, y):
    """Return what `auto` is told beside pairs: rows of the source, and a map between clouds; and a word on this one.

    Also what is wrong with rows of these files, by array.
    """
    named = filter(None, (arguments.among, *(arguments.clouds or ())))
    sound = {file: _sound(file, arguments) for file in named}
    bad = {array: counts for _, counted in sound.values() for array, counts in counted.items()}
    beside = {} if arguments.among is None else {"among": sound[arguments.among][0]}
    if beside and beside["among"].shape[1] != x.shape[1]:
        raise ValueError(
            f"--among {arguments.among} has {beside['among'].shape[1]} dimensions, and the source {x.shape[1]}"
        )
    if arguments.clouds is None:
        return beside, {}, bad
    clouds = [sound[file][0] for file in arguments.clouds]
    for cloud, side, name in zip(clouds, (x, y), arguments.clouds, strict=True):
        if cloud.shape[1] != side.shape[1]:
            raise ValueError(f"--clouds {name} has {cloud.shape[1]} dimensions, and the pairs there {side.shape[1]}")
    fitted = SOLVERS["unpaired"].fit(_key(arguments), *clouds)
    told = {"rows": [len(cloud) for cloud in clouds], "trusted": bool(fitted.trusted)}
    told["explanation"] = fitted.details.explanation
    return {"among": clouds[0], **beside, "towards": fitted}, {"clouds": told}, bad


def _opened(file, arguments):
    rows = places.open_rows(file, arguments.column)
    return files.unit(rows) if arguments.normalize else rows


def _counts(arguments, array, sound):
    """Return the weights `[n]` of rows; ValueError where one is negative of a row that a mask chooses."""
    counts = np.concatenate([array.read(*block)[:, 0] for block in blocks.ranges(arguments, array)])
    if (below := sound & (counts < 0)).any():
        row = array.number(int(np.argmax(below)))
        raise ValueError(f"{array.name}: weights must not be negative, as the first in row {row} is")
    return counts


def _sound(file, arguments):
    """Return the rows of a file that are to be used, and what is wrong with others."""
    array = _opened(file, arguments)
    sound, bad = faults.usable(arguments, array)
    return _chosen(sound, arguments, array), bad


def _chosen(rows, arguments, array):
    """Return the rows of an array that a mask chooses; ValueError where it leaves none."""
    if not rows.any():
        raise ValueError(f"{array.name} has no row that is finite and not zero")
    return np.concatenate([part for _, part in blocks.chosen(rows, arguments, array)])


def _key(arguments):
    return jax.random.key(arguments.seed)


def _told(fitted, chosen, arguments):
    """Return what the file is to say of how its map came about."""
    told = {"solver": arguments.solver, "options": chosen} | ({"normalized": True} if arguments.normalize else {})
    if hasattr(fitted.details, "summary"):
        told |= fitted.details.summary()
    return told


def _selections(sound, arguments):
    """Return masks of the rows to hold out and of those to fit on, among those of a mask; ValueError without any."""
    n, (rows,) = int(sound.sum()), np.nonzero(sound)
    if not n:
        if arguments.weights is not None:
            raise ValueError(f"{arguments.weights}: every weight is 0, or of a row that --skip-bad-rows leaves out")
        raise ValueError("--skip-bad-rows leaves no row to fit on: none is finite, and not zero, in every file")
    held, used = np.zeros_like(sound), sound.copy()
    count = round(arguments.holdout * n)
    anchors = n - count if arguments.anchors is None else arguments.anchors
    if anchors > n - count:
        raise ValueError(f"--anchors {anchors} of {n} rows, of which {count} are held out")
    if arguments.holdout and count < 4:
        raise ValueError(f"--holdout {arguments.holdout} of {n} rows leaves {count} to score on; expected 4 or more")
    if not anchors:
        raise ValueError(f"--holdout {arguments.holdout} of {n} rows leaves none to fit on")
    if anchors < n:
        order = np.random.default_rng(arguments.seed).permutation(n)
        held[rows[order[:count]]] = True
        used[:] = False
        used[rows[order[count : count + anchors]]] = True
    return held, used


def _as_text(value):
    return value if isinstance(value, str) else printing.as_json(value)
