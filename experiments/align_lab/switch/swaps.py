"""Swaps of the encoder of a search, whatever is known: the rows, and how they are made.

The first documents of a file of vectors are the index, and its last texts ask; pairs are drawn from the index.
"""

import time
from collections.abc import Callable
from itertools import product

import jax
import numpy as np

from align import search, solvers
from align.search import families
from align.search.documents import nearest, shares_found, unit
from align_lab.store import Store
from align_lab.switch.adapters import PEERS
from align_lab.switch.groups import NO_MAP, OLD, TABLE, TOP
from align_lab.switch.switch_plans import Swap
from align_lab.texts import vectors

CANDIDATES = (50, 200)
CLOUD = 5000  # rows a side of what is fitted without pairs
CLOUDS = "auto, clouds"  # the choice, beside pairs also from a cloud of each encoder
FAMILIES = (*families.NAMES, families.GRADED)
# Methods by how they map: an index of the old encoder, or queries to it.
INDEX = ("auto", CLOUDS, *FAMILIES, "rigid", "unpaired", *PEERS)
QUERIES = ("rigid", "ridge")
AIDED = (0, 20)  # numbers of pairs beside two clouds
SECONDS = {"auto": 15.0, CLOUDS: 25.0, "unpaired": 30.0, "residual network": 20.0, "low-rank affine": 8.0}


def rows(swap: Swap) -> list[dict]:
    """List the rows that a swap asks for, without what is measured."""
    library = swap.old.library
    columns = {"table": TABLE, "dataset": vectors.name(library), "method": None}
    columns |= {"old": swap.old.encoder, "new": swap.new.encoder, "direction": None, "anchors": None, "seed": None}
    columns |= {"documents": swap.documents, "queries": library.held_out}
    made = [{**columns, "method": method} for method in swap.methods if method in (OLD, NO_MAP)]
    for seed, method, direction in product(swap.seeds, swap.methods, ("index", "queries")):
        if method in (INDEX if direction == "index" else QUERIES):
            counts = AIDED if method == "unpaired" else swap.anchors
            at = {"method": method, "direction": direction, "seed": seed}
            made += [{**columns, **at, "anchors": count} for count in counts]
    return made


def origin(swap: Swap, store: Store) -> tuple[str, str, str]:
    """Give the table, the name of the texts in its rows, and what these are."""
    library = swap.old.library
    return TABLE, vectors.name(library), vectors.source(library, store)


def cost(swap: Swap, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    return sum(SECONDS.get(row["method"], 2.0) for row in _missing(swap, store))


def _missing(swap, store):
    """List what is not there yet and can be made: vectors of other dimensions are not compared as they are."""
    old, new = (vectors.of(space, store) for space in (swap.old, swap.new))
    missing = store.missing(rows(swap))
    return [row for row in missing if row["method"] != NO_MAP or old.shape[1] == new.shape[1]]


def work(swap: Swap, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a swap that are not there yet, those from the same pairs together."""
    old, new = (unit(vectors.of(space, store)) for space in (swap.old, swap.new))
    asked = len(old) - swap.old.library.held_out
    index, queries = (old[: swap.documents], new[: swap.documents]), (old[asked:], new[asked:])
    wanted = nearest(queries[1], index[1], TOP)
    missing = sorted(_missing(swap, store), key=lambda row: (row["seed"] or 0, row["anchors"] or 0))
    clouds = index[0][:CLOUD], new[swap.documents : asked][:CLOUD]
    fitted: dict = {}
    for row in missing:
        began = time.perf_counter()
        # What families share is kept for rows from the same pairs, and a map from clouds alone for those of a seed.
        kept = ((row["seed"], row["anchors"]), row["seed"])
        fitted = {at: fitted.get(at, {}) for at in kept}
        found, told = _searched(row, index, queries, clouds, *fitted.values())
        recall = {f"of_{n}": float(shares_found(found[:, :n], wanted).mean()) for n in CANDIDATES}
        recall["recall"] = float(shares_found(found[:, :TOP], wanted).mean())
        store.add([{**row, **recall, **told, "seconds": round(time.perf_counter() - began, 2)}])
        advance(1 / len(missing))


def _searched(row, index, queries, clouds, shared, of_clouds):
    """Return the best documents `[queries, 200]` by what a row says, and what is told of its map."""
    method, count = row["method"], max(CANDIDATES)
    if row["anchors"] is None:
        return nearest(queries[0 if method == OLD else 1], index[0], count), {}
    chosen = np.random.default_rng(row["seed"]).permutation(len(index[0]))[: row["anchors"]]
    pairs = tuple(side[chosen] for side in index)
    if row["direction"] == "queries":
        return nearest(unit(np.asarray(_fit(method, row["seed"], *pairs[::-1])(queries[1]))), index[0], count), {}
    if method == "unpaired":
        fitted = _from_clouds(row["seed"], clouds, pairs if len(chosen) > 1 else None, of_clouds)
        told = {"trusted": bool(fitted.trusted)}
    elif method == CLOUDS:
        towards = _from_clouds(row["seed"], clouds, None, of_clouds)
        fitted = search.auto(*pairs, among=index[0], towards=towards)
        told = {"chosen": fitted.details.chosen}
    elif method == "auto":
        fitted = search.auto(*pairs, among=index[0])
        told = {"chosen": fitted.details.chosen}
    elif method in FAMILIES:
        if not shared:
            graded = families.grading(index[0].astype(np.float64))
            wide = (np.asarray(side, np.float64) for side in pairs)
            shared |= families.fit(*wide, families.penalties(*pairs, graded), graded)
        one = shared[method]
        fitted, told = (lambda x: x @ one.weight.astype(np.float32) + one.bias.astype(np.float32)), {}
    else:
        fitted, told = _fit(method, row["seed"], *pairs), {}
    return nearest(queries[1], unit(np.asarray(fitted(index[0]))), count), told


def _from_clouds(seed, clouds, pairs, kept):
    """Fit the map between two clouds; without pairs once, which is kept."""
    if pairs is not None:
        return solvers.unpaired(jax.random.key(seed), *clouds, pairs=pairs)
    if not kept:
        kept["map"] = solvers.unpaired(jax.random.key(seed), *clouds)
    return kept["map"]


def _fit(method, seed, source, target):
    if method in PEERS:
        return PEERS[method](seed, source, target)
    if not solvers.SOLVERS[method].fits(source.shape[1], target.shape[1]):
        # Fitted the other way round, and turned back: the transpose of a rotation.
        return solvers.SOLVERS[method].fit(target, source).inverse()
    return solvers.SOLVERS[method].fit(source, target)
