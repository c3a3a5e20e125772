"""`align score`: how well a map does on pairs of rows that it was not fitted on."""

import argparse
import functools

import numpy as np

from align import files, metrics
from align.command import belonging, blocks, codes, faults, limits, pairing, parser, places, printing, searched
from align.maps import AffineMap
from align.metrics import running_sums


def score(arguments: argparse.Namespace) -> bool | int:
    """Print how well a map does on the pairs of two files; False under --strict where there is a warning.

    Rows that are not of the map's spaces are refused, unless --force says to go on. With --corpus the pairs are queries
    as well; where a figure is below --fail-under, the exit code of that.
    """
    arguments = parser.filled(arguments)
    if arguments.corpus and arguments.metric != "cosine":
        raise ValueError(f"--metric {arguments.metric} is of pairs alone; --corpus is searched by cosine")
    if arguments.top is not None and not arguments.corpus:
        raise ValueError(f"--top {arguments.top} is of a search: it needs --corpus")
    top = arguments.top or parser.TOP
    limits.check_names(arguments.fail_under, top, bool(arguments.corpus))
    fitted = places.load_map(arguments.map)
    places.check_column(arguments, arguments.source, arguments.target, *(arguments.corpus or ()))
    source, target, _, joined = pairing.open_pairs(arguments)
    places.check_takes(fitted, source, arguments)
    if fitted.weight.shape[1] != target.shape[1]:
        raise ValueError(
            f"{arguments.map} maps to {fitted.weight.shape[1]} dimensions; {target.name} has {target.shape[1]}"
        )
    if source.shape[0] < 4:
        raise ValueError(f"{source.name} has {source.shape[0]} rows; expected at least 4 to score on")
    sound, bad = faults.usable(arguments, source, target)
    if sound.sum() < 4:
        raise ValueError(f"{source.name} has {sound.sum()} rows to score on; expected at least 4")
    watches = belonging.both(arguments, (source.name, target.name))
    result, doubt = scores(fitted, source, target, arguments, sound, watches)
    warnings = [*([doubt] if doubt else []), *(text for watch in watches for text in watch.warnings())]
    if arguments.corpus:
        sampled = _sample(sound, arguments)
        found, of_corpus, bad_documents = searched.measure(fitted, source, target, arguments, sampled, top=top)
        result, warnings, bad = result | found, warnings + of_corpus, bad | bad_documents
    below = limits.below(arguments.fail_under, result)
    result |= {"joined": joined} if joined else {}
    result |= ({"bad_rows": bad} if bad else {}) | ({"warnings": warnings} if warnings else {})
    printing.show(arguments, result | ({"below": below} if below else {}))
    return codes.BELOW if below else not (warnings and arguments.strict)


def scores(
    fitted: AffineMap,
    source: files.Rows,
    target: files.Rows,
    arguments: argparse.Namespace,
    rows: np.ndarray,
    watches: tuple[belonging.Watch, ...] = (),
) -> tuple[dict, str | None]:
    """Return scores over a mask `[n]` of rows: sums over all of them, a sample's for what compares pairs.

    Also in words that a constant does as well, where it does, or that copies lower what is found. watches: of source
    and target; they are asked of every block.
    """
    sampled = _sample(rows, arguments)
    sums, sample, ends = [], [], []
    for block, x, y in blocks.chosen(rows, arguments, source, target):
        for watch, codes_of_side in zip(watches, (x, y), strict=False):
            watch.look(codes_of_side)
        mapped = np.asarray(fitted(x))
        sums.append(running_sums.add_up(mapped, y))
        ends.append(faults.ends(y))
        kept = sampled[block][rows[block]]
        sample.append((x[kept], mapped[kept], y[kept]))
    total = functools.reduce(running_sums.merge, sums)
    x, mapped, y = (np.concatenate(parts) for parts in zip(*sample, strict=True))
    result = {
        "rows": total.rows,
        "relative_residual": running_sums.relative_residual(total),
        "r_squared": running_sums.r_squared(total),
        "mean_cosine": running_sums.mean_cosine(total),
        "sample": len(x),
        **_compared(mapped, y, ranks := _ranks(mapped, y, arguments.metric), arguments.metric),
        "unmapped": _compared(x, y, _ranks(x, y, arguments.metric), arguments.metric),
    }
    mean = faults.as_the_mean(result["relative_residual"], total.rows, result["linear_cka"])
    constant = faults.constant(np.concatenate(ends), total.rows)
    return result, constant or faults.astray(ranks) or mean or faults.copied(y)


def _sample(rows, arguments):
    """Draw at most --sample of the rows that a mask chooses: a mask as well."""
    count = int(rows.sum())
    some = np.random.default_rng(arguments.seed).choice(count, min(count, arguments.sample), replace=False)
    sampled = np.zeros(len(rows), bool)
    sampled[some if count == len(rows) else np.flatnonzero(rows)[some]] = True
    return sampled


def _ranks(x, y, metric):
    """Return the rank of each row of y `[n, d]` for its row of x; None where they do not share their dimensions."""
    return np.asarray(metrics.retrieval_ranks(x, y, metric=metric)) if x.shape == y.shape else None


def _compared(x, y, ranks, metric):
    """Return what a sample of x `[n, d]` says beside y: retrieval where there are ranks, and alignment."""
    result = {}
    if ranks is not None:
        # Rows that count as missed rank last, which among few is not beyond k.
        result = {
            f"top_{k}": float(np.mean(ranks <= k) if k < len(x) else metrics.top_k_accuracy(x, y, k=k, metric=metric))
            for k in (1, 5, 10)
        }
        result["mean_reciprocal_rank"] = float(np.mean(1 / ranks))
    return result | {"linear_cka": float(metrics.linear_cka(x, y, unbiased=True))}
