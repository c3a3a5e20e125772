"""Initial parameters other than Flax's own: drawn anew over the tree of a network that has been initialised.

Trees are those of dense layers and convolutions as Flax initialises them: kernels `[..., inputs, outputs]`, of
transposed convolutions too, and biases. A leaf of a layer without a kernel is left as it is.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import Array
from jax import numpy as jnp


def uniform(key: Array, params: Any) -> Any:
    """Draw kernels and biases as PyTorch's layers do by default, uniformly from ±1/√fan_in.

    fan_in is how many values a sum of a layer is over; of a transposed convolution PyTorch counts the outputs, times
    the kernel's area, in place of the inputs. A kernel has a third of the variance of Flax's own, and biases are not
    zero.
    """

    def draw(key, leaf, kernel, transposed):
        *area, inputs, outputs = kernel
        bound = 1 / math.sqrt(math.prod(area) * (outputs if transposed else inputs))
        return jax.random.uniform(key, leaf.shape, leaf.dtype, -bound, bound)

    return _drawn(key, params, draw)


def orthogonal(key: Array, params: Any) -> Any:
    """Draw kernels as matrices whose singular values are all the same, with the variance of Flax's own; biases zero.

    The matrix of a kernel is that from all values that a sum is over to the outputs (Saxe et al. 2014).
    """

    def draw(key, leaf, kernel, transposed):
        if leaf.shape != kernel:
            return jnp.zeros_like(leaf)
        inputs, outputs = math.prod(kernel[:-1]), kernel[-1]
        gain = math.sqrt(max(inputs, outputs) / inputs)
        return nn.initializers.orthogonal(gain)(key, (inputs, outputs), leaf.dtype).reshape(kernel)

    return _drawn(key, params, draw)


# By the names that settings of a training give.
DRAWS: dict[str, Callable[[Array, Any], Any]] = {"uniform": uniform, "orthogonal": orthogonal}


def _drawn(key, params, draw):
    """Draw every leaf of a layer with a kernel: from a key of its own, the leaf, the kernel's shape and kind."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    kernels = {path[:-1]: leaf.shape for path, leaf in leaves if _name(path[-1]) == "kernel"}
    drawn = []
    for place, (path, leaf) in enumerate(leaves):
        if path[:-1] in kernels:
            transposed = len(path) > 1 and _name(path[-2]).startswith("ConvTranspose")
            leaf = draw(jax.random.fold_in(key, place), leaf, kernels[path[:-1]], transposed)
        drawn.append(leaf)
    return jax.tree.unflatten(tree, drawn)


def _name(step):
    """Return the name that a step of a path has in a dictionary, none in a list."""
    return str(getattr(step, "key", ""))
