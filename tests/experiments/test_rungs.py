"""The maps of the ladder on latents that are a turn of each other: which of them find it, and what their rows tell."""

import jax
import numpy as np
import pytest

from align import solvers
from align_lab.ends import Ends
from align_lab.ladder import ladder_page, rung_maps, verdicts
from align_lab.ladder.best_correction import best_correction
from align_lab.trainings import Network

CLASSES, D = 4, 3


@pytest.fixture(scope="module")
def ends():
    """Two networks whose codes are skewed clumps, a clump per class, the target's turned and moved."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % CLASSES
    centres = 4 * rng.normal(size=(CLASSES, D))
    source = centres[labels] + rng.exponential(size=(400, D)) * [1.5, 0.8, 0.3]
    target = source @ np.linalg.qr(rng.normal(size=(D, D)))[0] + 2
    codes = [jax.numpy.asarray(array, jax.numpy.float32) for array in (source, target)]
    networks = [Network("conv", seed, None, None, array, None) for seed, array in enumerate(codes)]
    return Ends(*networks, labels)


def error(fitted, ends):
    """Give the error of a map relative to the spread of the target."""
    target = np.asarray(ends.target.train)
    return float(np.linalg.norm(fitted(ends.source.train) - target) / np.linalg.norm(target - target.mean(0)))


@pytest.mark.parametrize("method", ["rigid", "ridge"])
@pytest.mark.parametrize("count", [20, None])
def test_pairs_find_the_turn(ends, method, count):
    fitted, told = rung_maps.fit(method, count, None, ends, [])
    assert error(fitted, ends) < 1e-3
    assert set(told) == ({"strength", "towards", "leave_one_out", "degrees_of_freedom"} if method == "ridge" else set())


@pytest.mark.parametrize("how", ["class_balanced", "neighbourhoods"])
def test_selected_anchors_find_the_turn(ends, how):
    fitted, _ = rung_maps.fit(f"ridge_{how}", 2 * D + 2, None, ends, [])
    assert error(fitted, ends) < 1e-2


def test_the_picture_has_every_point_of_the_paper():
    points = ladder_page._papers("mnist", 50, "conv", "conv")
    assert points == {"paper, rigid": {100: 0.551, 200: 0.542}, "paper, linear": {100: 0.5, 200: 0.490}}


def test_polishing_comes_closer_than_the_means_of_halves(ends):
    means, _ = rung_maps.fit("means_linear", None, None, ends, [])
    polished, _ = rung_maps.fit("means_linear_polished", None, None, ends, [])
    assert error(polished, ends) < error(means, ends)


def test_the_best_correction_is_nearer_than_the_map_and_than_the_pairs_alone():
    rng = np.random.default_rng(0)
    truth = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    off = np.zeros((12, 12))
    off[8:, 8:] = 0.4 * rng.normal(size=(4, 4))  # the clouds have settled eight of the axes
    x = rng.normal(size=(3000, 12))
    y = x @ truth + 0.3 * rng.normal(size=x.shape)
    x, y, truth, weight = (jax.numpy.asarray(z, jax.numpy.float32) for z in (x, y, truth, truth + off))
    fitted, pairs = solvers.AffineMap(0.9 * weight, jax.numpy.zeros(12)), (x[:30], y[:30])
    found = best_correction((x[:1500], y[1500:]), fitted, pairs, (x, y), solvers.affine(x, y))

    def missed(one):
        return float(jax.numpy.linalg.norm(one.weight - truth))

    assert missed(found) < 0.9 * missed(solvers.ridge(*pairs)) < 0.5 * missed(fitted)
    narrower = [(one[0], one[1][:, :5]) for one in ((x[:1500], y[1500:]), pairs, (x, y))]
    fitted = solvers.AffineMap(weight[:, :5], jax.numpy.zeros(5))
    assert np.isfinite(best_correction(narrower[0], fitted, *narrower[1:], solvers.affine(*narrower[2])).weight).all()


def test_halves_share_no_image(ends):
    source, source_labels, target, target_labels = rung_maps.halves(ends)
    whole, seen = np.asarray(ends.source.train), np.asarray(source)
    assert len(source) + len(target) == len(ends.labels) == len(source_labels) + len(target_labels)
    others = {tuple(row) for row in whole} - {tuple(row) for row in seen}
    assert len(others) == len(target)


def test_nothing_known_tells_how_sure_it_is(ends):
    _, told = rung_maps.fit("unpaired", None, 0, ends, [])
    assert set(told) == {"confident", "contrast", "agreement"}
    assert -1 <= told["agreement"] <= 1 and isinstance(told["confident"], bool)


def test_a_few_pairs_beside_the_clouds_find_the_turn(ends):
    fitted, told = rung_maps.fit("unpaired", 5, 0, ends, [])
    assert error(fitted, ends) < 0.02 and set(told) == {"confident", "contrast", "agreement"}


def maps_between(method, count, **columns):
    """Give rows of so many runs between each of two ordered pairs of networks."""
    row = {"dataset": "fashion_mnist", "source_model": "conv", "target_model": "mlp", "method": method}
    row |= {"anchors": None, "test_error": 0.2, "confident": True, "seconds": 1.0, **columns}
    return [{**row, "source_seed": 0, "target_seed": seed} for seed in (0, 1) for _ in range(count)]


def test_what_is_right_is_said_of_the_papers_map_as_it_is():
    runs = [*maps_between("unpaired", 1), *maps_between("unpaired", 1, test_error=0.25)]
    _, text = verdicts.verdicts(50, [*runs, *maps_between("linear", 1, test_error=0.1)], "linear")
    limit = "at most 0.241, the error of the linear map from 100 anchors in the paper's Table 5"
    assert f"2 of 4 runs on 2 ordered pairs of networks are right ({limit})" in text
    assert "they have 2.00 to 2.50 times its error" in text
    _, text = verdicts.verdicts(100, runs, "linear")
    assert "at most 0.162, the error of the linear map from 200 anchors" in text and "they have" not in text


def test_controls_that_have_not_been_made_are_said():
    runs, controls = maps_between("unpaired", 3), maps_between("control_noise", 3, confident=False)
    for made, words in (
        (controls, "Of 6 runs between unrelated clouds 0 were reported as confident."),
        (controls[1:], "Of 5 runs between unrelated clouds 0 were reported as confident; 1 of 6 have not been made."),
        (controls[:3], "Of 3 runs between unrelated clouds 0 were reported as confident; 3 of 6 have not been made."),
    ):
        assert verdicts.verdicts(50, [*runs, *made], "linear")[1].endswith(words)
