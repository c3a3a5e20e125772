"""What metrics are asked about: two sets of rows in correspondence."""

import jax.numpy as jnp

from align.arrays import inputs
from align.arrays.products import matmul


def comparable(x, y, *, same=False, least=1):
    """Return both as floating arrays of at least single precision, or raise ValueError for what cannot be compared."""
    x, y = inputs.as_array("x", x), inputs.as_array("y", y)
    for name, a in (("x", x), ("y", y)):
        if a.ndim != 2:
            raise ValueError(f"{name} has shape {a.shape}; expected two axes, rows and features")
        if jnp.issubdtype(a.dtype, jnp.complexfloating):
            raise ValueError(f"{name} has dtype {a.dtype}; expected real numbers")
        if a.shape[1] == 0:
            raise ValueError(f"{name} has shape {a.shape}; expected at least one feature")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y {len(y)}; expected the same number, in correspondence")
    if same and x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape} and y {y.shape}; expected a prediction in the space of y")
    check_rows(len(x), least)
    return tuple(a.astype(jnp.promote_types(a.dtype, jnp.float32)) for a in (x, y))


def check_rows(n, least):
    if n < least:
        raise ValueError(f"x and y have {n} rows; expected at least {least}")
    return n


def centre(x):
    return x - x.mean(0)


def squared_distances(x, y):
    """Return `[n_x, n_y]` squared distances; centre the arguments first, or the differences of large norms cancel."""
    return jnp.maximum(jnp.sum(x * x, 1)[:, None] + jnp.sum(y * y, 1) - 2 * matmul(x, y.T), 0)
