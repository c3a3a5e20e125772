"""What the subcommands of `align` do with their parsed arguments; the arguments themselves are in `__main__`."""

import json
from inspect import Parameter, signature
from pathlib import Path

import numpy as np

from align import files

_BLOCK_BYTES = 1 << 25


# Commands


def fit(arguments):
    """Fit a map on the rows of two files and write it, scored on the rows held out, if any."""
    solver, options = _solver(arguments.solver, arguments.set)
    source, target = _open_pairs(arguments.source, arguments.target)
    weights = None if arguments.weights is None else _open_weights(arguments.weights, source)
    _check_output(arguments, suffixes=(".safetensors",))
    n = source.shape[0]
    order = np.random.default_rng(arguments.seed).permutation(n)
    held = np.sort(order[: round(arguments.holdout * n)])
    rows = order[len(held) :][: arguments.anchors]
    if arguments.anchors and len(rows) < arguments.anchors:
        raise ValueError(f"--anchors {arguments.anchors} of {n} rows, of which {len(held)} are held out")
    if 0 < len(held) < 4:
        raise ValueError(
            f"--holdout {arguments.holdout} of {n} rows leaves {len(held)} to score on; expected 4 or more"
        )
    arrays = [source, target] + ([] if weights is None else [weights])
    parts = zip(*(part[1:] for part in _chosen(np.sort(rows), arguments, *arrays)), strict=True)
    x, y, *w = (np.concatenate(part) for part in parts)
    fitted = solver(x, y, weights=w[0][:, 0] if w else None, **options)
    if fitted.converged is not None and not bool(fitted.converged):
        raise ValueError(f"{arguments.solver} did not converge on {len(x)} rows; nothing was written")
    known = {"solver": arguments.solver, "options": json.dumps(options), "rows": str(len(x))}
    result = describe(fitted) | known | {"output": arguments.output}
    if len(held):
        scores = _scores(fitted, source, target, arguments, held)
        result["held_out"] = scores
        known["held_out"] = json.dumps(scores)
    fitted.save(arguments.output, metadata=known)
    _print(arguments, result)


def apply(arguments):
    """Write the rows of a file as a map sends them, block by block."""
    fitted = _load(arguments.map)
    if arguments.inverse:
        fitted = fitted.inverse()
    rows = files.open_rows(arguments.input)
    _check_fits(fitted, rows, arguments)
    _check_output(arguments)
    dtype = np.dtype(arguments.dtype or fitted(rows.read(0, 1)).dtype)
    shape = (rows.shape[0], fitted.weight.shape[1])
    with files.writing(arguments.output, shape, dtype) as append:
        for start, stop in _ranges(arguments, rows):
            with np.errstate(over="ignore"):  # reported below
                mapped = np.asarray(fitted(_read(rows, start, stop))).astype(dtype)
            if not np.isfinite(mapped).all():
                raise ValueError(
                    f"the map sends rows {start} to {stop - 1} of {rows.name} outside the range of {dtype}"
                )
            append(mapped)
    _print(arguments, {"output": arguments.output, "rows": shape[0], "dimensions": shape[1], "dtype": str(dtype)})


def score(arguments):
    """Print how well a map does on the pairs of two files."""
    fitted = _load(arguments.map)
    source, target = _open_pairs(arguments.source, arguments.target)
    _check_fits(fitted, source, arguments)
    if fitted.weight.shape[1] != target.shape[1]:
        raise ValueError(
            f"{arguments.map} maps to {fitted.weight.shape[1]} dimensions; {target.name} has {target.shape[1]}"
        )
    if source.shape[0] < 4:
        raise ValueError(f"{source.name} has {source.shape[0]} rows; expected at least 4 to score on")
    _print(arguments, _scores(fitted, source, target, arguments))


def inspect(arguments):
    """Print what a map is, and what its file says of how it came about."""
    from align.maps import AffineMap

    fitted = _load(arguments.map)
    metadata = AffineMap.read_metadata(arguments.map)
    kept = {name: metadata[name] for name in metadata.keys() - {"format", "version", "d_source", "d_target"}}
    if "held_out" in kept:
        kept["held_out"] = json.loads(kept["held_out"])
    _print(arguments, describe(fitted) | dict(sorted(kept.items())))


# What a map is, and how good


