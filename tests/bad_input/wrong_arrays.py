"""Sound arrays, and what may be given in their place."""

import jax
import numpy as np

KEY = jax.random.key(0)
DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(2, 6, 3)).astype(np.float32)
ONES, LABELS = np.ones(6, np.float32), np.array([0, 0, 1, 1, 2, 2])


def with_one(value, array=X):
    changed = array.copy()
    changed.flat[4] = value
    return changed


# What is given in place of sound pairs, and what must be said of it.
ARRAYS = {
    "one axis": ({"source": X[:, 0]}, "source", "(6,)", "[rows, dimensions]"),
    "three axes": ({"target": Y[None]}, "target", "(1, 6, 3)", "[rows, dimensions]"),
    "a number": ({"source": 3.0}, "source", "()", "[rows, dimensions]"),
    "no dimensions": ({"source": X[:, :0]}, "source", "(6, 0)", "at least one"),
    "complex numbers": ({"source": X.astype(np.complex64)}, "source", "complex64", "real numbers"),
    "truth values": ({"target": Y > 0}, "target", "bool", "real numbers"),
    "strings": ({"source": np.full((6, 3), "a")}, "source", "<U1 (6, 3)", "array of real numbers"),
    "objects": ({"target": np.full((6, 3), None)}, "target", "object (6, 3)", "array of real numbers"),
    "dates": ({"source": np.zeros((6, 3), "datetime64[s]")}, "source", "datetime64[s] (6, 3)", "real numbers"),
    "rows of unequal length": ({"target": [[1.0, 2.0], [3.0]]}, "target", "list", "array of real numbers"),
    "text": ({"source": "codes.npy"}, "source", "str", "array of real numbers"),
    "a dictionary": ({"source": {"x": X}}, "source", "dict", "array of real numbers"),
    "nothing": ({"target": None}, "target", "NoneType", "array of real numbers"),
    "NaN": ({"source": with_one(np.nan)}, "source", "holds NaN or infinity"),
    "infinity": ({"target": with_one(-np.inf)}, "target", "holds NaN or infinity"),
}
