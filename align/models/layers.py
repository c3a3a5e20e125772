"""Convolutions with lax's exact semantics in two forms: lax's own, and matrix products.

XLA's convolutions lose most of their speed on a CPU inside a loop (`lax.scan`), where the gradient of the kernel
falls back to a naive form, and under `vmap`, where several kernels become a grouped convolution. The same layers are
one matrix product each around a gathering of patches (`im2col`) or its transpose (`col2im`):

    conv(x)           = im2col(x) @ W
    conv_transpose(x) = col2im(x @ W)

Each of the two is the other's derivative, so the backward passes are made of the same parts as the forward passes.
`lax.platform_dependent` chooses at lowering: matrix products on a CPU, lax's own convolutions on a GPU or TPU.

Arrays are `[n, height, width, channels]`, kernels `[k, k, channels_in, channels_out]`, padding is "SAME".
"""

from collections.abc import Sequence
from functools import partial

import jax
from flax import linen as nn
from jax import Array, lax
from jax import numpy as jnp

NHWC = ("NHWC", "HWIO", "NHWC")


def shape_of(side: int | tuple[int, int, int]) -> tuple[int, int, int]:
    """Give the shape (height, width, channels) of images that are told by it, or by the side of square grey ones."""
    return (side, side, 1) if isinstance(side, int) else side


def paddings(shape: Sequence[int], size: int, stride: int) -> list[tuple[int, int]]:
    """Give lax's "SAME" padding (low, high) of both axes."""
    return lax.padtype_to_pads(shape, (size, size), (stride, stride), "SAME")


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def im2col(x: Array, size: int, stride: int) -> Array:
    """Gather the patches under a kernel: `[n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), size² c]`."""
    n, *shape, channels = x.shape
    height, width = (-(-length // stride) for length in shape)
    x = jnp.pad(x, ((0, 0), *paddings(tuple(shape), size, stride), (0, 0)))
    # Written slice by slice: XLA's fused concatenation tests every element for the piece that it belongs to.
    patches = jnp.zeros((n, height, width, size * size * channels), x.dtype)
    for i in range(size):
        for j in range(size):
            tap = x[:, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride]
            patches = lax.dynamic_update_slice(patches, tap, (0, 0, 0, (i * size + j) * channels))
    return patches


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def col2im(patches: Array, size: int, stride: int, shape: tuple[int, int]) -> Array:
    """Add patches up where they overlap, the transpose of `im2col`: `[n, ceil(h / stride), …] -> [n, h, w, c]`.

    Patch i's tap k lies at q = stride * i + k - low. Written as q = stride * b + a, phase a of the output receives
    tap k = stride * d + a + low of patch i = b - d: for each of the stride² phases a sum of plain shifted slices,
    interleaved at the end. Spreading every tap over the whole output first would touch stride² times the memory.
    """
    n, channels = patches.shape[0], patches.shape[-1] // size**2
    blocks = tuple(-(-length // stride) for length in shape)
    lows = [low for low, _ in paddings(shape, size, stride)]
    shifts = range(-size, size + 1)
    taps = [
        [[(d, stride * d + a + low) for d in shifts if 0 <= stride * d + a + low < size] for a in range(stride)]
        for low in lows
    ]
    rows = []
    for row_taps in taps[0]:
        columns = []
        for column_taps in taps[1]:
            phase = jnp.zeros((n, *blocks, channels), patches.dtype)
            for d, i in row_taps:
                for e, j in column_taps:
                    first = (i * size + j) * channels
                    tap = patches[..., first : first + channels]
                    phase += lax.pad(tap, jnp.zeros((), tap.dtype), ((0, 0, 0), (d, -d, 0), (e, -e, 0), (0, 0, 0)))
            columns.append(phase)
        rows.append(jnp.stack(columns, axis=3))
    image = jnp.stack(rows, axis=2).reshape(n, blocks[0] * stride, blocks[1] * stride, channels)
    return image[:, : shape[0], : shape[1]]


im2col.defvjp(
    lambda x, size, stride: (im2col(x, size, stride), x.shape[1:3]),
    lambda size, stride, shape, g: (col2im(g, size, stride, shape),),
)
col2im.defvjp(
    lambda patches, size, stride, shape: (col2im(patches, size, stride, shape), None),
    lambda size, stride, shape, _, g: (im2col(g, size, stride),),
)


@jax.custom_vjp
def product(rows: Array, kernel: Array) -> Array:
    """Multiply rows `[*n, a]` by a kernel `[a, b]`, of which a or b is small and n is large.

    The kernel's gradient sums over n. XLA's product on a CPU wants that axis last in its left factor and first in its
    right one; the smaller factor is turned beforehand, which costs less than the strides of a product that turns it.
    """
    return rows @ kernel


def _product_backward(saved, g):
    rows, kernel = saved
    left, right = (a.reshape(-1, a.shape[-1]) for a in (rows, g))
    small = min(left, right, key=lambda a: a.shape[-1])
    turned = lax.optimization_barrier(small.T)
    change = turned @ right if small is left else lax.optimization_barrier(turned @ left).T
    return g @ kernel.T, change


product.defvjp(lambda rows, kernel: (rows @ kernel, (rows, kernel)), _product_backward)


def conv_lax(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve with lax: `[n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), o]`."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=NHWC)


def conv_matrix(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve as one matrix product of the patches; equals `conv_lax`."""
    return product(im2col(x, kernel.shape[0], stride), kernel.reshape(-1, kernel.shape[-1]))


def conv_transpose_lax(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve the dilated input with lax: `[n, h, w, c] -> [n, stride * h, stride * w, o]`."""
    return lax.conv_transpose(x, kernel, (stride, stride), "SAME", dimension_numbers=NHWC)


def conv_transpose_matrix(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve the dilated input as one matrix product whose patches are added up; equals `conv_transpose_lax`."""
    size, _, channels, features = kernel.shape
    # lax slides the kernel over the dilated input (a correlation); spreading each input is the flipped order.
    spread = kernel[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, size * size * features)
    return col2im(product(x, spread), size, stride, (x.shape[1] * stride, x.shape[2] * stride))


class Conv(nn.Module):
    """Strided convolution with a square kernel, "SAME" padding and a bias, as `flax.linen.Conv` computes it."""

    features: int
    size: int = 3
    stride: int = 2

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map `[n, h, w, c]` to `[n, ceil(h / stride), ceil(w / stride), features]`."""
        return _layer(self, x, conv_matrix, conv_lax)


class ConvTranspose(nn.Module):
    """Strided transposed convolution with a square kernel, as `flax.linen.ConvTranspose` computes it.

    gain: variance of the initial kernel times size² · channels, 1 in Flax. Only size² / stride² positions of the kernel
    meet in a pixel of the output, so that it takes stride² to keep the variance of the input.
    """

    features: int
    size: int = 3
    stride: int = 2
    gain: float = 1.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map `[n, h, w, c]` to `[n, stride * h, stride * w, features]`."""
        return _layer(self, x, conv_transpose_matrix, conv_transpose_lax, self.gain)


def _layer(module, x, matrix, convolution, gain=1.0):
    shape = (module.size, module.size, x.shape[-1], module.features)
    draw = nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")
    # In float32 as Flax's own layers are, with x64 too.
    kernel = module.param("kernel", draw, shape, jnp.float32)
    bias = module.param("bias", nn.initializers.zeros, (module.features,), jnp.float32)
    forms = {"cpu": partial(matrix, stride=module.stride), "default": partial(convolution, stride=module.stride)}
    return lax.platform_dependent(x, kernel, **forms) + bias[None, None, None]
