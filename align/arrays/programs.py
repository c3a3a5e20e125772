"""Room for compiled programs: Linux gives a process so many memory maps, and XLA takes one or more for every kernel.

A fit between two clouds takes thousands of the usual 65,530, anew for every shape of its input, and JAX keeps what it
has compiled. A process that has none left ends without a word of Python.
"""

import time
from pathlib import Path

import jax

# Maps that are to be left, and seconds between two looks, in which no machine compiles as many.
_LEFT, _SECONDS = 20_000, 20
_MAPS, _LIMIT = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_looked = -float("inf")


def make_room() -> None:
    """Drop all that JAX has compiled in this process where little more would fit; what is called again is compiled."""
    global _looked
    now = time.monotonic()
    if now - _looked < _SECONDS:
        return
    _looked = now
    try:
        limit = int(_LIMIT.read_text())
        taken = _MAPS.read_bytes().count(b"\n")
    except OSError:  # not on Linux
        return
    if taken > limit - min(_LEFT, limit // 3):
        jax.clear_caches()
