"""Convolutions with lax's exact semantics in two forms: lax's own, and matrix products.

XLA's convolutions lose most of their speed on a CPU where gradients are taken, and under `vmap`, where several kernels
become a grouped convolution. The same layers are one matrix product each around a gathering of patches (`im2col`) or
its transpose (`col2im`); a convolution of which no gradient is asked stays XLA's own:

    conv(x)           = W @ im2col(x)
    conv_transpose(x) = col2im(W @ x)

Each of the two is the other's derivative, so the backward passes are made of the same parts as the forward passes.
`lax.platform_dependent` chooses at lowering: these forms on a CPU, lax's own convolutions on a GPU or TPU.

Arrays are `[channels, height, width, n]`, images last: a pixel of n images lies in one piece, so that gathering patches
and adding them up copies whole vectors, and a patch is a column of the product. Kernels are `[k, k, channels_in,
channels_out]`, padding is "SAME".
"""

from collections.abc import Sequence
from functools import partial

import jax
from flax import linen as nn
from jax import Array, lax
from jax import numpy as jnp

CHWN = ("CHWN", "HWIO", "CHWN")


def shape_of(side: int | tuple[int, int, int]) -> tuple[int, int, int]:
    """Give the shape (height, width, channels) of images that are told by it, or by the side of square grey ones."""
    return (side, side, 1) if isinstance(side, int) else side


def images_last(images: Array) -> Array:
    """Turn images `[n, h, w, c]` into the order of the layers, `[c, h, w, n]`."""
    return images.transpose(3, 1, 2, 0)


def images_first(x: Array) -> Array:
    """Turn `[c, h, w, n]` back into images `[n, h, w, c]`: the turn is its own inverse."""
    return images_last(x)


def flattened(x: Array) -> Array:
    """Lay the features of `[c, h, w, n]` out as rows `[n, h w c]`."""
    return x.transpose(1, 2, 0, 3).reshape(-1, x.shape[-1]).T


def unflattened(rows: Array, shape: tuple[int, int, int]) -> Array:
    """Lay rows `[n, h w c]` out as `[c, h, w, n]`, the inverse of `flattened`; shape is (h, w, c)."""
    return rows.T.reshape(*shape, len(rows)).transpose(2, 0, 1, 3)


