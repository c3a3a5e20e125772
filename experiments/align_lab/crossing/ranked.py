"""How near the images of held-out texts come to what the target's own encoder makes of these texts."""

import numpy as np

from align_lab.texts.unit_length import unit


def measures(images: np.ndarray, truth: np.ndarray, centre: np.ndarray) -> dict[str, float]:
    """Measure images `[n, d]` against the vectors `[n, d]` of the same texts, by cosine about `centre` `[d]`.

    top1, top10: share of texts whose own vector is the nearest, or among the ten nearest. mean_rank: of the own vector,
    1 the best; vectors that are equally near share the worst of their places, so that a constant map gains nothing.
    cosine: mean between image and own vector. About the mean, since without centring all cosines are alike and high.
    """
    images, truth = (unit(np.asarray(array) - centre) for array in (images, truth))
    similarity = images @ truth.T
    ranks = (similarity >= np.diag(similarity)[:, None]).sum(1)
    return {
        "top1": float((ranks == 1).mean()),
        "top10": float((ranks <= 10).mean()),
        "mean_rank": float(ranks.mean()),
        "cosine": float(np.diag(similarity).mean()),
    }
