"""How often nothing known was enough, and how far the confidence of `solvers.unpaired` can be trusted."""

from collections import Counter
from statistics import median

from align import paper
from align.dataset_names import family

# What counts as right without pairs: below this many times the map of all pairs (rigid at latent 2) of the same two
# networks.
RIGHT = 1.02


def verdicts(latent: int, found: list[dict], reference: str) -> list[str]:
    """Say in a line how many runs without pairs were right, and were reported as confident; [] where none can be told.

    found: rows of maps from one architecture to another, or itself, between networks that were trained in one way.

    Right is, where the paper's Table 5 has a linear map from anchors between these architectures, an error of at most
    that map's, and elsewhere one hardly above that of the reference from all pairs.
    """
    runs = [row for row in found if row["method"] == "unpaired" and row["anchors"] is None]
    of_all = {_pair(row): row["test_error"] for row in found if (row["method"], row["anchors"]) == (reference, None)}
    limit, anchors = _papers_linear(latent, found[0])
    if not runs or not (limit or {_pair(row) for row in runs} <= of_all.keys()):
        return []
    if limit:
        meaning = f"at most {limit}, the error of the linear map from {anchors} anchors in the paper's Table 5"
    else:
        meaning = f"at most {RIGHT} times the {reference} map of all pairs of the same two networks"
    right = [row["test_error"] <= (limit or RIGHT * of_all[_pair(row)]) for row in runs]
    sure = [ok for ok, row in zip(right, runs, strict=True) if row["confident"]]
    between = f"{len({_pair(row) for row in runs})} ordered pairs of networks"
    text = f"Nothing known: {sum(right)} of {len(right)} runs on {between} are right ({meaning}); {len(sure)} were "
    text += f"reported as confident, and of these {sum(sure)} are right."
    if limit and {_pair(row) for row in runs} <= of_all.keys():
        ratios = [row["test_error"] / of_all[_pair(row)] for row in runs]
        text += f" Against the {reference} map of all pairs of the same two networks, they have {min(ratios):.2f} to "
        text += f"{max(ratios):.2f} times its error."
    text += f" A run took {median(row['seconds'] for row in runs):.0f} s by the clock (median)."
    if controls := [row for row in found if row["method"].startswith("control")]:
        text += f" Of {len(controls)} runs between unrelated clouds {sum(row['confident'] for row in controls)} were "
        text += "reported as confident"
        lacking = _lacking(controls, {_pair(row) for row in [*runs, *controls]})
        text += f"; {lacking} of {len(controls) + lacking} have not been made." if lacking else "."
    return ["", text]


def _lacking(controls, pairs):
    """Count the runs that ordered pairs of networks lack of a control, against the pair that has most of them."""
    made = Counter((row["method"], *_pair(row)) for row in controls)
    most = {method: max(made[method, *pair] for pair in pairs) for method in {method for method, *_ in made}}
    return sum(most[method] - made[method, *pair] for method in most for pair in pairs)


def _papers_linear(latent, row):
    """Give the error of the paper's linear map between two architectures and its anchors, None and None within one."""
    wanted = (5, family(row["dataset"]), "linear", row["source_model"], row["target_model"], latent)
    return next(((cell.mean, key.anchors) for key, cell in paper.CELLS.items() if key[:6] == wanted), (None, None))


def _pair(row):
    return row["source_seed"], row["target_seed"]
