"""Decompositions of small matrices on one thread: OpenBLAS would have others spin, and take the cores from JAX's own.

That is felt between the steps of an iteration, and far more where other processes want the cores too: threads that spin
wait for one that has none. What is done here holds for the process while a context is open, and is undone when it
closes.
"""

import contextlib
import functools
import threading
from collections.abc import Iterator

import jax

from align.arrays import programs

_TINY = 16  # dimensions up to which OpenBLAS starts no others
_SMALL = 1024  # dimensions up to which one thread is about as fast as many on idle cores, and far faster on busy ones
_lock = threading.Lock()
_open: list = []  # contexts, of all threads of Python together: the last to close undoes what the first did


def for_dimensions(largest: int) -> contextlib.AbstractContextManager:
    """Return a context in which LAPACK has one thread, unless matrices are large enough to share the work."""
    return _one_thread() if _TINY < largest <= _SMALL else contextlib.nullcontext()


@contextlib.contextmanager
def for_rows(*arrays: jax.Array) -> Iterator[None]:
    """Do what `for_dimensions` does for fits of arrays `[n, d]`, whose results must be waited for within.

    Nothing where they are traced, or on an accelerator, which has its own decompositions. First there is made room for
    the fit's programs.
    """
    traced = any(isinstance(array, jax.core.Tracer) for array in arrays)
    if traced or any(device.platform != "cpu" for array in arrays for device in array.devices()):
        yield
        return
    programs.make_room()
    with for_dimensions(max(array.shape[1] for array in arrays)):
        yield


@contextlib.contextmanager
def _one_thread():
    with _lock:
        _open.append(_open[0] if _open else _libraries().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limits = _open.pop()
            if not _open:
                limits.restore_original_limits()


@functools.cache
def _libraries():
    """Look through the libraries that are loaded, which takes a millisecond."""
    import scipy.linalg  # noqa: F401 (JAX takes LAPACK from there: it must be loaded to be told)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
