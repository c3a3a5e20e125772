"""The paper's claims, each with what decides it: a function from the rows to our numbers and whether they bear it out.

Methods are compared by their means over the same ordered pairs of networks; linear and rigid maps pair by pair.
"""

from collections import Counter
from statistics import fmean

from align import paper

Rows = dict[int, list[dict]]


def errors(rows: Rows, table: int, method: str, *, own: bool = False, **columns) -> dict[tuple, float]:
    """Give the errors of a method, by everything that a comparison pairs on: networks, latent and anchors.

    ValueError where two rows are of the same: they are of several trainings or data, and neither stands for both.
    """
    found = {}
    for row in rows[table]:
        same = row["source_seed"] == row["target_seed"] and row["source_model"] == row["target_model"]
        if row["method"] == method and same == own and all(row[name] == value for name, value in columns.items()):
            key = tuple(row[n] for n in ("source_model", "target_model", "latent", "source_seed", "target_seed"))
            if (key := (*key, row["anchors"])) in found:
                raise ValueError(f"rows of table {table} are of different settings")
            found[key] = row["test_error"]
    if not found:
        raise LookupError(f"no rows of {method} in table {table} with {columns}")
    return found


def mean(rows: Rows, table: int, method: str, **options) -> float:
    return fmean(errors(rows, table, method, **options).values())


def won(rows: Rows, table: int, better: str, worse: str, **options) -> tuple[int, int]:
    """Count the pairs on which one method has the smaller error, and all pairs that both have."""
    a, b = errors(rows, table, better, **options), errors(rows, table, worse, **options)
    both = a.keys() & b.keys()
    return sum(a[key] < b[key] for key in both), len(both)


def linear_beats_rigid(rows):
    wins, counts = Counter(), Counter()
    for table in (1, 3):
        for latent in sorted({row["latent"] for row in rows[table] if row["method"] == "linear"}):
            below, count = won(rows, table, "linear", "rigid", latent=latent)
            wins[latent] += below
            counts[latent] += count
    if not counts:
        raise LookupError("no rows of linear maps")
    each = "; ".join(f"{latent}: {wins[latent]} of {count}" for latent, count in counts.items())
    text = f"linear below rigid on {wins.total()} of {counts.total()} comparisons, from all pairs and from anchors"
    return f"{text}; at latent {each}", wins.total() > 0.9 * counts.total()


def stitching_falls_behind(rows):
    texts, holds = [], True
    for latent in (30, 50, 100, 150):
        best = min(mean(rows, 1, f"stitching_k{k}", latent=latent) for k in (1, 2, 4))
        linear = mean(rows, 1, "linear", latent=latent)
        texts.append(f"{latent}: {best:.4f} against {linear:.4f}")
        holds &= best > linear
    return "best stitching against linear at latent " + "; ".join(texts), holds


def two_is_best(rows):
    best = {}
    for latent in (30, 50, 100, 150):
        found = {k: mean(rows, 1, f"stitching_k{k}", latent=latent) for k in (1, 2, 4)}
        best[latent] = [k for k, error in found.items() if error == min(found.values())]  # in print, several
    text = ", ".join(f"k = {' and '.join(map(str, each))} at {latent}" for latent, each in best.items())
    return f"best {text}", sum(2 in each for each in best.values()) >= 3


def stitching_needs_many_pairs(rows):
    few = fmean(mean(rows, 3, f"stitching_k{k}", latent=50, anchors=100) for k in (1, 2, 4))
    all_pairs = fmean(mean(rows, 1, f"stitching_k{k}", latent=50) for k in (1, 2, 4))
    gap = [mean(rows, 3, "linear", latent=50, anchors=100), mean(rows, 1, "linear", latent=50)]
    text = f"latent 50: {all_pairs:.4f} from all pairs, {few:.4f} from 100; linear {gap[1]:.4f}, {gap[0]:.4f}"
    return text, few - all_pairs > 5 * (gap[0] - gap[1])


