"""One fit for all: seeds in parallel are seeds alone, rounds go on from anywhere, settings are checked."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import linen as nn

from align import training

SETTINGS = training.Settings(epochs=3, batch=16, learning_rate=1e-2)
NETWORK = nn.Dense(3)


def problem(seed=0, n=100):
    keys = jax.random.split(jax.random.key(seed), 2)
    inputs = jax.random.normal(keys[0], (n, 4))
    return inputs, inputs @ jax.random.normal(keys[1], (4, 3))


def fitted(seeds, settings=SETTINGS, data=None, **options):
    inputs, targets = data or problem()
    first = inputs[0] if isinstance(inputs, list) else inputs
    states = [training.start(NETWORK, jax.random.key(seed), first, settings) for seed in seeds]
    keys = [jax.random.key(100 + seed) for seed in seeds]
    return training.fit(NETWORK, states, keys, inputs, targets, settings, **options)


def largest_difference(a, b):
    return max(jax.tree.leaves(jax.tree.map(lambda x, y: float(np.abs(x - y).max()), a.params, b.params)))


def test_training_learns_a_linear_map():
    settings = training.Settings(epochs=100, batch=16, learning_rate=3e-2, passes=3)
    (state,) = fitted([0], settings)
    assert state.loss < 1e-4 and int(state.epoch) == 100


def test_a_seed_does_not_depend_on_those_beside_it():
    together = fitted([0, 1, 2])
    for seed in (0, 1, 2):
        (alone,) = fitted([seed])
        assert largest_difference(together[seed], alone) <= 1e-5
    assert largest_difference(together[0], together[1]) > 1e-2


def test_one_device_gives_what_two_do():
    one, two = fitted([0, 1, 2], devices=jax.local_devices()[:1]), fitted([0, 1, 2])
    assert max(largest_difference(a, b) for a, b in zip(one, two, strict=True)) <= 1e-5


def test_a_program_is_of_the_precision_that_is_set():
    fitted([0])
    known = training.compile_epochs.cache_info().misses
    fitted([0])
    assert training.compile_epochs.cache_info().misses == known
    with jax.default_matmul_precision("highest"):
        fitted([0])
    assert training.compile_epochs.cache_info().misses == known + 1


def test_the_order_of_samples_does_not_depend_on_those_beside_it_for_any_kind_of_keys(monkeypatch):
    keys = jax.random.split(jax.random.key(0, impl="rbg"), 2)
    data, device = problem(), jax.local_devices()[:1]
    states = [training.start(NETWORK, key, data[0], SETTINGS) for key in keys]
    alone = [training.fit(NETWORK, [states[i]], [keys[i]], *data, SETTINGS, devices=device)[0] for i in range(2)]
    monkeypatch.setattr(training, "networks_per_device", lambda devices, networks: 2)
    beside = training.fit(NETWORK, states, keys, *data, SETTINGS, devices=device)
    assert max(largest_difference(a, b) for a, b in zip(beside, alone, strict=True)) <= 1e-5


def test_a_network_starts_the_same_under_transformations():
    inputs, key = problem()[0], jax.random.key(0)
    plain = training.start(NETWORK, key, inputs, SETTINGS)
    closed = jax.jit(lambda: training.start(NETWORK, key, inputs, SETTINGS))()
    mapped = jax.vmap(lambda key: training.start(NETWORK, key, inputs, SETTINGS))(key[None])
    assert largest_difference(plain, closed) < 1e-6
    assert largest_difference(plain, jax.tree.map(lambda leaf: leaf[0], mapped)) < 1e-6


@pytest.mark.usefixtures("double_precision")
def test_a_state_keeps_its_dtypes():
    inputs, targets = (np.asarray(array, np.float64) for array in problem())
    begun = training.start(NETWORK, jax.random.key(0), inputs, SETTINGS)
    (ended,) = training.fit(NETWORK, [begun], [jax.random.key(1)], inputs, targets.astype(">f8"), SETTINGS)
    assert jax.tree.map(lambda leaf: leaf.dtype, ended) == jax.tree.map(lambda leaf: leaf.dtype, begun)


def test_what_is_no_parameter_is_refused():
    with pytest.raises(ValueError, match=r"model must have nothing but parameters.*; it has \['batch_stats'\] too"):
        training.start(nn.BatchNorm(use_running_average=True), jax.random.key(0), problem()[0], SETTINGS)


def test_what_equals_in_shape_is_compiled_once(caplog):
    fitted([0, 1])
    with jax.log_compiles():
        fitted([2, 3], data=problem(seed=1))
    assert caplog.messages == []


def test_several_networks_per_device_give_what_rounds_give(monkeypatch):
    monkeypatch.setattr(training, "networks_per_device", lambda devices, networks: 2)
    beside = fitted([0, 1, 2], devices=jax.local_devices()[:1])
    monkeypatch.undo()
    rounds = fitted([0, 1, 2], devices=jax.local_devices()[:1])
    assert max(largest_difference(a, b) for a, b in zip(beside, rounds, strict=True)) <= 1e-5


def test_every_network_can_have_its_own_data():
    data = [problem(seed) for seed in range(2)]
    inputs, targets = ([pair[i] for pair in data] for i in range(2))
    together = fitted([0, 1], data=(inputs, targets))
    for seed in range(2):
        (alone,) = fitted([seed], data=data[seed])
        assert largest_difference(together[seed], alone) <= 1e-5


def test_training_goes_on_from_where_it_was_stopped():
    class Stop(Exception):
        pass

    kept = {}

    def stop_in_second_round(done):
        kept.update(done)
        if len(kept) == 3:
            raise Stop

    inputs, targets = problem()
    states = [training.start(NETWORK, jax.random.key(seed), inputs, SETTINGS) for seed in range(3)]
    keys = [jax.random.key(100 + seed) for seed in range(3)]
    with pytest.raises(Stop):
        training.fit(NETWORK, states, keys, inputs, targets, SETTINGS, after_round=stop_in_second_round)
    assert {int(state.epoch) for state in kept.values()} == {1, 2}
    resumed = training.fit(NETWORK, [kept[i] for i in range(3)], keys, inputs, targets, SETTINGS)
    straight = fitted([0, 1, 2])
    assert max(largest_difference(a, b) for a, b in zip(resumed, straight, strict=True)) == 0


def test_a_finished_training_is_left_alone():
    done = fitted([0])
    inputs, targets = problem()
    again = training.fit(
        NETWORK, done, [jax.random.key(100)], inputs, targets, SETTINGS, after_round=lambda done: pytest.fail("trained")
    )
    assert again[0] is done[0]


def test_fewer_samples_than_a_batch_are_one_batch():
    (state,) = fitted([0], data=problem(n=5))
    assert np.isfinite(state.loss)


def test_weight_decay_shrinks_the_parameters():
    norms = []
    for decay in (0.0, 1.0):
        (state,) = fitted([0], settings=dataclasses.replace(SETTINGS, weight_decay=decay))
        norms.append(sum(float((x**2).sum()) for x in jax.tree.leaves(state.params)))
    assert norms[1] < 0.9 * norms[0]


def test_memory_and_initial_parameters_change_a_network():
    kernels = []
    for change in ({}, {"memory": 0.5}, {"initial": "uniform"}):
        (state,) = fitted([0], settings=dataclasses.replace(SETTINGS, **change))
        kernels.append(state.params["params"]["kernel"])
    assert min(np.abs(kernels[0] - other).max() for other in kernels[1:]) > 1e-2


def test_the_memory_is_that_of_the_schedule_unless_told():
    for schedule, memory in (("onecycle", 0.99), ("constant", 0.999)):
        settings = dataclasses.replace(SETTINGS, schedule=schedule)
        (usual,), (told,) = fitted([0], settings), fitted([0], dataclasses.replace(settings, memory=memory))
        assert largest_difference(usual, told) == 0


def test_settings_that_came_later_are_described_where_they_are_not_as_before():
    before = {
        "epochs": 14,
        "batch": 64,
        "learning_rate": 5e-3,
        "schedule": "onecycle",
        "passes": 1,
        "weight_decay": 0.0,
    }
    assert training.Settings().described() == before
    later = {"memory": 0.999, "initial": "uniform"}
    assert training.Settings(**later).described() == {**before, **later}


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [(np.ones((90, 4)), np.ones((100, 3))), ([np.ones((100, 4)), np.ones((90, 4))], np.ones((100, 3)))],
)
def test_inputs_must_match_targets(inputs, targets):
    with pytest.raises(ValueError, match=r"inputs and targets must be as many.*; they are 90.* and 100"):
        fitted([0, 1], data=(inputs, targets))


@pytest.mark.parametrize("part", [0, 1])
def test_lists_are_of_as_many_arrays_as_networks(part):
    data = list(problem())
    data[part] = [data[part]] * 3
    with pytest.raises(ValueError, match=f"{('inputs', 'targets')[part]} must be one per network; there are 3 for 2"):
        fitted([0, 1], data=data)


def test_there_must_be_something_to_learn_from():
    states = fitted([0])
    with pytest.raises(ValueError, match="inputs and targets must be at least one; there are none"):
        training.fit(NETWORK, states, [jax.random.key(0)], np.ones((0, 4)), np.ones((0, 3)), SETTINGS)


def test_keys_must_match_states():
    with pytest.raises(ValueError, match="keys must be one per state; there are 0 for 1 states"):
        training.fit(NETWORK, fitted([0]), [], *problem(), SETTINGS)
