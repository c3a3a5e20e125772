"""Training states on disk, through Orbax: the only file that knows it.

One folder holds one network: the newest finished epoch, a description of what was trained on what, and a digest of the
arrays. Orbax writes beside the final name and renames, so an interrupted save leaves the checkpoint before it.
Processes that train the same network take turns at its folder.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from align.arrays.locks import turn
from align.training import State


class CheckpointError(RuntimeError):
    """A checkpoint that is damaged, or that holds another network than the one asked for."""


def save(folder: Path, state: State, description: dict) -> None:
    """Save a state as the checkpoint of its epoch, wait until it is whole on disk, then drop the one before.

    Does nothing where another process has come as far, nor for epoch 0, from which nothing has been trained yet.
    CheckpointError where it cannot be saved, which leaves the checkpoint before it and nothing half-written, ValueError
    for a description that JSON cannot hold. SIGINT and SIGTERM wait for the end of the save.
    """
    _as_json(description)
    described = ocp.args.JsonSave({**description, "sha256": _digest(state)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with turn(folder):
            if latest_epoch(folder) >= int(state.epoch):
                return
            with _uninterrupted(), _one_word(), _whole_or_not_at_all(folder), _manager(folder) as manager:
                saved = ocp.args.Composite(state=ocp.args.StandardSave(state), description=described)
                manager.save(int(state.epoch), args=saved)
                manager.wait_until_finished()
    except (OSError, ValueError) as error:  # tensorstore reports a full disk as a ValueError
        raise CheckpointError(f"cannot save a checkpoint in {folder}: {error}") from error


def restore(folder: Path, like: State, description: dict) -> State | None:
    """Restore the newest checkpoint of a network; None where there is none.

    `like` gives the shapes and types (as `jax.eval_shape` does), `description` what the network must have been trained
    as. Raises CheckpointError where the checkpoint is of something else, or is not what was saved, or the folder is a
    file, and ValueError for a description that JSON cannot hold.
    """
    expected = _as_json(description)
    if not folder.is_dir():
        if folder.exists():
            raise CheckpointError(f"{folder} must be the folder of a network; it is a file")
        return None
    # Read-only: another run may be saving into the folder, and opening it for writing clears what is unfinished there.
    with turn(folder, shared=True), _manager(folder, read_only=True) as manager:
        epoch = latest_epoch(folder)  # not the manager's: it passes over what is damaged
        if not epoch:
            return None
        try:
            found = manager.restore(epoch, args=ocp.args.Composite(description=ocp.args.JsonRestore()))["description"]
            digest = found.pop("sha256", None)
        except Exception as error:
            raise _unreadable(folder, epoch, error) from error
        if found != expected:
            raise CheckpointError(
                f"the checkpoint in {folder} is of another network: it was trained as {found}, expected {description}; "
                "delete the folder to train anew, or name another workdir"
            )
        try:
            state = manager.restore(epoch, args=ocp.args.Composite(state=ocp.args.StandardRestore(like)))["state"]
            _check_shapes(state, like)
        except Exception as error:
            raise _unreadable(folder, epoch, error) from error
    state = jax.device_get(state)
    # Orbax notices files that are cut off, but not every byte that has changed. Checkpoints without a digest are older.
    if digest not in (None, _digest(state)) or int(state.epoch) != epoch:
        raise _unreadable(folder, epoch, "its arrays are not those that were saved as that epoch")
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)):
        raise CheckpointError(f"the checkpoint of epoch {epoch} in {folder} holds parameters that are not finite")
    return state


def _as_json(description):
    """Return a description as JSON gives it back."""
    try:
        return json.loads(json.dumps(description))
    except (TypeError, ValueError) as error:
        raise ValueError(f"description must be what JSON can hold ({error}); it is {description!r}") from error


def _check_shapes(state, like):
    """Compare arrays with what the network needs, which Orbax does not do for NumPy's."""
    for (path, wanted), found in zip(jax.tree.leaves_with_path(like), jax.tree.leaves(state), strict=True):
        if np.shape(found) != wanted.shape or found.dtype != wanted.dtype:
            raise ValueError(
                f"{jax.tree_util.keystr(path)} is {found.dtype}{list(np.shape(found))}, "
                f"the network's {wanted.dtype}{list(wanted.shape)}"
            )


def latest_epoch(folder: Path) -> int:
    """Give the epoch of the newest checkpoint in a folder, 0 where there is none, without reading it."""
    epochs = (entry for entry in folder.glob("*") if entry.name.isascii() and entry.name.isdigit() and entry.is_dir())
    return max((int(entry.name) for entry in epochs), default=0)


@contextlib.contextmanager
def _whole_or_not_at_all(folder: Path) -> Iterator[None]:
    """Remove what a save leaves behind that ends in an error or an interruption."""
    try:
        yield
    except BaseException:
        # Threads that write other arrays may still be at it, and put back what was removed: until it stays away.
        gone, deadline = 0, time.monotonic() + 5
        while gone < 3 and time.monotonic() < deadline:
            unfinished = list(folder.glob("*.orbax-checkpoint-tmp*"))
            for path in unfinished:
                shutil.rmtree(path, ignore_errors=True)
            gone = 0 if unfinished else gone + 1
            time.sleep(0.05)
        raise


@contextlib.contextmanager
def _one_word() -> Iterator[None]:
    """Let a save that fails say so once: threads that still write find its event loop closed, and print that."""

    def print_others(found):
        if (found.exc_type, str(found.exc_value)) != (RuntimeError, "Event loop is closed"):
            before(found)

    before, sys.unraisablehook = sys.unraisablehook, print_others
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back: Orbax writes in threads of its own, which an exception here would not stop."""
    if threading.current_thread() is not threading.main_thread():  # which no signal interrupts
        yield
        return
    received = []
    known = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    handlers = {number: signal.signal(number, lambda number, _: received.append(number)) for number in known}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for held_back in received[:1]:
            signal.raise_signal(held_back)


def _digest(state):
    """Give the SHA-256 of the types, shapes and bytes of all arrays."""
    digest = hashlib.sha256()
    for leaf in map(np.asarray, jax.tree.leaves(state)):
        digest.update(f"{leaf.dtype}{leaf.shape}".encode() + leaf.tobytes())
    return digest.hexdigest()


def _unreadable(folder, epoch, error):
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return CheckpointError(
        f"the checkpoint of epoch {epoch} in {folder} cannot be read ({first_line}); delete the folder to train anew"
    )


def _manager(folder, *, read_only=False):
    if read_only:
        options = ocp.CheckpointManagerOptions(read_only=True)
    else:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
    return ocp.CheckpointManager(os.path.abspath(folder), options=options)
