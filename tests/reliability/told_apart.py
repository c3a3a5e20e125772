"""Count how often rows of a map's own space are refused, and how often rows of another are: real texts, real encoders.

    python tests/reliability/told_apart.py --vectors=vectors.npz    # [texts, d] by encoder, rows of the same texts
    python tests/reliability/told_apart.py                          # the sample that is shipped

Maps go between every ordered pair of encoders, from so many texts; rows are of texts that no map has seen, 20 and 200,
drawn at random or the nearest neighbours of one (what a file of one topic looks like). Encoders are compared at one
width: wider ones are cut into stretches of coordinates, each an encoder of its own. The sample, whose axes are
principal ones, is turned at random first. The exit code is 0 where no row of its own space was refused, and of maps
from 300 texts and more 98 % of all others at least.
"""

import argparse
import itertools
import sys

import numpy as np

from align.data.texts import encoder_sample
from align.maps import fingerprint

FITTED, ASKED, CLEAR = (100, 300, 1000, 6000), (20, 200), 300


def spaces(path):
    """Give unit rows `[texts, d]` of one width by encoder."""
    if path:
        with np.load(path) as file:
            arrays = {name: file[name].astype(np.float32) for name in file.files}
    else:
        random = np.random.default_rng(0)
        arrays = {}
        for name, rows in encoder_sample()._asdict().items():
            mean = random.normal(size=rows.shape[1]) * 0.25 / rows.shape[1] ** 0.5
            arrays[name] = rows @ np.linalg.qr(random.normal(size=(rows.shape[1],) * 2))[0] + mean
    width = min(rows.shape[1] for rows in arrays.values())
    cut = {
        f"{name}[{start}:{start + width}]" if rows.shape[1] > width else name: rows[:, start : start + width]
        for name, rows in arrays.items()
        for start in range(0, rows.shape[1] - width + 1, width)
    }
    return {name: rows / np.linalg.norm(rows, axis=1, keepdims=True) for name, rows in cut.items()}


def samples(rows, count, size, random):
    """Yield so many samples, one half drawn and one half neighbours."""
    for _ in range(count // 2):
        yield rows[random.choice(len(rows), size, replace=False)]
        yield rows[np.argsort(-rows @ rows[random.integers(len(rows))])[:size]]


def counts(source, target, others, fitted, asked, tries, random):
    """Return how many samples are refused of how many, by what they are: arrays `[texts, d]`, the first for the fit."""
    n = min(fitted, len(source) // 2)
    known = random.choice(len(source) // 2, n, replace=False)
    here, there = (fingerprint.take(rows[known]) for rows in (source, target))
    here, there = (fingerprint.from_text(fingerprint.as_text(space)) for space in (here, there))
    unseen = slice(len(source) // 2, None)
    kinds = {
        "its own": [source[unseen]],
        "the target's": [target[unseen]],
        "another encoder's": [rows[unseen] for rows in others],
        "not unit": [1.3 * source[unseen]],
    }
    return {
        kind: [
            fingerprint.foreign(here, rows, there) is not None
            for cloud in clouds
            for rows in samples(cloud, tries, asked, random)
        ]
        for kind, clouds in kinds.items()
    }


def main():
    """Count, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", help=".npz file of arrays [texts, d], one an encoder")
    parser.add_argument("--tries", type=int, default=50, help="samples of a kind, for each pair (%(default)s)")
    arguments = parser.parse_args()
    random, found = np.random.default_rng(0), spaces(arguments.vectors)
    sound = True
    for fitted, asked in itertools.product(FITTED, ASKED):
        total = {}
        for source, target in itertools.permutations(found, 2):
            others = [rows for name, rows in found.items() if name not in (source, target)]
            some = counts(found[source], found[target], others, fitted, asked, arguments.tries, random)
            for kind, refused in some.items():
                total.setdefault(kind, []).extend(refused)
        said = ", ".join(f"{kind} {sum(refused)} of {len(refused)}" for kind, refused in total.items() if refused)
        print(f"map from {fitted} texts, {asked} rows refused: {said}", flush=True)
        sound &= not any(total["its own"])
        sound &= fitted < CLEAR or all(
            np.mean(refused or 1) >= 0.98 for kind, refused in total.items() if kind != "its own"
        )
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
