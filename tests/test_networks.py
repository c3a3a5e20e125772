"""Networks are found again by what they are, never trained twice, and go on from their last epoch to the same end."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import jax
import numpy as np
import pytest
from flax import linen as nn

from align import checkpoints, models, networks, training

SETTINGS = training.Settings(epochs=3, batch=16, learning_rate=1e-2)
IDENTITY = {"kind": "dense", "dataset": "synthetic", "latent": 4}
INPUTS = jax.random.normal(jax.random.key(0), (64, 5))
TARGETS = INPUTS[:, :3] ** 2


def obtain(folder, seeds=(0, 1, 2), settings=SETTINGS, model=None, identity=IDENTITY, **options):
    identities = [{**identity, "seed": seed} for seed in seeds]
    return networks.obtain(model or nn.Dense(3), identities, INPUTS, TARGETS, settings, folder, **options)


def leaves(params):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(params)]


def equal(some, others):
    return all(np.array_equal(a, b) for a, b in zip(leaves(some), leaves(others), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with three trained networks, and their parameters."""
    folder = tmp_path_factory.mktemp("networks")
    return folder, obtain(folder)


def test_a_trained_network_is_found_again_and_not_trained(trained, monkeypatch):
    folder, params = trained
    monkeypatch.setattr(checkpoints, "save", lambda *_: pytest.fail("trained again"))
    rounds = []
    again = obtain(folder, after_round=lambda epochs, loss: rounds.append((epochs, loss)))
    assert equal(params, again)
    ((epochs, loss),) = rounds
    assert epochs == 9 and math.isnan(loss)


def test_a_seed_may_be_of_numpy_and_keys_of_any_kind(trained):
    folder, params = trained
    assert equal(params[1], obtain(folder, seeds=(np.int64(1),))[0])
    known = networks.named_key(1, "order")
    with jax.default_prng_impl("rbg"):
        assert networks.named_key(1, "order") == known


def test_a_network_is_found_beside_new_ones(trained, tmp_path):
    _, params = trained
    alone = obtain(tmp_path, seeds=(1,))
    rounds = []
    more = obtain(tmp_path, after_round=lambda epochs, loss: rounds.append(epochs))
    assert equal(alone[0], more[1])
    assert rounds[0] == 3 and sum(rounds) == 9
    difference = max(np.abs(a - b).max() for a, b in zip(leaves(params), leaves(more), strict=True))
    assert difference <= 1e-5


@pytest.mark.parametrize("rounds", [1, 2, 3, 4])
def test_an_interrupted_training_ends_bitwise_where_an_uninterrupted_one_does(trained, tmp_path, rounds):
    _, params = trained
    passed = itertools.count(1)

    def stop(epochs, loss):
        if next(passed) == rounds:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        obtain(tmp_path, after_round=stop)
    done = networks.trained_share(nn.Dense(3), [{**IDENTITY, "seed": s} for s in range(3)], SETTINGS, tmp_path)
    resumed = []
    again = obtain(tmp_path, after_round=lambda epochs, loss: resumed.append(epochs))
    assert 0 < done < 1 and resumed[0] == round(9 * done) and sum(resumed) == 9
    assert equal(params, again)


OTHERS = {
    "epochs": {"settings": dataclasses.replace(SETTINGS, epochs=2)},
    "learning rate": {"settings": dataclasses.replace(SETTINGS, learning_rate=2e-2)},
    "schedule": {"settings": dataclasses.replace(SETTINGS, schedule="constant")},
    "architecture": {"model": nn.Dense(3, use_bias=False)},
    "dataset": {"identity": {**IDENTITY, "dataset": "other"}},
    "context": {"context": "an encoder"},
    "seed": {"seeds": (5,)},
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_network_is_trained_and_both_are_kept(trained, tmp_path, other):
    _, params = trained
    rounds = []
    obtain(tmp_path, seeds=(0,))
    (different,) = obtain(tmp_path, **{"seeds": (0,), **OTHERS[other]})
    assert len(list(tmp_path.iterdir())) == 2
    if other != "context":  # which only names what the inputs came from
        assert jax.tree.structure(different) != jax.tree.structure(params[0]) or not equal(different, params[0])
    (first,) = obtain(tmp_path, seeds=(0,), after_round=lambda epochs, loss: rounds.append(loss))
    assert len(rounds) == 1 and math.isnan(rounds[0])  # found, not trained
    assert max(np.abs(a - b).max() for a, b in zip(leaves(first), leaves(params[0]), strict=True)) <= 1e-5


class Bent(nn.Module):
    """A layer whose fields hold functions, of which Flax shows the name alone."""

    bend: Callable = jax.nn.relu
    initial: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x):
        return self.bend(nn.Dense(3, kernel_init=self.initial)(x))


def bent(slope):
    return lambda x: slope * x


