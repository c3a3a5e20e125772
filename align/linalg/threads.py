"""Decompositions of small matrices on one thread: OpenBLAS would have others spin, and take the cores from JAX's own.

That is felt between the steps of an iteration. What is done here holds for the process while a context is open, and is
undone when it closes.
"""

import contextlib
import threading
from collections.abc import Iterator

import jax

_SMALL = 1024  # dimensions up to which one thread is about as fast as many on idle cores, and far faster on busy ones
_lock = threading.Lock()
_open: list = []  # contexts, of all threads of Python together: the last to close undoes what the first did


def for_dimensions(largest: int) -> contextlib.AbstractContextManager:
    """Return a context in which LAPACK has one thread, unless matrices are large enough to share the work."""
    return contextlib.nullcontext() if largest > _SMALL else _one_thread()


@contextlib.contextmanager
def for_clouds(*arrays: jax.Array) -> Iterator[None]:
    """Do what `for_dimensions` does for iterations on arrays `[n, d]`, whose results must be waited for within.

    Nothing where they are traced, or on an accelerator, which has its own decompositions.
    """
    traced = any(isinstance(array, jax.core.Tracer) for array in arrays)
    if traced or any(device.platform != "cpu" for array in arrays for device in array.devices()):
        yield
        return
    with for_dimensions(max(array.shape[1] for array in arrays)):
        yield


@contextlib.contextmanager
def _one_thread():
    import scipy.linalg  # noqa: F401 (JAX takes LAPACK from there: it must be loaded to be told)
    from threadpoolctl import threadpool_limits

    with _lock:
        _open.append(_open[0] if _open else threadpool_limits(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limits = _open.pop()
            if not _open:
                limits.restore_original_limits()
