"""How far `solvers.unpaired` comes between real encoders: cases, and what is measured of each."""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

from align import solvers

HELD_OUT = 4000
CASES = tuple(
    f"{source}:{target}:{rows}:{pairs}"
    for rows, pairs in ((12_000, 0), (3000, 0), (1500, 0), (1500, 20), (1500, 50))
    for one, other in (("minilm_l6", "mpnet"), ("minilm_l6", "minilm_l3"), ("minilm_l3", "mpnet"))
    for source, target in ((one, other), (other, one))
)


def ranks(fitted, source, target, centre):
    """Return the rank `[n]` of each row's own match by cosine about the target's mean."""
    mapped, truth = np.asarray(fitted(source)) - centre, target - centre
    mapped, truth = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (mapped, truth))
    scores = mapped @ truth.T
    return 1 + (scores > np.diag(scores)[:, None]).sum(1)


def row_of(vectors, case, key):
    """Fit one case with one key and measure it on the held-out texts."""
    source, target, rows, pairs = case.split(":")
    rows, pairs = int(rows), int(pairs)
    texts = len(next(iter(vectors.values()))) - HELD_OUT
    order = np.random.default_rng(key).permutation(texts)
    first, second, known = order[:rows], order[rows : 2 * rows], order[texts - pairs :]
    x, held = vectors[source][first], vectors[source][texts:]
    control = target == "gaussian"
    target = "mpnet" if control else target
    y = vectors[target][second]
    if control:
        spread = np.linalg.cholesky(np.cov(y.T) + 1e-6 * np.eye(y.shape[1]))
        y = (y.mean(0) + np.random.default_rng(key).normal(size=y.shape) @ spread.T).astype(np.float32)
    given = {"pairs": (vectors[source][known], vectors[target][known])} if pairs else {}
    began = time.perf_counter()
    fitted = jax.block_until_ready(solvers.unpaired(jax.random.key(key), x, y, **given))
    seconds = time.perf_counter() - began
    found = ranks(fitted, held, vectors[target][texts:], y.mean(0))
    row = {"case": case, "key": key, "top1": float((found == 1).mean()), "top10": float((found <= 10).mean())}
    row |= {"mean_rank": float(found.mean()), "trusted": bool(fitted.trusted), "converged": bool(fitted.converged)}
    if not control:
        paired = solvers.similarity if x.shape[1] <= y.shape[1] else solvers.ridge
        ceiling = ranks(
            paired(x, vectors[target][first]), held, vectors[target][texts:], vectors[target][first].mean(0)
        )
        row["top1_paired"] = float((ceiling == 1).mean())
    if pairs:
        alone = ranks(solvers.ridge(*given["pairs"]), held, vectors[target][texts:], y.mean(0))
        row["top1_pairs_alone"] = float((alone == 1).mean())
    details = fitted.details
    row |= {
        name: round(float(getattr(details, name)), 4) for name in ("agreement", "contrast", "left_out", "confidence")
    }
    row["left_out"] = None if jnp.isnan(details.left_out) else row["left_out"]
    return row | {"why": details.explanation, "seconds": round(seconds, 1)}


def main(description):
    """Read the arguments, and print a row for each case and key."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors")
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--keys", type=int, default=10)
    arguments = parser.parse_args()
    loaded = {name: array.astype(np.float32) for name, array in np.load(arguments.vectors).items()}
    for case in arguments.cases:
        for key in range(arguments.keys):
            print(json.dumps(row_of(loaded, case, key)), flush=True)
