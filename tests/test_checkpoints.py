"""A checkpoint comes back bit for bit, or with an error that names it; a failed save leaves the one before."""

import os
import resource
import shutil
import signal

import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from align import checkpoints
from align.checkpoints import CheckpointError
from align.training import State

DESCRIPTION = {"kind": "dense", "seed": 3, "settings": {"epochs": 5, "learning_rate": 1e-3}}


def state(epoch=1, width=7, seed=0):
    """Give a state with parameters and an optimiser's moments, drawn at random."""
    rng = np.random.default_rng([seed, epoch])
    params = {"params": {"Dense_0": {"kernel": np.float32(rng.normal(size=(5, width))), "bias": np.ones(width, "f4")}}}
    moments = optax.adam(1e-3).init(params)
    moments = jax.tree.map(lambda x: np.asarray(x) + np.asarray(rng.integers(1, 9), x.dtype), moments)
    return State(params, moments, np.int32(epoch), np.float32(rng.uniform()))


def shapes(like):
    return jax.eval_shape(lambda: jax.tree.map(jnp.asarray, like))


def restored(folder, like=None, description=DESCRIPTION):
    return checkpoints.restore(folder, shapes(state() if like is None else like), description)


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in pairs
    )


@pytest.fixture
def folder(tmp_path):
    """The checkpoint of epoch 1."""
    checkpoints.save(tmp_path / "network", state(1), DESCRIPTION)
    return tmp_path / "network"


def test_a_state_comes_back_bit_for_bit(folder):
    assert same(restored(folder), state(1))
    assert checkpoints.latest_epoch(folder) == 1


def test_the_newest_epoch_is_kept_alone(folder):
    checkpoints.save(folder, state(2), DESCRIPTION)
    checkpoints.save(folder, state(10), DESCRIPTION)
    assert [path.name for path in folder.iterdir()] == ["10"]
    assert checkpoints.latest_epoch(folder) == 10
    assert same(restored(folder), state(10))


def test_nothing_there_is_nothing_restored(tmp_path):
    assert restored(tmp_path / "nowhere") is None
    assert restored(tmp_path) is None
    assert checkpoints.latest_epoch(tmp_path / "nowhere") == 0
    assert not (tmp_path / "nowhere").exists()


def test_an_epoch_0_is_not_kept(tmp_path):
    checkpoints.save(tmp_path, state(0), DESCRIPTION)
    assert checkpoints.latest_epoch(tmp_path) == 0 and restored(tmp_path, like=state(0)) is None


@pytest.mark.parametrize("name", ["²", "٣", "2a", "2.orbax-checkpoint-tmp"])
def test_other_folders_are_no_epochs(folder, name):
    (folder / name).mkdir()
    assert checkpoints.latest_epoch(folder) == 1
    assert same(restored(folder), state(1))


def test_a_file_is_no_folder_of_a_network(tmp_path):
    (tmp_path / "network").write_text("")
    with pytest.raises(CheckpointError, match=r"network must be the folder of a network; it is a file"):
        restored(tmp_path / "network")


@pytest.mark.parametrize("value", [np.float32(1), {1}, b"text"])
def test_a_description_that_is_no_json_is_refused(folder, value):
    for call in (checkpoints.save, checkpoints.restore):
        with pytest.raises(ValueError, match=r"description must be what JSON can hold \(.*not JSON serializable\)"):
            call(folder, state(2), {**DESCRIPTION, "value": value})
    assert [path.name for path in folder.iterdir()] == ["1"]


@pytest.mark.parametrize("change", [{"seed": 4}, {"settings": {"epochs": 5, "learning_rate": 2e-3}}, {"more": 1}])
def test_a_foreign_description_is_refused(folder, change):
    with pytest.raises(CheckpointError, match=r"of another network: it was trained as \{.*\}, expected \{.*\}; delete"):
        restored(folder, description={**DESCRIPTION, **change})


def test_another_architecture_is_refused(folder):
    with pytest.raises(
        CheckpointError, match=r"epoch 1 in .* cannot be read \(.*float32\[7\], the network's float32\[8\]"
    ):
        restored(folder, like=state(width=8))
    deeper = state()
    deeper.params["params"]["Dense_1"] = {"bias": np.ones(3, "f4")}
    with pytest.raises(CheckpointError, match=r"the checkpoint of epoch 1 in .* cannot be read"):
        restored(folder, like=deeper)


