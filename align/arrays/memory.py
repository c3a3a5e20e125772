"""How much memory there is."""

import contextlib
import os
from pathlib import Path

# What a container may have, where the kernel says so: control groups of the second and of the first version.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def installed() -> int | None:
    """Return the bytes of memory that this machine, or this container of it, has; None where it is not said."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # not said by every system
        return None
    for file in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            there = min(there, int(Path(file).read_text()))
    return there
