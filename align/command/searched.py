"""`align score --corpus`: what a search finds with a map, without it, and after a second look by the new encoder."""

import argparse
import functools
from typing import NamedTuple

import numpy as np

from align import files, metrics, search
from align.command import belonging, blocks, faults, pairing
from align.maps import AffineMap
from align.metrics import running_sums

_SOME, _FEW = 1000, 20  # documents by which two sides look related or not, and below which nothing is said of it


def measure(
    fitted: AffineMap,
    source: files.Rows,
    target: files.Rows,
    arguments: argparse.Namespace,
    rows: np.ndarray,
    *,
    top: int,
) -> tuple[dict, list[str], dict]:
    """Return what is found by queries, the pairs of a mask `[n]`, among the documents of --corpus, with intervals.

    top: documents to be found. Also warnings, where documents are not of the map's spaces and --force says to go on,
    and what is wrong with rows of the corpus, by array.
    """
    asked = dict(zip(("source", "target"), arguments.corpus, strict=True))  # joined and normalised as the queries are
    keys = ((arguments.source, arguments.id), (arguments.target, arguments.target_id or arguments.id))
    if arguments.id is not None and any(files.ids_apart(*each) for each in keys):
        asked |= {"id": None, "target_id": None}  # but not by files of the queries' ids
    old, new, _, joined = pairing.open_pairs(argparse.Namespace(**vars(arguments) | asked))
    for queries, documents in ((source, old), (target, new)):
        if queries.shape[1] != documents.shape[1]:
            raise ValueError(
                f"--corpus {documents.name} has {documents.shape[1]} dimensions and the queries of {queries.name} "
                f"{queries.shape[1]}; expected the same encoder"
            )
    if old.shape[0] <= top:
        raise ValueError(f"--corpus {old.name} has {old.shape[0]} rows; expected more than --top {top}")
    sound, bad = faults.usable(arguments, old, new)
    parts = [part[1:] for part in blocks.chosen(rows, arguments, source, target)]
    x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    asks = x.any(1) & y.any(1)  # a query of zeros is similar to nothing
    if not asks.any():
        raise ValueError(f"of each query the row of {source.name} or of {target.name} is zero; none is left to ask")
    x, y = x[asks], y[asks]
    watches = belonging.both(arguments, (old.name, new.name))
    pairs = _Pairs([], [])
    corpus = _watched(fitted, watches, pairs, sound, blocks.chosen(sound, arguments, old, new))
    measured = search.found(fitted, x, y, corpus, top=top)
    doubt, doubted = _doubt(pairs)
    worth_it, why = search.verdict(measured)
    if doubted:
        worth_it = None
        why = f"open: {doubted} of {old.name} and {new.name} look unrelated, and what is found says nothing then"
    recall = f"recall@{top}"
    told = {
        "queries": len(x),
        "documents": measured.documents,
        **({"joined_corpus": joined} if joined else {}),
        recall: {way: list(search.estimate(shares)) for way, shares in measured.ways.items()},
        **{
            f"{recall} of n candidates{of} embedded again": {
                str(n): list(search.estimate(shares)) for n, shares in shares_by_n.items()
            }
            for of, shares_by_n in (("", measured.re_ranked), (" of the old encoder", measured.old_re_ranked))
        },
        "worth_it": worth_it,
        "verdict": why,
    }
    doubts = [f"--corpus {old.name} {new.name}: {doubt}"] if doubt else []
    return told, doubts + [text for watch in watches for text in watch.warnings()], bad


class _Pairs(NamedTuple):
    """What the documents of a corpus say of whether they correspond: sums over blocks, and some (mapped, new) rows."""

    sums: list[running_sums.Sums]
    some: list[tuple[np.ndarray, np.ndarray]]


def _watched(fitted, watches, pairs, rows, corpus):
    """Yield the blocks of a corpus, of which a mask `[n]` chooses the rows, and put down what they say."""
    (index,) = np.nonzero(rows)
    some = np.zeros_like(rows)
    some[np.random.default_rng(0).choice(index, min(len(index), _SOME), replace=False)] = True
    for block, old, new in corpus:
        for watch, documents in zip(watches, (old, new), strict=True):
            watch.look(documents)
        mapped = np.asarray(fitted(old))
        pairs.sums.append(running_sums.add_up(mapped, new))
        looked_at = some[block][rows[block]]
        pairs.some.append((mapped[looked_at], new[looked_at]))
        yield old, new


def _doubt(pairs):
    """Return in words that documents do not correspond, by the map, if so; and which look unrelated."""
    total = functools.reduce(running_sums.merge, pairs.sums)
    mapped, new = (np.concatenate(rows) for rows in zip(*pairs.some, strict=True))
    if len(mapped) < _FEW:
        return None, None
    alignment = float(metrics.linear_cka(mapped, new, unbiased=True))
    mean = faults.as_the_mean(running_sums.relative_residual(total), total.rows, alignment)
    if mean is not None and faults.unrelated(alignment):
        return mean, "the documents"
    astray = faults.astray(np.asarray(metrics.retrieval_ranks(mapped, new)))
    return astray or mean, astray and "some documents"