def test_parameters_that_are_not_finite_are_refused(tmp_path):
    broken = state()
    broken.params["params"]["Dense_0"]["bias"][2] = np.nan
    checkpoints.save(tmp_path, broken, DESCRIPTION)
    with pytest.raises(CheckpointError, match=r"epoch 1 in .* holds parameters that are not finite"):
        restored(tmp_path)


def test_a_damaged_file_is_recognised_whichever_it_is(folder, tmp_path):
    refused = 0
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if path.is_dir():
            continue
        for name, change in {
            "truncated": lambda data: data[: len(data) // 2],
            "empty": lambda data: b"",
            "gone": None,
        }.items():
            copy = tmp_path / f"{number}-{name}"
            shutil.copytree(folder, copy)
            damaged = copy / path.relative_to(folder)
            damaged.write_bytes(change(damaged.read_bytes())) if change else damaged.unlink()
            try:  # a file that nothing depends on may be damaged without harm
                found = restored(copy)
            except CheckpointError as error:
                assert str(copy) in str(error)
                refused += 1
            else:
                assert same(found, state(1)), f"{path} {name}: another state was loaded"
    assert refused >= 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_a_save(folder, monkeypatch, number):
    handlers = {n: signal.signal(n, signal.default_int_handler) for n in (signal.SIGINT, signal.SIGTERM)}
    rename = os.rename

    def signalled(*paths, **options):
        signal.raise_signal(number)
        return rename(*paths, **options)

    monkeypatch.setattr(os, "rename", signalled)
    try:
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(folder, state(2), DESCRIPTION)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        for n, handler in handlers.items():
            signal.signal(n, handler)
    monkeypatch.undo()
    assert same(restored(folder), state(2))
    assert not list(folder.glob("*tmp*"))


def test_an_interrupted_save_leaves_the_checkpoint_before_it(folder, monkeypatch):
    stopped = []

    def stop(*paths, **options):
        stopped.append(paths)
        raise KeyboardInterrupt

    for name in ("rename", "replace"):  # the moment before the new checkpoint gets its name
        monkeypatch.setattr(os, name, stop)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(folder, state(2), DESCRIPTION)
    monkeypatch.undo()
    assert stopped
    assert checkpoints.latest_epoch(folder) == 1
    assert same(restored(folder), state(1))
    checkpoints.save(folder, state(2), DESCRIPTION)
    assert [path.name for path in folder.iterdir()] == ["2"]
    assert same(restored(folder), state(2))


def test_a_full_disk_is_a_clear_error_and_leaves_the_checkpoint_before_it(tmp_path):
    small, large = state(1, width=50_000), state(2, width=50_000)
    checkpoints.save(tmp_path, small, DESCRIPTION)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))  # no file can grow beyond
    try:
        with pytest.raises(CheckpointError, match="cannot save a checkpoint in"):
            checkpoints.save(tmp_path, large, DESCRIPTION)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert same(restored(tmp_path, like=small), small)
    checkpoints.save(tmp_path, large, DESCRIPTION)
    assert same(restored(tmp_path, like=small), large)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"cannot save a checkpoint in .*file/network"):
        checkpoints.save(tmp_path / "file" / "network", state(), DESCRIPTION)


def test_what_a_thread_still_writes_after_the_save_has_failed_is_removed(tmp_path, monkeypatch):
    late, written = tmp_path / "1.orbax-checkpoint-tmp" / "state", []

    def meanwhile(seconds):
        if len(written) < 5:
            late.mkdir(parents=True, exist_ok=True)
            written.append(late / f"array{len(written)}")
            written[-1].write_bytes(b"half")

    monkeypatch.setattr(checkpoints.time, "sleep", meanwhile)
    with pytest.raises(OSError, match="no space"), checkpoints._whole_or_not_at_all(tmp_path):
        raise OSError("no space")
    assert len(written) == 5 and not list(tmp_path.iterdir())