def paddings(shape: Sequence[int], size: int, stride: int) -> list[tuple[int, int]]:
    """Give lax's "SAME" padding (low, high) of both axes."""
    return lax.padtype_to_pads(shape, (size, size), (stride, stride), "SAME")


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def im2col(x: Array, size: int, stride: int) -> Array:
    """Gather the patches under a kernel: `[c, h, w, n] -> [size² c, ceil(h / stride), ceil(w / stride), n]`."""
    shape = x.shape[1:3]
    ends = [stride * (-(-length // stride) - 1) + 1 for length in shape]
    x = jnp.pad(x, ((0, 0), *paddings(shape, size, stride), (0, 0)))
    offsets = [(i, j) for i in range(size) for j in range(size)]
    return jnp.concatenate([x[:, i : i + ends[0] : stride, j : j + ends[1] : stride] for i, j in offsets])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def col2im(patches: Array, size: int, stride: int, shape: tuple[int, int]) -> Array:
    """Add patches up where they overlap, the transpose of `im2col`: `[…, ceil(h / stride), …] -> [c, h, w, n]`.

    Patch i's tap k lies at q = stride * i + k - low. Written as q = stride * b + a, phase a of the output receives
    tap k = stride * d + a + low of patch i = b - d: for each of the stride² phases a sum of plain shifted slices,
    interleaved at the end. Spreading every tap over the whole output first would touch stride² times the memory.
    """
    channels, n = len(patches) // size**2, patches.shape[-1]
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
            phase = jnp.zeros((channels, *blocks, n), patches.dtype)
            for d, i in row_taps:
                for e, j in column_taps:
                    first = (i * size + j) * channels
                    tap = patches[first : first + channels]
                    phase += lax.pad(tap, jnp.zeros((), tap.dtype), ((0, 0, 0), (d, -d, 0), (e, -e, 0), (0, 0, 0)))
            columns.append(phase)
        rows.append(jnp.stack(columns, axis=3))
    image = jnp.stack(rows, axis=2).reshape(channels, blocks[0] * stride, blocks[1] * stride, n)
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
def product(kernel: Array, columns: Array) -> Array:
    """Multiply a kernel `[a, b]`, transposed, by columns `[a, *n]` of which there are many: `[b, *n]`.

    The kernel's gradient sums over n. Its right factor is the one whose rows fill vectors, the smaller of two such:
    the other way round XLA's product on a CPU takes longer.
    """
    return (kernel.T @ columns.reshape(len(columns), -1)).reshape(-1, *columns.shape[1:])


def _product_backward(saved, g):
    kernel, columns = saved
    shape = columns.shape
    columns, g = (a.reshape(len(a), -1) for a in (columns, g))
    turned = (len(columns) % 16 > 0, len(columns)) < (len(g) % 16 > 0, len(g))
    change = lax.optimization_barrier(g @ columns.T).T if turned else columns @ g.T  # else XLA turns the product too
    return change, (kernel @ g).reshape(shape)


product.defvjp(lambda kernel, columns: (product(kernel, columns), (kernel, columns)), _product_backward)


def conv_lax(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve with lax: `[c, h, w, n] -> [o, ceil(h / stride), ceil(w / stride), n]`."""
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=CHWN)


def conv_matrix(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve as one matrix product of the patches; equals `conv_lax`."""
    return product(kernel.reshape(-1, kernel.shape[-1]), im2col(x, kernel.shape[0], stride))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv_cpu(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve as a CPU does it fastest, by lax but for gradients and under `vmap`; equals `conv_lax`."""

    @jax.custom_batching.custom_vmap
    def forward(x, kernel):
        # With the channels last: on a CPU, XLA has no other fast form.
        images = lax.conv_general_dilated(
            images_first(x), kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return images_last(images)

    @forward.def_vmap
    def _(size, batched, x, kernel):
        axes = [0 if each else None for each in batched]
        return jax.vmap(partial(conv_matrix, stride=stride), axes, axis_size=size)(x, kernel), True

    return forward(x, kernel)


conv_cpu.defvjp(
    lambda x, kernel, stride: jax.vjp(partial(conv_matrix, stride=stride), x, kernel),
    lambda stride, backward, g: backward(g),
)


def conv_transpose_lax(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve the dilated input with lax: `[c, h, w, n] -> [o, stride * h, stride * w, n]`."""
    return lax.conv_transpose(x, kernel, (stride, stride), "SAME", dimension_numbers=CHWN)


def conv_transpose_matrix(x: Array, kernel: Array, stride: int) -> Array:
    """Convolve the dilated input as one matrix product whose patches are added up; equals `conv_transpose_lax`."""
    size, _, channels, features = kernel.shape
    # lax slides the kernel over the dilated input (a correlation); spreading each input is the flipped order.
    spread = kernel[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, size * size * features)
    return col2im(product(spread, x), size, stride, (x.shape[1] * stride, x.shape[2] * stride))


class Conv(nn.Module):
    """Strided convolution with a square kernel, "SAME" padding and a bias, as `flax.linen.Conv` computes it."""

    features: int
    size: int = 3
    stride: int = 2

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Map `[c, h, w, n]` to `[features, ceil(h / stride), ceil(w / stride), n]`."""
        return _layer(self, x, conv_cpu, conv_lax)


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
        """Map `[c, h, w, n]` to `[features, stride * h, stride * w, n]`."""
        return _layer(self, x, conv_transpose_matrix, conv_transpose_lax, self.gain)


def _layer(module, x, on_cpu, elsewhere, gain=1.0):
    shape = (module.size, module.size, len(x), module.features)
    draw = nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")
    # In float32 as those of Flax's own layers are, with x64 too, and promoted with the input as theirs.
    kernel = module.param("kernel", draw, shape, jnp.float32)
    bias = module.param("bias", nn.initializers.zeros, (module.features,), jnp.float32)
    x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias)
    forms = {"cpu": partial(on_cpu, stride=module.stride), "default": partial(elsewhere, stride=module.stride)}
    return lax.platform_dependent(x, kernel, **forms) + bias[:, None, None, None]