def linear_is_best_from_anchors(rows):
    best = Counter()
    settings = sorted({(row["latent"], row["anchors"]) for row in rows[3] if row["method"] == "linear"})
    if not settings:
        raise LookupError("no rows of linear maps in table 3")
    for latent, count in settings:
        methods = ("linear", "rigid", *(f"stitching_k{k}" for k in (1, 2, 4)))
        found = {method: mean(rows, 3, method, latent=latent, anchors=count) for method in methods}
        best[min(found, key=lambda method: found[method])] += 1
    text = ", ".join(f"{method} in {count}" for method, count in best.most_common())
    return f"best of the {len(settings)} settings of Table 3: {text}", best["linear"] == len(settings)


def relative_is_not_on_par(rows):
    texts, holds = [], True
    for latent, count in ((2, 50), (10, 100), (30, 300), (50, 200), (100, 300)):
        relative = mean(rows, 2, "end2end", latent=latent, anchors=count)
        linear = mean(rows, 1, "linear", latent=latent)
        texts.append(f"{latent}: {relative:.4f} against {linear:.4f}")
        holds &= relative > linear
    return "end2end against the linear map of all pairs at latent " + "; ".join(texts), holds


def nothing_gained_after_50(rows):
    own = {latent: mean(rows, 1, "autoencoder", own=True, latent=latent) for latent in (2, 10, 30, 50, 100, 150)}
    text = ", ".join(f"{latent}: {error:.4f}" for latent, error in own.items())
    floor = paper.MNIST_FLOOR
    left = (own[50] - floor) / (own[10] - floor)
    return f"{text}; of the excess over the floor at latent 10, {left:.0%} is left at 50", own[50] - own[150] < 0.01


def more_anchors_do_not_help(rows):
    texts, gains = [], []
    for method in ("decoder_only", "end2end"):
        for latent, few, many in ((2, 10, 50), (10, 50, 100), (30, 100, 300), (50, 100, 200), (100, 200, 300)):
            pair = [mean(rows, 2, method, latent=latent, anchors=count) for count in (few, many)]
            gains.append(1 - pair[1] / pair[0])
            texts.append(f"{method} {latent}: {gains[-1]:+.1%}")
    return "error less with more anchors: " + ", ".join(texts), sum(gain > 0.02 for gain in gains) <= len(gains) / 2


def relative_costs_accuracy(rows):
    texts, holds = [], True
    for latent, count in paper.ARCHITECTURE_SETTINGS:
        for model in ("conv", "mlp"):
            options = {"own": True, "source_model": model, "latent": latent}
            plain = mean(rows, 5, "autoencoder", **options)
            whole = mean(rows, 6, "end2end", **options, anchors=count)
            texts.append(f"{model} {latent}: {plain:.4f}, end2end {whole:.4f}")
            holds &= plain < whole
    return "; ".join(texts), holds


def means_lag_at_higher_latents(rows):
    texts, ratios = [], []
    for latent, count in ((2, 50), (10, 100), (30, 100), (50, 100)):
        means, anchors = (
            mean(rows, 4, "means_linear", latent=latent),
            mean(rows, 3, "linear", latent=latent, anchors=count),
        )
        ratios.append(means / anchors)
        texts.append(f"{latent}: {means:.3f} against {anchors:.3f}")
    return "linear from class means against anchors at latent " + "; ".join(texts), ratios[0] < 1.1 < min(ratios[2:])


def icp_degrades(rows):
    texts, worse = [], []
    for step in ("rigid", "linear"):
        for latent in (2, 10, 30, 50):
            before, after = (mean(rows, 4, f"means_{name}{step}", latent=latent) for name in ("", "icp_"))
            worse.append(after > before)
            texts.append(f"{step} {latent}: {before:.3f} → {after:.3f}")
    return "; ".join(texts), all(worse)


def rigidity_drops_at_50(rows):
    texts, holds = [], True
    for table, method in ((3, "rigid"), (2, "decoder_only")):
        settings = ((30, 100), (50, 100), (100, 200))
        found = {latent: mean(rows, table, method, latent=latent, anchors=count) for latent, count in settings}
        texts.append(f"{method} at latent " + ", ".join(f"{latent}: {error:.4f}" for latent, error in found.items()))
        holds &= found[50] > max(found[30], found[100])
    return "; ".join(texts), holds


