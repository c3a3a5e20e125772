"""What the subcommands of `align` do with their parsed arguments; the arguments themselves are in `__main__`."""

import dataclasses
import json
import signal
from inspect import Parameter, signature
from pathlib import Path

import numpy as np

from align import files

# The signals that have come.
received: list[int] = []
_BLOCK_BYTES = 1 << 25
_STREAMED = ("orthogonal", "rigid", "similarity", "linear", "affine", "ridge")


# Commands


def fit(arguments):
    """Fit a map on the rows of two files and write it, scored on the rows held out, if any."""
    solver, options = _solver(arguments.solver, arguments.set)
    source, target = _open_pairs(arguments.source, arguments.target)
    weights = None if arguments.weights is None else _open_weights(arguments.weights, source)
    _check_output(arguments, suffixes=(".safetensors",))
    n = source.shape[0]
    held, chosen = _selections(n, arguments)
    arrays = [source, target] + ([] if weights is None else [weights])
    rows = int(chosen.sum())
    try:
        if sum(array.nbytes for array in arrays) / n * rows > arguments.memory * 2**30:
            fitted = _stream(arguments, options, arrays, chosen)
        else:
            parts = zip(*(part[1:] for part in _chosen(chosen, arguments, *arrays)), strict=True)
            x, y, *w = (np.concatenate(part) for part in parts)
            fitted = solver(x, y, weights=w[0][:, 0] if w else None, **options)
    except TypeError as error:
        if not options:
            raise
        raise ValueError(f"--set {' '.join(arguments.set)}: {error}") from error
    if fitted.converged is not None and not bool(fitted.converged):
        raise ValueError(f"{arguments.solver} did not converge on {rows} rows; nothing was written")
    known = {"solver": arguments.solver, "options": json.dumps(options), "rows": rows}
    if path := getattr(fitted.details, "_asdict", dict)():
        known |= {name: float(path[name]) for name in ("strength", "degrees_of_freedom", "leave_one_out")}
    result = describe(fitted) | known | {"output": arguments.output}
    if held.any():
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


def _selections(n, arguments):
    """Return masks of the rows to hold out and of those to fit on."""
    held, chosen = np.zeros(n, bool), np.ones(n, bool)
    count = round(arguments.holdout * n)
    anchors = n - count if arguments.anchors is None else arguments.anchors
    if anchors > n - count:
        raise ValueError(f"--anchors {anchors} of {n} rows, of which {count} are held out")
    if 0 < count < 4:
        raise ValueError(f"--holdout {arguments.holdout} of {n} rows leaves {count} to score on; expected 4 or more")
    if anchors < n:
        order = np.random.default_rng(arguments.seed).permutation(n)
        held[order[:count]] = True
        chosen[:] = False
        chosen[order[count : count + anchors]] = True
    return held, chosen


def _scores(fitted, source, target, arguments, rows=None):
    """Return scores over a mask of rows (all of them if None) in one pass, and a sample's for what compares pairs."""
    from align import metrics

    rows = np.ones(source.shape[0], bool) if rows is None else rows
    count = int(rows.sum())
    sampled = np.zeros(len(rows), bool)
    some = np.random.default_rng(arguments.seed).choice(count, min(count, arguments.sample), replace=False)
    sampled[some if count == len(rows) else np.flatnonzero(rows)[some]] = True
    error = cosine = sums = squares = 0.0
    shift, sample = None, []
    for block, x, y in _chosen(rows, arguments, source, target):
        mapped = np.asarray(fitted(x))
        kept = sampled[block][rows[block]]
        sample.append((x[kept], mapped[kept], y[kept]))
        mapped, y = mapped.astype(np.float64), y.astype(np.float64)
        shift = y.mean(0) if shift is None else shift  # near the mean, so that the sums of squares do not cancel
        error += np.sum((mapped - y) ** 2)
        sums, squares = sums + np.sum(y - shift, 0), squares + np.sum((y - shift) ** 2)
        cosine += np.sum(np.sum(mapped * y, 1) / (np.linalg.norm(mapped, axis=1) * np.linalg.norm(y, axis=1)))
    relative = float(np.sqrt(error / (squares - np.sum(sums**2) / count)))
    x, mapped, y = (np.concatenate(parts) for parts in zip(*sample, strict=True))

    def compared(x):
        ranks = np.asarray(metrics.retrieval_ranks(x, y, metric=arguments.metric)) if x.shape == y.shape else None
        retrieval = {} if ranks is None else {f"top_{k}": float(np.mean(ranks <= k)) for k in (1, 5, 10)}
        retrieval |= {} if ranks is None else {"mean_reciprocal_rank": float(np.mean(1 / ranks))}
        return retrieval | {"linear_cka": float(metrics.linear_cka(x, y, unbiased=True))}

    return {
        "rows": count,
        "relative_residual": relative,
        "r_squared": 1 - relative**2,
        "mean_cosine": float(cosine / count),
        "sample": len(x),
        **compared(mapped),
        "unmapped": compared(x),
    }


def _stream(arguments, options, arrays, chosen):
    """Fit from the sufficient statistics of rows that are read block by block and never held together."""
    from align import streaming

    if arguments.solver not in _STREAMED:
        raise ValueError(
            f"{chosen.sum()} rows are more than --memory {arguments.memory} holds, and {arguments.solver} needs them "
            f"at once: allow more, choose --anchors, or one of {', '.join(_STREAMED)}"
        )

    def blocks():
        # Rows that were not chosen weigh nothing: blocks of one size are compiled once.
        for start, stop in _ranges(arguments, *arrays):
            index = np.flatnonzero(chosen[start:stop])
            x, y, *w = (_read(array, start, stop, index) for array in arrays)
            whole = [np.zeros((stop - start, part.shape[1]), part.dtype) for part in (x, y)] + [np.zeros(stop - start)]
            for block, part in zip(whole, (x, y, w[0][:, 0] if w else 1), strict=True):
                block[index] = part
            yield whole

    record = streaming.from_blocks(blocks())
    if arguments.solver == "ridge":
        fitted = streaming.ridge(record, **options)
    else:
        fitted = streaming.fit(record, arguments.solver, **options)
    dtype = np.result_type(*(np.promote_types(array.dtype, np.float32) for array in arrays[:2]))
    return dataclasses.replace(fitted, weight=fitted.weight.astype(dtype), bias=fitted.bias.astype(dtype))


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


def stop(number, frame=None):
    """Stop the command at SIGINT or SIGTERM, with exit code 128 + number."""
    received.append(number)
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)


def _ranges(arguments, *arrays):
    """Yield (start, stop) over the rows of arrays of equal length, few enough for the widest to take 32 MiB.

    An exception that a signal raises inside a callback of the runtime is swallowed there, so every block asks again.
    """
    for block in _blocks(arguments, *arrays):
        yield block
        if received:
            stop(received[0])


def _blocks(arguments, *arrays):
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
    """Yield (slice, the rows within it that a mask chooses of each array), where there are any."""
    for start, stop in _ranges(arguments, *arrays):
        index = np.flatnonzero(rows[start:stop])
        if len(index):
            yield slice(start, stop), *(_read(array, start, stop, index) for array in arrays)


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
