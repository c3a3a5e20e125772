"""Programs that were compiled once are kept for the next run, in the user's cache.

JAX finds what it compiled under a key that says all of the program, its options and the version of the compiler. It
writes files in place, though, and two runs that start together would read each other's halves. So a run works in a
folder of its own, with links to what is kept, and moves what it has added to the others when it ends.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from align.arrays import paths

_MOST_BYTES = 64 * 2**20  # that are kept: some 500 programs; beyond, the oldest go
_SETTINGS = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_persistent_cache_enable_xla_caches": "none",  # the name of their folder would be part of the key
}
_DAY = 24 * 3600.0
_ABANDONED, _OUTDATED = _DAY, 90 * _DAY  # seconds since the folder of a run, and of a version of JAX, was in use


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keep what this process compiles, and use what earlier ones compiled, until the end of the context.

    Nothing is done where JAX was given a folder of its own, or told to keep nothing (JAX_COMPILATION_CACHE_DIR,
    JAX_ENABLE_COMPILATION_CACHE), nor where the cache cannot be written: the run compiles all that it needs then.
    """
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        yield
        return
    try:
        folder = paths.user_cache() / "compiled" / _toolchain()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what lies there is run: it is the user's alone
        own = Path(tempfile.mkdtemp(prefix=".run-", dir=folder))
    except (OSError, ValueError):
        yield
        return
    before = {name: getattr(jax.config, name) for name in _SETTINGS}
    try:
        known = _link(folder, own)
        for name, value in {**_SETTINGS, "jax_compilation_cache_dir": str(own)}.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # JAX asks for its folder once
        with warnings.catch_warnings():
            # A disk that is full, say, is no matter: the program runs, and is compiled again the next time.
            warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
            yield
        _publish(folder, own, known)
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        shutil.rmtree(own, ignore_errors=True)


def _toolchain():
    """Return a name for all that compiled code depends on: JAX, and what the processor can do."""
    able = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        able = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    processor = hashlib.sha256(f"{os.uname().machine} {able}".encode()).hexdigest()[:12]
    return f"jax-{jax.__version__}-{processor}"


def _link(folder, own):
    """Link the sound entries of a folder into that of a run, under the names that JAX knows; return these names."""
    known = set()
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # another run may take an entry away at any time
            if entry.name.startswith(".run-"):
                if time.time() - entry.stat().st_mtime > _ABANDONED:
                    shutil.rmtree(entry, ignore_errors=True)
                continue
            checksum, _, name = entry.name.partition("-")
            if checksum == _checksum(entry):
                os.link(entry, own / name)
                known.add(name)
            else:
                entry.unlink()
    return known


def _publish(folder, own, known):
    """Move what a run has added to the folder of all, each under its checksum, and let the oldest go."""
    with contextlib.suppress(OSError):  # a disk that is full, say: nothing is kept then
        for other in folder.parent.iterdir():
            if time.time() - other.stat().st_mtime > _OUTDATED:
                shutil.rmtree(other, ignore_errors=True)
        for entry in own.glob("*-cache"):
            if entry.name not in known:
                os.replace(entry, folder / f"{_checksum(entry)}-{entry.name}")
        ages = [(entry.stat(), entry) for entry in folder.glob("*-cache")]
        ages.sort(key=lambda pair: pair[0].st_mtime, reverse=True)
        total = 0
        for stat, entry in ages:
            total += stat.st_size
            if total > _MOST_BYTES:
                entry.unlink(missing_ok=True)


def _checksum(entry):
    return f"{zlib.crc32(entry.read_bytes()):08x}"
