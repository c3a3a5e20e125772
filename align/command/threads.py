"""Decompositions of small matrices on one thread: OpenBLAS would have others spin, and take the cores from its own."""

import contextlib

_SMALL = 1024  # dimensions up to which one thread is about as fast as many on idle cores, and far faster on busy ones


def for_dimensions(largest: int) -> contextlib.AbstractContextManager:
    """Return a context in which LAPACK has one thread, unless matrices are large enough to share the work."""
    if largest > _SMALL:
        return contextlib.nullcontext()
    import scipy.linalg  # noqa: F401 (JAX takes LAPACK from there: it must be loaded to be told)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")