def describe(fitted) -> dict:
    """Return what can be read off an `AffineMap`: its family by its singular values, and its diagnostics.

    `uneven` is the largest relative distance of a singular value from their root mean square, 0 for a map that keeps
    shapes; below 1e-4 the map is said to be a rotation, a reflection, or an isometric embedding or projection.
    """
    weight, bias = (np.asarray(a, np.float64) for a in (fitted.weight, fitted.bias))
    d_source, d_target = weight.shape
    values = np.linalg.svd(weight, compute_uv=False)
    scale = float(np.sqrt(np.mean(values**2)))
    uneven = float(np.max(np.abs(values / scale - 1))) if scale else None
    rank = int(np.sum(values > max(weight.shape) * np.finfo(fitted.weight.dtype).eps * values[0]))
    described = {
        "family": _family(weight, bias, scale, uneven, rank),
        "d_source": d_source,
        "d_target": d_target,
        "dtype": str(fitted.weight.dtype),
        "weight_rank": rank,
        "weight_condition": float(values[0] / values[rank - 1]) if rank else None,
        "determinant_sign": float(np.linalg.slogdet(weight)[0]) if d_source == d_target else None,
        "scale": scale,
        "uneven": uneven,
        "singular_values": [float(v) for v in np.quantile(values, [1, 0.75, 0.5, 0.25, 0])],
        "bias_norm": float(np.linalg.norm(bias)),
    }
    for name in ("rank", "condition", "residual", "iterations", "converged"):
        if (value := getattr(fitted, name)) is not None:
            described[f"fit_{name}"] = np.asarray(value).item()
    return described


def _family(weight, bias, scale, uneven, rank):
    tolerance = 1e-4
    square = weight.shape[0] == weight.shape[1]
    if rank == 0:
        return "constant"
    if square and np.max(np.abs(weight - np.eye(len(weight)))) < tolerance:
        name = "identity"
    elif uneven < tolerance:
        kinds = {0: "isometric embedding", 1: "orthogonal projection"}
        turned = "rotation" if square and np.linalg.slogdet(weight)[0] > 0 else "reflection"
        name = turned if square else kinds[int(weight.shape[0] > weight.shape[1])]
        name += "" if abs(scale - 1) < tolerance else ", scaled"
    elif square and np.count_nonzero(weight - np.diag(np.diag(weight))) == 0:
        name = "scale per axis"
    else:
        name = "linear" if rank == min(weight.shape) else f"linear of rank {rank}"
    return name + (" and translation" if np.any(bias) else "")


def _scores(fitted, source, target, arguments, rows=None):
    """Return scores over `rows` (all of them if None) in one pass, and over a sample for what compares all pairs."""
    from align import metrics

    rows = np.arange(source.shape[0]) if rows is None else rows
    sampled = np.isin(rows, np.random.default_rng(arguments.seed).permutation(rows)[: arguments.sample])
    error = cosine = sums = squares = 0.0
    shift, sample = None, []
    for chosen, x, y in _chosen(rows, arguments, source, target):
        mapped = np.asarray(fitted(x))
        kept = sampled[chosen]
        sample.append((x[kept], mapped[kept], y[kept]))
        mapped, y = mapped.astype(np.float64), y.astype(np.float64)
        shift = y.mean(0) if shift is None else shift  # near the mean, so that the sums of squares do not cancel
        error += np.sum((mapped - y) ** 2)
        sums, squares = sums + np.sum(y - shift, 0), squares + np.sum((y - shift) ** 2)
        cosine += np.sum(np.sum(mapped * y, 1) / (np.linalg.norm(mapped, axis=1) * np.linalg.norm(y, axis=1)))
    relative = float(np.sqrt(error / (squares - np.sum(sums**2) / len(rows))))
    x, mapped, y = (np.concatenate(parts) for parts in zip(*sample, strict=True))

    def compared(x):
        ranks = np.asarray(metrics.retrieval_ranks(x, y, metric=arguments.metric)) if x.shape == y.shape else None
        retrieval = {} if ranks is None else {f"top_{k}": float(np.mean(ranks <= k)) for k in (1, 5, 10)}
        retrieval |= {} if ranks is None else {"mean_reciprocal_rank": float(np.mean(1 / ranks))}
        return retrieval | {"linear_cka": float(metrics.linear_cka(x, y, unbiased=True))}

    return {
        "rows": len(rows),
        "relative_residual": relative,
        "r_squared": 1 - relative**2,
        "mean_cosine": float(cosine / len(rows)),
        "sample": len(x),
        **compared(mapped),
        "unmapped": compared(x),
    }


# Arguments and files


