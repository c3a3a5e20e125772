"""What a command compiles is there for the next one, whatever happens to the folder that keeps it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache
from safetensors.numpy import load_file

from align.command import compiled

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache of a user who has none yet, in a JAX that was given no folder."""
    given = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path / "cache" / "align" / "compiled"
    jax.config.update("jax_compilation_cache_dir", given)
    compilation_cache.reset_cache()


def found(value):
    """Compile a program that `value` is part of, as a process of its own would; return whether all of it was found."""
    events = []

    def listen(event, **_):
        events.append(event)

    jax.clear_caches()
    jax.monitoring.register_event_listener(listen)
    with compiled.kept():
        assert jax.jit(lambda x: 2 * x + value)(jnp.float32(1)) == 2 + value
    jax.monitoring.unregister_event_listener(listen)
    return "/jax/compilation_cache/cache_hits" in events and "/jax/compilation_cache/cache_misses" not in events


def entries(cache):
    return sorted(path for path in cache.glob("*/*"))


def test_what_was_compiled_is_found(cache):
    assert not found(3) and found(3) and not found(4) and found(3)
    assert jax.config.jax_compilation_cache_dir is None
    assert not [path for path in entries(cache) if path.name.startswith(".")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in cache.iterdir())


@pytest.mark.parametrize("damage", [b"", b"\0" * 999])
def test_a_damaged_entry_is_compiled_again_once(cache, damage, recwarn):
    found(3)
    for entry in entries(cache):
        entry.write_bytes(damage)
    assert not found(3) and found(3)
    assert not recwarn.list


def test_the_cache_does_not_grow_without_end(cache, monkeypatch):
    found(3)
    abandoned, outdated = next(cache.iterdir()) / ".run-1", cache / "jax-0.1"
    for path in (abandoned, outdated):
        path.mkdir()
        os.utime(path, (0, time.time() - 100 * 24 * 3600))
    size = max(entry.stat().st_size for entry in entries(cache) if entry.is_file())
    monkeypatch.setattr(compiled, "_MOST_BYTES", 2 * size)
    for value in (4, 5, 6):
        found(value)
    assert not abandoned.exists() and not outdated.exists()
    assert 0 < sum(entry.stat().st_size for entry in entries(cache)) <= 2 * size


def test_a_cache_that_cannot_be_written_is_done_without(cache, monkeypatch):
    cache.parent.parent.write_text("a file, where the folder should be")
    assert not found(3) and not found(3)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # no home folder
    assert not found(3)


def test_commands_that_run_at_once_share_a_cache(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION")}
    environment |= {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_PLATFORMS": "cpu"}
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32))
    command = [sys.executable, "-m", "align", "fit", "x.npy", "x.npy", "--solver", "rigid", "--quiet", "--json", "-o"]
    runs = [
        subprocess.Popen(each, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for each in ([*command, "1.safetensors"], [*command, "2.safetensors"])
    ]
    ended = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0] and all(err == b"" for _, err in ended), ended
    first, second = (load_file(tmp_path / f"{i}.safetensors") for i in (1, 2))
    assert all((first[name] == second[name]).all() for name in first)
    kept = entries(tmp_path / "cache" / "align" / "compiled")
    assert any("fit_motion" in path.name for path in kept) and not [path for path in kept if path.name[0] == "."]