def architectures_need_linear(rows):
    texts, holds = [], True
    for source, target in (("conv", "mlp"), ("mlp", "conv")):
        for latent, count in paper.ARCHITECTURE_SETTINGS:
            options = {"source_model": source, "target_model": target, "latent": latent, "anchors": count}
            linear, rigid, new = (mean(rows, 5, method, **options) for method in ("linear", "rigid", "decoder_only"))
            whole = mean(rows, 6, "end2end", **options)
            texts.append(f"{source} → {target} {latent}: linear {linear:.3f}, end2end {whole:.3f}, rigid {rigid:.3f}")
            holds &= linear < min(rigid, new, whole)
    return "; ".join(texts), holds


def relative_against_rigid(rows, table, method):
    """Compare a relative representation with the rigid map between architectures: text, and which is below it."""
    texts, below = [], []
    for source, target in (("conv", "mlp"), ("mlp", "conv")):
        for latent, count in paper.ARCHITECTURE_SETTINGS:
            options = {"source_model": source, "target_model": target, "latent": latent, "anchors": count}
            relative, rigid = mean(rows, table, method, **options), mean(rows, 5, "rigid", **options)
            texts.append(f"{source} → {target} {latent}: {relative:.3f}, rigid {rigid:.3f}")
            below.append(relative < rigid)
    return "; ".join(texts), below


def end2end_loses_more(rows):
    texts, holds = [], True
    for source, target in (("conv", "mlp"), ("mlp", "conv")):
        for latent, count in paper.ARCHITECTURE_SETTINGS:
            own = {"own": True, "source_model": target, "latent": latent}
            pair = {"source_model": source, "target_model": target, "latent": latent, "anchors": count}
            linear = mean(rows, 5, "linear", **pair) - mean(rows, 5, "autoencoder", **own)
            whole = mean(rows, 6, "end2end", **pair) - mean(rows, 6, "end2end", **own, anchors=count)
            texts.append(f"{source} → {target} {latent}: {whole:+.3f}, linear {linear:+.3f}")
            holds &= whole > linear
    return "over the target's own error, " + "; ".join(texts), holds


def end2end_beats_rigid(rows):
    text, below = relative_against_rigid(rows, 6, "end2end")
    return text, all(below)


def decoder_only_fails(rows):
    text, below = relative_against_rigid(rows, 5, "decoder_only")
    return text, not any(below)


CLAIMS = {
    "A linear map transfers better than a rigid one (4.2.1, 4.2.2)": linear_beats_rigid,
    "Stitching falls behind the linear map on the test set, from all pairs (4.2.1)": stitching_falls_behind,
    "k = 2 tends to be the best stitching for higher latents (4.2.1)": two_is_best,
    "Stitching needs many pairs; the linear map loses little with few (4.2.2)": stitching_needs_many_pairs,
    "From a few anchors the linear map is best (4.2.2)": linear_is_best_from_anchors,
    "Relative representations are not on a par with the map of all pairs (4.2.2)": relative_is_not_on_par,
    "No significant gain after latent 50 (4.2.1)": nothing_gained_after_50,
    "More anchors do not help relative representations much (4.2.2)": more_anchors_do_not_help,
    "The autoencoder alone is better than with relative representations (4.3.1)": relative_costs_accuracy,
    "Class means match anchors at low latents and lag at higher ones (4.2.3)": means_lag_at_higher_latents,
    "ICP from the class means degrades the map (4.2.3)": icp_degrades,
    "Methods that assume rigidity drop at latent 50 (4.2.2, note)": rigidity_drops_at_50,
    "Between architectures the linear map is best, the rigid inaccurate (4.3.1)": architectures_need_linear,
    "End2end loses more than the linear map between architectures (Table 6)": end2end_loses_more,
    "End2end works better than the rigid map between architectures (4.3.1)": end2end_beats_rigid,
    "Decoder-only fails completely between architectures (4.3.1)": decoder_only_fails,
}