def _solver(name, settings):
    from align import solvers

    known = {}
    for each in solvers.__all__:
        parameters = signature(getattr(solvers, each)).parameters if each.islower() else {}
        if list(parameters)[:2] == ["source", "target"]:
            known[each] = parameters
    if name not in known:
        raise ValueError(f"unknown solver {name!r}; expected one of {', '.join(sorted(known))}")
    possible = [option for option in known[name] if option not in ("source", "target", "weights")]
    options = {}
    for setting in settings:
        option, _, value = setting.partition("=")
        if option not in possible or not value:
            raise ValueError(f"--set {setting}: {name} takes {', '.join(possible) or 'no options'}, as NAME=VALUE")
        try:
            options[option] = json.loads(value)
        except json.JSONDecodeError:
            options[option] = value
    required = [option for option in possible if known[name][option].default is Parameter.empty]
    if missing := [option for option in required if option not in options]:
        raise ValueError(f"{name} needs --set {missing[0]}=VALUE")
    return getattr(solvers, name), options


def _load(path):
    from align.maps import AffineMap

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    fitted = AffineMap.load(path)
    if fitted.weight.ndim != 2:
        raise ValueError(f"{path} holds {fitted.weight.shape[:-2]} maps; expected a single one")
    if not (np.isfinite(fitted.weight).all() and np.isfinite(fitted.bias).all()):
        raise ValueError(f"{path} holds a map with NaN or infinity")
    return fitted


def _open_pairs(source, target):
    source, target = files.open_rows(source), files.open_rows(target)
    if source.shape[0] != target.shape[0]:
        raise ValueError(
            f"{source.name} has {source.shape[0]} rows and {target.name} {target.shape[0]}; "
            "expected the same number, in correspondence"
        )
    return source, target


def _open_weights(name, source):
    weights = files.open_rows(name)
    if weights.shape != (source.shape[0], 1):
        raise ValueError(f"{name} has shape {list(weights.shape)}; expected [{source.shape[0]}, 1], one for each row")
    return weights


def _check_fits(fitted, rows, arguments):
    if fitted.weight.shape[0] != rows.shape[1]:
        raise ValueError(
            f"{rows.name} has {rows.shape[1]} dimensions; {arguments.map} takes {fitted.weight.shape[0]}"
            + (" when inverted" if getattr(arguments, "inverse", False) else "")
        )


def _check_output(arguments, suffixes=files.SUFFIXES):
    """Refuse an output that could not be written, before any work is done."""
    path, key = files.split_name(arguments.output)
    if path.suffix not in suffixes or (key and suffixes != files.SUFFIXES):
        raise ValueError(f"{arguments.output}: expected a file that ends in {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder for the output")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder")
    if path.exists() and not arguments.force:
        raise FileExistsError(f"{path} exists; --force replaces it")


def _ranges(arguments, *arrays):
    """Yield (start, stop) over the rows of arrays of equal length, few enough for the widest to take 32 MiB."""
    n = arrays[0].shape[0]
    size = max(1, min(_BLOCK_BYTES // (array.nbytes // n) for array in arrays))
    ranges = [(start, min(start + size, n)) for start in range(0, n, size)]
    if arguments.quiet or len(ranges) == 1:
        yield from ranges
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(arguments.name, total=n)
        for start, stop in ranges:
            yield start, stop
            progress.advance(task, stop - start)


def _read(array, start, stop, index=slice(None)):
    """Return rows of an array; ValueError names the first one that is not finite."""
    block = array.read(start, stop)[index]
    finite = np.isfinite(block).all(1)
    if not finite.all():
        row = start + np.arange(stop - start)[index][np.argmin(finite)]
        raise ValueError(f"{array.name} holds NaN or infinity, first in row {row}")
    return block


def _chosen(rows, arguments, *arrays):
    """Yield (slice of the ascending `rows`, those rows of each array) block by block."""
    for start, stop in _ranges(arguments, *arrays):
        first, last = np.searchsorted(rows, (start, stop))
        if first < last:
            index = rows[first:last] - start
            yield slice(first, last), *(_read(array, start, stop, index) for array in arrays)


def _print(arguments, result):
    if arguments.json:
        print(json.dumps(result))
        return
    from rich.console import Console

    console = Console()
    for table in _tables(arguments.name, result):
        console.print(table)


def _tables(title, result):
    from rich.table import Table

    unmapped = result.get("unmapped", {})
    table = Table("", title, *(["without a map"] if unmapped else []), box=None)
    nested = []
    for name, value in result.items():
        if isinstance(value, dict):
            nested += [] if name == "unmapped" else _tables(name, value)
        else:
            table.add_row(name, _text(value), *([_text(unmapped.get(name, ""))] if unmapped else []))
    return [table, *nested]


def _text(value):
    if isinstance(value, list):
        return "  ".join(map(_text, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