def test_functions_in_the_fields_of_a_model_tell_it_from_others():
    def described(**fields):
        return networks._describe(Bent(**fields), IDENTITY, SETTINGS, "")[0]

    several = [
        {},
        {"bend": jax.nn.gelu},
        {"bend": functools.partial(jax.nn.gelu, approximate=True)},
        {"bend": functools.partial(jax.nn.gelu, approximate=False)},
        {"initial": nn.initializers.orthogonal()},
        {"initial": nn.initializers.orthogonal(2.0)},
        {"bend": lambda x: x},
        {"bend": lambda x: x + 1},
        {"bend": bent(1)},
        {"bend": bent(2)},
    ]
    wrapped = (jax.checkpoint(bent(1)), jax.checkpoint(bent(2)), jax.grad(bent(2)), jax.jit(bent(2)))
    several += [{"bend": each} for each in wrapped]
    several += [{"bend": lambda x, slope=slope: slope * x} for slope in (1, 2)]
    names = [described(**fields) for fields in several]
    assert len(set(names)) == len(names)
    assert described(bend=bent(2)) == names[9] and described(initial=nn.initializers.orthogonal(2.0)) == names[5]
    assert described(bend=functools.partial(jax.nn.gelu, approximate=True)) == names[2]
    own = models.autoencoder("conv", 4, "mnist")  # has none
    assert networks._describe(own, IDENTITY, SETTINGS, "")[1]["architecture"] == " ".join(repr(own).split())


def test_a_field_that_does_not_say_what_it_computes_needs_a_context(tmp_path):
    class Slope:
        def __call__(self, x):
            return 2 * x

        def apply(self, x):
            return 2 * x

    for field in (Slope(), Slope().apply, functools.partial(bent(1), Slope()), jax.vmap(bent(1))):
        with pytest.raises(ValueError, match=r"model has a field .* name that by context="):
            obtain(tmp_path, seeds=(0,), model=Bent(bend=field))
    assert len(obtain(tmp_path, seeds=(0,), model=Bent(bend=Slope()), context="twice")) == 1


def test_settings_may_be_of_numpy(trained):
    folder, params = trained
    settings = dataclasses.replace(SETTINGS, epochs=np.int64(3), learning_rate=np.float64(1e-2))
    assert equal(params, obtain(folder, settings=settings))


def test_what_others_have_done_is_kept_where_one_comes_to_nothing(tmp_path, monkeypatch):
    def diverged(model, states, *known, after_round, **options):
        losses = enumerate((np.float32(0.5), np.float32("nan"), np.float32(0.5)))
        after_round({k: states[k]._replace(epoch=np.int32(1), loss=loss) for k, loss in losses})

    monkeypatch.setattr(training, "fit", diverged)
    with pytest.raises(RuntimeError, match="NaN or infinity in epoch 1"):
        obtain(tmp_path)
    dense = nn.Dense(3)
    kept = [networks.trained_share(dense, [{**IDENTITY, "seed": seed}], SETTINGS, tmp_path) for seed in range(3)]
    assert kept == [1 / 3, 0, 1 / 3]


def test_seeds_are_different_networks(trained):
    _, params = trained
    for a, b in itertools.combinations(params, 2):
        assert np.abs(leaves(a)[1] - leaves(b)[1]).max() > 1e-2


def test_share_of_the_training_that_is_done(trained, tmp_path):
    folder, _ = trained
    identities = [{**IDENTITY, "seed": seed} for seed in range(3)]
    share = [networks.trained_share(nn.Dense(3), identities[:n], SETTINGS, folder) for n in (1, 3)]
    assert share == [1, 1]
    unknown = [*identities, {**IDENTITY, "seed": 3}]
    assert networks.trained_share(nn.Dense(3), unknown, SETTINGS, folder) == 0.75
    assert networks.trained_share(nn.Dense(3), identities, SETTINGS, tmp_path / "nowhere") == 0


def test_a_folder_says_what_it_holds(trained):
    folder, _ = trained
    names = sorted(path.name.rsplit("-", 1)[0] for path in folder.iterdir())
    assert names == [f"dense-synthetic-latent4-seed{seed}" for seed in range(3)]


def test_a_checkpoint_that_was_swapped_is_refused(trained, tmp_path):
    obtain(tmp_path, seeds=(0, 1))
    first, second = sorted(tmp_path.iterdir())
    first.rename(tmp_path / "aside")
    second.rename(first)
    with pytest.raises(checkpoints.CheckpointError, match="is of another network: it was trained as"):
        obtain(tmp_path, seeds=(0, 1))


def test_a_training_that_comes_to_nothing_says_so_and_is_not_kept(tmp_path):
    settings = dataclasses.replace(SETTINGS, learning_rate=1e30)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"NaN or infinity in epoch 1, at learning rate 1e\+30; expected"):
            obtain(tmp_path, settings=settings)
    assert networks.trained_share(nn.Dense(3), [{**IDENTITY, "seed": 0}], settings, tmp_path) == 0


def test_named_keys_differ_by_purpose_and_seed():
    keys = [
        networks.named_key(seed, *names)
        for seed in range(3)
        for names in [("initialise",), ("order",), ("anchors", "1"), ("anchors", "2"), ("1", "anchors")]
    ]
    drawn = {tuple(np.asarray(jax.random.key_data(key)).tolist()) for key in keys}
    assert len(drawn) == len(keys)
    again = networks.named_key(2, "anchors", "2")
    assert (jax.random.key_data(again) == jax.random.key_data(keys[13])).all()
